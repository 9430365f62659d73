//! `hookwire plugin replay`: what a live broker asked, asked again.

use std::fs::File;
use std::io::{BufReader, Write};
use std::process::ExitCode;

use anyhow::Context;
use hookwire_plugin_test::{Chance, Replay};

use super::entry;
use crate::cli::ReplayArgs;
use crate::output::output;

/// Asks and compares; a difference is a failure.
pub(super) fn replay(args: &ReplayArgs) -> anyhow::Result<ExitCode> {
    let seed = args.seed.unwrap_or_else(|| fastrand::u64(..));
    let name = || args.recording.display().to_string();
    let file = File::open(&args.recording).with_context(name)?;
    let replay = Replay::new(BufReader::new(file)).with_context(name)?;
    let spec = match &args.config {
        Some(config) => entry::of_config(config, &args.file)?.1,
        None => entry::unconfigured(&args.file),
    };
    let stage = super::stage()?;
    let plugin = stage
        .load(&spec)
        .with_context(|| args.file.display().to_string())?;
    writeln!(output(), "seed {seed}")?;
    let mut shown = 0;
    let mut printed = Ok(());
    let replayed = replay
        .run(&stage, &plugin, &mut Chance::new(seed), |difference| {
            shown += 1;
            if shown <= args.show && printed.is_ok() {
                printed = write!(output(), "{difference}");
            }
        })
        .with_context(name)?;
    printed?;
    writeln!(
        output(),
        "{}: {} as recorded, {} different, {} skipped for lack of secrets, {} for hooks that the component has not",
        args.recording.display(),
        replayed.same,
        replayed.different,
        replayed.skipped,
        replayed.unasked
    )?;
    Ok(if replayed.different == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
