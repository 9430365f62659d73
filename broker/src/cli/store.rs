//! `hookwire store …`

use std::path::PathBuf;

use clap::Subcommand;

/// About a store. The folder is that of `data_dir`, and of `--data`.
#[derive(Debug, Subcommand)]
pub enum StoreCommand {
    /// Look at every record, and say what is damaged or left over
    Check {
        /// The folder
        folder: PathBuf,
    },
    /// Write every record to standard output, one line of JSON each
    Export {
        /// The folder
        folder: PathBuf,
        /// Open it even if its last commits are gone
        #[arg(long)]
        accept_data_loss: bool,
    },
    /// Make a store of what `export` has written, from standard input
    Import {
        /// A folder without a store
        folder: PathBuf,
    },
    /// Give back the room of what was deleted
    Compact {
        /// The folder
        folder: PathBuf,
    },
}
