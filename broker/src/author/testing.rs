//! `hookwire plugin test`: cases, put to a component in the broker's own host.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use hookwire_plugin_test::{CaseFile, Chance};

use super::{cargo_tests, entry};
use crate::cli::TestArgs;
use crate::output::output;

/// Runs the cases of all files, and with `--cargo` the plugin's own tests.
pub(super) fn test(args: &TestArgs) -> anyhow::Result<ExitCode> {
    let seed = args.seed.unwrap_or_else(|| fastrand::u64(..));
    writeln!(output(), "seed {seed}")?;
    let mut failed = 0;
    for cases in &args.cases {
        failed += run_file(&args.file, cases, seed)?;
    }
    let natively = args.cargo.then(|| cargo_tests::run(&args.file)).transpose()?;
    if failed == 0 && natively.unwrap_or(true) {
        return Ok(ExitCode::SUCCESS);
    }
    writeln!(output(), "again with the same chance: --seed {seed}")?;
    Ok(ExitCode::FAILURE)
}

/// How many cases of a file failed.
fn run_file(component: &Path, cases: &Path, seed: u64) -> anyhow::Result<usize> {
    let file = read(cases)?;
    let spec = entry::of_cases(&file, cases, component)?;
    let stage = super::stage()?;
    let plugin = stage
        .load(&spec)
        .with_context(|| component.display().to_string())?;
    let failed = file.run(&stage, &plugin, &mut Chance::new(seed));
    for case in &failed {
        write!(output(), "FAILED {case}")?;
    }
    let (total, failed) = (file.cases().len(), failed.len());
    let passed = total - failed;
    writeln!(output(), "{}: {passed} passed, {failed} failed", cases.display())?;
    Ok(failed)
}

/// Reads a file of cases.
pub(super) fn read(cases: &Path) -> anyhow::Result<CaseFile> {
    let text = fs::read_to_string(cases).with_context(|| format!("cannot read {}", cases.display()))?;
    CaseFile::parse(&text).with_context(|| cases.display().to_string())
}
