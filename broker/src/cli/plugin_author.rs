//! The commands of those who write plugins: `hookwire plugin new`, `build`, `check` and their like.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// From an idea to a plugin that is loaded, tested and timed.
#[derive(Debug, Subcommand)]
pub enum AuthorCommand {
    /// Make a crate with a working plugin, its tests, its cases and a configuration; needs no network
    New(NewArgs),
    /// Put the SDK of this binary into a plugin's crate, in the place of the one that is there
    Vendor {
        /// The crate
        #[arg(default_value = ".")]
        dir: PathBuf,
    },
    /// Compile a plugin's crate and look at what came of it
    Build(BuildArgs),
    /// Find everything that would keep a component from loading
    Check(CheckArgs),
    /// Show what a component exports, imports, and needs to be granted; nothing of it is run
    Inspect {
        /// The component
        file: PathBuf,
        /// As JSON, for programs
        #[arg(long)]
        json: bool,
    },
    /// Tell what a component can do that an older one could not; exit code 1 when there is something
    Diff {
        /// The component that is trusted
        old: PathBuf,
        /// The one that is to take its place
        new: PathBuf,
    },
    /// Put cases to a component in the broker's own host; exit code 1 when one fails
    Test(TestArgs),
    /// Put recorded questions to a component and compare its answers with the recorded ones; exit code 1 when they differ
    Replay(ReplayArgs),
    /// Measure what the hooks of a component cost
    Bench(BenchArgs),
    /// Answer questions from standard input: how the SDK's mock puts a plugin's own tests to its component
    #[command(hide = true)]
    Serve {
        /// The component
        file: PathBuf,
    },
}

/// What to make.
#[derive(Debug, Args)]
pub struct NewArgs {
    /// The name of the plugin, and of the folder: letters, digits, `-` and `_`
    pub name: String,
    /// The hooks to begin with, separated by commas
    #[arg(
        long,
        value_name = "HOOK,…",
        value_delimiter = ',',
        default_value = "on-publish"
    )]
    pub hook: Vec<String>,
    /// The language; the others have pages in docs/plugins
    #[arg(long, value_name = "LANG", default_value = "rust", value_parser = ["rust"])]
    pub lang: String,
    /// Make the folder in this one
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub path: PathBuf,
    /// Depend on the SDK in this folder instead of a copy of the one in this binary
    #[arg(long, value_name = "DIR")]
    pub sdk: Option<PathBuf>,
}

/// What to compile.
#[derive(Debug, Args)]
pub struct BuildArgs {
    /// The crate
    #[arg(default_value = ".")]
    pub dir: PathBuf,
    /// Further arguments for cargo, for example `-- --offline`
    #[arg(last = true, value_name = "CARGO ARGUMENTS")]
    pub cargo: Vec<String>,
}

/// What to check.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// The component
    pub file: PathBuf,
    /// The configuration file whose `[[plugin]]` entry names the component; without one, every grant counts as given
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// What to test.
#[derive(Debug, Args)]
pub struct TestArgs {
    /// The component
    pub file: PathBuf,
    /// Files of cases
    #[arg(required = true)]
    pub cases: Vec<PathBuf>,
    /// And the tests of the crate in this folder, with the component in the place of its code
    #[arg(long)]
    pub cargo: bool,
    /// Repeat a run: the number that it printed
    #[arg(long)]
    pub seed: Option<u64>,
}

/// What to replay.
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// The component
    pub file: PathBuf,
    /// What `hookwire plugin record` wrote
    pub recording: PathBuf,
    /// The configuration file whose `[[plugin]]` entry names the component
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Repeat a run: the number that it printed
    #[arg(long)]
    pub seed: Option<u64>,
    /// Show at most so many differences
    #[arg(long, default_value_t = 20)]
    pub show: usize,
}

/// What to measure.
#[derive(Debug, Args)]
pub struct BenchArgs {
    /// The component
    pub file: PathBuf,
    /// A file of cases: its configuration, its clients and its questions; without one, a plain question for each hook
    pub cases: Option<PathBuf>,
    /// Measure each hook for so long
    #[arg(long, value_name = "SECONDS", default_value_t = 1.0)]
    pub seconds: f64,
}
