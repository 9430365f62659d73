//! What a failed call was, in one line.

use hookwire_hooks::{Failure, FailureKind};
use wasmtime::{Trap, WasmBacktrace};

use crate::guest::Guest;
use crate::journal;

/// Longest text of a failure, bytes.
const DETAIL_BYTES_MAX: usize = 2 << 10;

/// Reads from the error and from the state of the guest what went wrong.
pub(crate) fn of_call(error: &wasmtime::Error, guest: &mut Guest) -> Failure {
    let words = guest.console.errors();
    if guest.watch.overran() {
        let detail = format!("used more than {:?} of CPU time", guest.watch.deadline());
        return Failure { kind: FailureKind::Deadline, detail };
    }
    if let Some(refused) = guest.memory.take_refused() {
        return Failure { kind: FailureKind::Memory, detail: refused };
    }
    let trapped = error.downcast_ref::<Trap>().is_some() || error.downcast_ref::<WasmBacktrace>().is_some();
    let kind = if trapped { FailureKind::Trap } else { FailureKind::InvalidAnswer };
    let reason = match words.trim() {
        "" => reason(error),
        words => words.to_owned(),
    };
    let detail = format!("{reason}{}", place(error));
    Failure { kind, detail: journal::printable(&detail, DETAIL_BYTES_MAX).into_owned() }
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
    let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() else { return String::new() };
    let names: Vec<_> = backtrace.frames().iter().filter_map(|frame| frame.func_name()).take(4).collect();
    match names.as_slice() {
        [] => String::new(),
        names => format!(" (in {})", names.join(" < ")),
    }
}
