//! `control`: what an administrator asks the plugin.

use hookwire_hooks::Failure;

use crate::guest::Budget;
use crate::instance::{Instance, exported};
use crate::stats::VerdictIndex;

/// The outer error is a failed call, the inner one is what the plugin says.
pub(crate) fn ask(
    instance: &mut Instance,
    budget: Budget,
    request: &str,
) -> Result<Result<String, String>, Failure> {
    instance.call(budget, |exports, store| {
        exported(&exports.control)?.call_control(store, request)
    })
}

pub(crate) fn index(answer: &Result<String, String>) -> VerdictIndex {
    usize::from(answer.is_err())
}
