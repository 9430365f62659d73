//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use hookwire_store::DataLoss;

use crate::config::Config;
use crate::reload::Overrides;

/// An MQTT broker whose policies are WebAssembly components.
#[derive(Debug, Parser)]
#[command(name = "hookwire", version, about, args_conflicts_with_subcommands = true)]
pub struct Cli {
    /// What to do; `run` when nothing is said.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// For `run`.
    #[command(flatten)]
    pub run: RunArgs,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the broker
    Run(RunArgs),
    /// Check a configuration file without starting
    Check {
        /// The file
        file: PathBuf,
    },
    /// Look at plugins
    #[command(subcommand)]
    Plugin(PluginCommand),
    /// Look at a store that no broker uses
    #[command(subcommand)]
    Store(StoreCommand),
    /// Compile a component from standard input: what the broker starts for itself
    #[command(hide = true)]
    CompileComponent {
        /// Most memory, bytes
        memory: u64,
        /// Most CPU time, seconds
        seconds: u64,
        /// Priority, from 0, the usual one, to 19, the lowest
        nice: i32,
    },
}

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

/// About plugins.
#[derive(Debug, Subcommand)]
pub enum PluginCommand {
    /// Show what a component exports, imports, and needs to be granted
    Inspect {
        /// The component
        file: PathBuf,
    },
}

/// How to run. Flags go over what the file says.
#[derive(Debug, Clone, Default, Args)]
pub struct RunArgs {
    /// Configuration file, watched for changes; without one: 127.0.0.1:1883, anonymous clients, no plugins
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Listen here instead of where the file says; may be given several times
    #[arg(long, value_name = "ADDR:PORT")]
    pub listen: Vec<SocketAddr>,
    /// Where durable data goes
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Go on with what is left of a store whose last commits are gone
    #[arg(long)]
    pub accept_data_loss: bool,
}

impl RunArgs {
    /// What becomes of a store whose last commits are gone.
    pub fn data_loss(&self) -> DataLoss {
        if self.accept_data_loss {
            DataLoss::Accept
        } else {
            DataLoss::Refuse
        }
    }
}

impl Overrides for RunArgs {
    fn apply(&self, config: Config) -> Config {
        config.with_overrides(&self.listen, self.data.clone())
    }
}
