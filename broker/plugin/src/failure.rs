//! What a failed call was, in one line.

use hookwire_hooks::{Failure, FailureKind};
use wasmtime::{Trap, WasmBacktrace};

use crate::guest::Guest;
use crate::journal;
use crate::ticker::Overrun;

/// Longest text of a failure, bytes.
const DETAIL_BYTES_MAX: usize = 2 << 10;

/// How a panic in Rust begins, behind the name of the thread.
const PANIC: &str = "panicked at ";

/// Frames of the guest's stack that a failure quotes.
const FRAMES_MAX: usize = 4;

/// Reads from the error of a call, and from the state of the guest, what went wrong.
pub(crate) fn of_call(error: &wasmtime::Error, guest: &mut Guest) -> Failure {
    let refused = guest.memory.take_refused();
    let words = last_words(&guest.console.errors());
    let (kind, detail) = if let Some(overrun) = guest.watch.overrun() {
        let deadline = guest.watch.deadline();
        let detail = match overrun {
            Overrun::Cpu => format!("used more than {deadline:?} of CPU time"),
            Overrun::Waiting => format!("waited longer than {deadline:?}"),
        };
        (FailureKind::Deadline, detail)
    } else if !is_trap(error) {
        (FailureKind::InvalidAnswer, reason(error))
    } else if let Some(refused) = refused {
        // What a guest says when it runs out of memory adds little, but it may have got over that and failed later.
        (
            FailureKind::Memory,
            words.map_or_else(|| refused.clone(), |words| format!("{refused}; {words}")),
        )
    } else {
        (FailureKind::Trap, trap_detail(error, words))
    };
    Failure {
        kind,
        detail: journal::printable(&detail, DETAIL_BYTES_MAX).into_owned(),
    }
}

/// The same for making an instance, where being refused memory is an error at once.
pub(crate) fn of_start(error: &wasmtime::Error, guest: &mut Guest) -> Failure {
    match guest.memory.take_refused() {
        Some(detail) if !is_trap(error) => Failure {
            kind: FailureKind::Memory,
            detail,
        },
        _ => of_call(error, guest),
    }
}

/// Whether the guest trapped, or a host function ended it, rather than handing over something that makes no sense.
fn is_trap(error: &wasmtime::Error) -> bool {
    error.downcast_ref::<Trap>().is_some() || error.downcast_ref::<WasmBacktrace>().is_some()
}

/// A panic explains itself; otherwise what the guest said last only adds to the trap.
fn trap_detail(error: &wasmtime::Error, words: Option<String>) -> String {
    match words {
        Some(panic) if panic.starts_with(PANIC) => panic,
        Some(words) => format!("{}{}; it said: {words}", reason(error), place(error)),
        None => format!("{}{}", reason(error), place(error)),
    }
}

/// What the guest wrote to standard error or logged as an error: from its panic on, if there was one, without what the
/// Rust run-time adds to the message.
fn last_words(errors: &str) -> Option<String> {
    let words = errors
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with("note: run with"));
    let words = words.collect::<Vec<_>>().join(" ");
    let panic = words.rfind(PANIC).unwrap_or(0);
    (!words.is_empty()).then(|| words[panic..].to_owned())
}

/// The causes, without the backtrace that wasmtime puts on top of them.
fn reason(error: &wasmtime::Error) -> String {
    let causes: Vec<_> = error
        .chain()
        .map(ToString::to_string)
        .filter(|cause| !cause.starts_with("error while executing at wasm backtrace"))
        .collect();
    causes.join(": ")
}

/// The innermost functions that have a name.
fn place(error: &wasmtime::Error) -> String {
    let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() else {
        return String::new();
    };
    // Only the text has the names in readable form: `  0: module!function`.
    let text = backtrace.to_string();
    let functions = text
        .lines()
        .skip(1)
        .filter_map(|line| line.split_once('!'))
        .map(|(_, function)| function);
    let named: Vec<_> = functions
        .filter(|function| !function.starts_with('<'))
        .take(FRAMES_MAX)
        .collect();
    if named.is_empty() {
        String::new()
    } else {
        format!(", in {}", named.join(" < "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_told_in_one_line() {
        let errors = "\nthread '<unnamed>' (1) panicked at src/lib.rs:42:20:\nboom\nnote: run with `RUST_BACKTRACE=1`\n";
        assert_eq!(last_words(errors).unwrap(), "panicked at src/lib.rs:42:20: boom");
        assert_eq!(
            last_words("memory allocation of 5 bytes failed\n").unwrap(),
            "memory allocation of 5 bytes failed"
        );
        assert_eq!(last_words(" \n"), None);
    }
}
