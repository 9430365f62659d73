//! What commands print, for people and programs that may stop reading at any time.
//!
//! `println!` panics when nobody reads any more. So commands write to an [`output`], and pass on its errors like any other;
//! at the end, [`stopped_reading`] tells a reader who has seen enough from what went wrong.

use std::error::Error;
use std::fmt::{self, Display};
use std::io::{self, ErrorKind, Write, stderr, stdout};
use std::process::ExitCode;

/// What a shell shows for a program that SIGPIPE ended. Not success: a command that was cut short did not do all of its work.
const STOPPED_READING: u8 = 128 + 13;

/// Standard output.
pub fn output() -> Output {
    Output
}

/// Says something beside the output. Nobody has to listen.
pub fn remark(text: impl Display) {
    let _ = writeln!(stderr(), "{text}");
}

/// The exit code, if an error is that whoever read the output has gone. A socket that breaks is none of that.
pub fn stopped_reading(error: &anyhow::Error) -> Option<ExitCode> {
    let is_gone = |cause: &(dyn Error + 'static)| {
        let inner = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        inner.is_some_and(|inner| inner.is::<StoppedReading>())
    };
    error
        .chain()
        .any(is_gone)
        .then(|| ExitCode::from(STOPPED_READING))
}

/// See [`output`].
#[derive(Debug)]
pub struct Output;

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        stdout().write(bytes).map_err(named)
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        stdout().write_all(bytes).map_err(named)
    }

    fn flush(&mut self) -> io::Result<()> {
        stdout().flush().map_err(named)
    }
}

/// Whoever read standard output has gone.
#[derive(Debug)]
struct StoppedReading;

impl Display for StoppedReading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nobody reads standard output any more")
    }
}

impl Error for StoppedReading {}

fn named(error: io::Error) -> io::Error {
    match error.kind() {
        ErrorKind::BrokenPipe => io::Error::new(ErrorKind::BrokenPipe, StoppedReading),
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn a_reader_who_has_gone_is_told_from_a_broken_socket() {
        let broken = || io::Error::from(ErrorKind::BrokenPipe);
        let told = Err::<(), _>(named(broken())).context("while printing");
        assert!(stopped_reading(&told.unwrap_err()).is_some());
        assert!(stopped_reading(&broken().into()).is_none());
        assert!(stopped_reading(&named(ErrorKind::StorageFull.into()).into()).is_none());
    }
}
