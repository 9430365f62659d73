//! `hookwire run`, which is also what `hookwire` alone does.

use std::io::{IsTerminal, stderr};
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use hookwire_store::DataLoss;
use tracing_subscriber::EnvFilter;

use crate::config::Config;
use crate::huge_pages;
use crate::reload::Overrides;
use crate::run;

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

/// Runs the broker to its end.
pub(super) fn start(args: RunArgs) -> anyhow::Result<()> {
    huge_pages::hold_off();
    let config = run::configure(&args)?;
    tracing_subscriber::fmt()
        .with_writer(stderr)
        .with_ansi(stderr().is_terminal())
        .with_target(false)
        .with_env_filter(filter(&config.log)?)
        // It would tell of a log that nobody reads by printing, which panics where nobody reads.
        .log_internal_errors(false)
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
