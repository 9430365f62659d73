//! The `hookwire` command.

use std::process::ExitCode;

use clap::Parser;
use hookwire::cli::Cli;
use hookwire::output::{remark, stopped_reading};

/// Many small, short-lived buffers on several threads are what it is best at.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match Cli::parse().execute() {
        Ok(code) => code,
        Err(error) => stopped_reading(&error).unwrap_or_else(|| {
            remark(format_args!("hookwire: {error:#}"));
            ExitCode::FAILURE
        }),
    }
}
