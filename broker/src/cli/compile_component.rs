//! `hookwire compile-component`: what the broker starts for each component that it compiles.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use crate::output::remark;

/// The limits of a compilation.
#[derive(Debug, Clone, Args)]
pub struct CompileArgs {
    /// Most memory, bytes
    memory: u64,
    /// Most CPU time, seconds
    seconds: u64,
    /// Priority, from 0, the usual one, to 19, the lowest
    nice: i32,
}

impl CompileArgs {
    /// The component comes from standard input. The broker reads what is said on standard error, so it is said bare.
    pub(super) fn execute(&self) -> ExitCode {
        let time = Duration::from_secs(self.seconds);
        match hookwire_plugin_host::compile_component(self.memory, time, self.nice) {
            Ok(code) => ExitCode::from(code),
            Err(error) => {
                remark(error);
                ExitCode::FAILURE
            }
        }
    }
}
