//! The `hookwire` command: arguments, log, and what they ask for.

use std::io::{IsTerminal, stderr};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use hookwire::bundled::BUNDLED;
use hookwire::cli::{Cli, Command, PluginCommand, RunArgs};
use hookwire::config::Config;
use hookwire::inspect::describe;
use hookwire::policy;
use hookwire::{offline, run};
use hookwire_plugin_host::compile_component;
use tracing_subscriber::EnvFilter;

/// Many small, short-lived buffers on several threads are what it is best at.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match cli.command {
        None => start(cli.run),
        Some(Command::Run(args)) => start(args),
        Some(Command::Check { file }) => check(&file),
        Some(Command::Plugin(PluginCommand::Inspect { file })) => show(&file),
        Some(Command::CompileComponent {
            memory,
            seconds,
            nice,
        }) => return compile(memory, Duration::from_secs(seconds), nice),
        Some(Command::Store(command)) => offline::run(&command),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("hookwire: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn start(args: RunArgs) -> anyhow::Result<()> {
    let config = run::configure(&args)?;
    tracing_subscriber::fmt()
        .with_writer(stderr)
        .with_ansi(stderr().is_terminal())
        .with_target(false)
        .with_env_filter(filter(&config.log)?)
        .init();
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(run::run(args, config))
}

/// The store's engine tells of its everyday life; who wants to hear it can say so.
fn filter(log: &str) -> anyhow::Result<EnvFilter> {
    Ok(EnvFilter::try_new(format!("fjall=warn,lsm_tree=warn,{log}"))?)
}

fn check(file: &Path) -> anyhow::Result<()> {
    let config = Config::load(file, BUNDLED)?;
    policy::check(&config, file)?;
    println!("{}: ok, {} plugins", file.display(), config.plugins.len());
    Ok(())
}

fn show(file: &Path) -> anyhow::Result<()> {
    let bytes = std::fs::read(file)?;
    let host = policy::checking_host(&Config::default())?;
    print!("{}", describe(&host.inspect(&bytes)?));
    Ok(())
}

/// What the broker starts for each component that it compiles.
fn compile(memory_bytes_max: u64, cpu_time_max: Duration, nice: i32) -> ExitCode {
    match compile_component(memory_bytes_max, cpu_time_max, nice) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
