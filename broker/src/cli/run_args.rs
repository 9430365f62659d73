//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

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
}

impl Overrides for RunArgs {
    fn apply(&self, config: Config) -> Config {
        config.with_overrides(&self.listen, self.data.clone())
    }
}
