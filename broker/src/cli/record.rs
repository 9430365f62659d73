//! `hookwire plugin record`

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;

use super::endpoint::{EndpointArgs, block_on, encoded};
use crate::output::{output, remark};

/// Only its owner may read it: it has the clients' messages in it.
const FILE_MODE: u32 = 0o600;

/// What to record, and where.
#[derive(Debug, Args)]
pub struct RecordArgs {
    /// The plugin's name in the configuration
    name: String,
    /// File for the recording; `-` is standard output
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// End after so many questions
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// End after so many seconds
    #[arg(long, value_name = "SECONDS")]
    seconds: Option<f64>,
    /// Write down passwords and other secrets too
    #[arg(long)]
    with_secrets: bool,
    #[command(flatten)]
    endpoint: EndpointArgs,
}

impl RecordArgs {
    pub(super) fn execute(self) -> anyhow::Result<()> {
        let endpoint = self.endpoint.find()?;
        // Opened when there is something to write: a plugin that is not there leaves no file behind.
        let mut file: Option<Box<dyn Write>> = None;
        let mut lines = 0_u64;
        let begun = || remark("recording; Ctrl-C ends it");
        block_on(endpoint.lines(&self.path(), begun, |line| {
            let file = match &mut file {
                Some(file) => file,
                None => file.insert(open(&self.out).with_context(|| format!("cannot write {:?}", self.out))?),
            };
            file.write_all(line)?;
            file.flush()?;
            lines += 1;
            Ok(())
        }))?;
        remark(format_args!("{} questions recorded", lines.saturating_sub(1)));
        Ok(())
    }

    fn path(&self) -> String {
        let mut path = format!(
            "/v1/plugins/{}/record?secrets={}",
            encoded(&self.name),
            self.with_secrets
        );
        if let Some(count) = self.count {
            path.push_str(&format!("&count={count}"));
        }
        if let Some(seconds) = self.seconds {
            path.push_str(&format!("&seconds={seconds}"));
        }
        path
    }
}

fn open(path: &Path) -> io::Result<Box<dyn Write>> {
    if path == Path::new("-") {
        return Ok(Box::new(output()));
    }
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(FILE_MODE)
        .open(path)?;
    Ok(Box::new(file))
}
