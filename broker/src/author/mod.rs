//! The loop of those who write plugins: make, build, check, inspect, compare, test, replay, measure.
//!
//! Each command has a module. What runs a component does it in the broker's own host, with the limits that hold in a
//! broker: what fails there fails here.

mod bench;
mod building;
mod cargo_tests;
mod checking;
mod difference;
mod entry;
mod hook_template;
mod inspection;
mod lock;
mod replay;
mod scaffold;
mod serve;
mod snippet;
mod testing;
mod vendor;

use std::process::ExitCode;

use hookwire_plugin_test::Stage;

use crate::cli::AuthorCommand;
use crate::config::Config;
use crate::policy;

/// Does what the command says and tells the shell how it went. What goes wrong besides is an error.
pub fn run(command: AuthorCommand) -> anyhow::Result<ExitCode> {
    match command {
        AuthorCommand::New(args) => scaffold::make(&args).map(|()| ExitCode::SUCCESS),
        AuthorCommand::Vendor { dir } => vendor::refresh(&dir).map(|()| ExitCode::SUCCESS),
        AuthorCommand::Build(args) => building::build(&args).map(|()| ExitCode::SUCCESS),
        AuthorCommand::Check(args) => checking::check(&args).map(|()| ExitCode::SUCCESS),
        AuthorCommand::Inspect { file, json } => inspection::show(&file, json).map(|()| ExitCode::SUCCESS),
        AuthorCommand::Diff { old, new } => difference::show(&old, &new),
        AuthorCommand::Test(args) => testing::test(&args),
        AuthorCommand::Replay(args) => replay::replay(&args),
        AuthorCommand::Bench(args) => bench::bench(&args).map(|()| ExitCode::SUCCESS),
        AuthorCommand::Serve { file } => serve::serve(&file).map(|()| ExitCode::SUCCESS),
    }
}

/// A stage with the limits of a broker that is configured in nothing.
fn stage() -> anyhow::Result<Stage> {
    Ok(Stage::with(policy::checking_settings(&Config::default()))?)
}
