//! The command line: one file a command.

mod check;
mod clients;
mod compile_component;
mod endpoint;
mod explain;
mod plugin;
mod plugin_author;
mod record;
mod reload;
mod run_args;
mod store;
mod table;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::author;

pub use clients::ClientsCommand;
pub use compile_component::CompileArgs;
pub use endpoint::EndpointArgs;
pub use explain::ExplainArgs;
pub use plugin::PluginCommand;
pub use plugin_author::{AuthorCommand, BenchArgs, BuildArgs, CheckArgs, NewArgs, ReplayArgs, TestArgs};
pub use record::RecordArgs;
pub use run_args::RunArgs;
pub use store::StoreCommand;

use crate::offline;

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
    /// Write and test plugins, and look at those of a running broker
    #[command(subcommand)]
    Plugin(PluginCommand),
    /// Have a running broker read its configuration again, and say what came of it
    Reload(EndpointArgs),
    /// Look at the clients of a running broker
    Clients(ClientsCommand),
    /// Show what becomes of messages in a running broker, and why
    Explain(ExplainArgs),
    /// Look at a store that no broker uses
    #[command(subcommand)]
    Store(StoreCommand),
    /// Compile a component from standard input: what the broker starts for itself
    #[command(hide = true)]
    CompileComponent(CompileArgs),
}

impl Cli {
    /// Does it, and tells the shell how it went.
    ///
    /// # Errors
    /// Why it could not be done, for a person.
    pub fn execute(self) -> anyhow::Result<ExitCode> {
        let done = match self.command {
            None => run_args::start(self.run),
            Some(Command::Run(args)) => run_args::start(args),
            Some(Command::Check { file }) => check::check(&file),
            Some(Command::Plugin(PluginCommand::Author(command))) => return author::run(command),
            Some(Command::Plugin(command)) => command.execute(),
            Some(Command::Reload(endpoint)) => reload::reload(&endpoint),
            Some(Command::Clients(command)) => command.execute(),
            Some(Command::Explain(args)) => args.execute(),
            Some(Command::Store(command)) => offline::run(&command),
            Some(Command::CompileComponent(args)) => return Ok(args.execute()),
        };
        done.map(|()| ExitCode::SUCCESS)
    }
}
