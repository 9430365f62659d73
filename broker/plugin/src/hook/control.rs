//! `control`: what an administrator asks the plugin.

use hookwire_hooks::Failure;

use crate::guest::Budget;
use crate::instance::{Instance, enter, present};
use crate::stats::VerdictIndex;

/// The outer error is a failed call, the inner one is what the plugin says.
pub(crate) async fn ask(
    instance: &mut Instance,
    budget: Budget,
    request: &str,
) -> Result<Result<String, String>, Failure> {
    let (exports, store) = instance.begin(budget);
    let function = present(&exports.control)?.func_control();
    let answer = enter(store, function, (request,)).await;
    instance.finish(answer).map(|(answer,)| answer)
}

pub(crate) fn index(answer: &Result<String, String>) -> VerdictIndex {
    usize::from(answer.is_err())
}
