//! `on-publish` and `on-publish-batch`: what becomes of a message.

use hookwire_hooks::{Failure, Message, Verdict, Verdicts};

use super::batch::BatchFailure;
use super::convert::{self, Invalid, MessageView, Shown};
use crate::bindings::imports::types as wit;
use crate::frame;
use crate::guest::Budget;
use crate::instance::{Instance, enter, present};
use crate::power::{Power, Powers};
use crate::publish_frame::PublishFrame;
use crate::stats::VerdictIndex;

/// Longest throttling; the contract says so.
pub(crate) const THROTTLE_MS_MAX: u32 = 60_000;

/// Asks about one message.
pub(crate) async fn ask(
    instance: &mut Instance,
    budget: Budget,
    message: &Message,
    shown: Shown,
) -> Result<Verdict, Failure> {
    let view = MessageView::new(message, shown);
    let (exports, store) = instance.begin(budget.with_hops(message.source.hops()));
    let function = present(&exports.on_publish)?.func_on_publish();
    let parameters = (convert::source(message.source), view.param());
    let answer = enter(store, function, parameters).await;
    let (answer,) = instance.finish(answer)?;
    instance.permitted(verdict(answer)?, powers)
}

/// Asks about the messages of a frame in one call. A message that this plugin publishes meanwhile is an answer to the one
/// that comes from furthest away.
pub(crate) async fn ask_batch(
    instance: &mut Instance,
    budget: Budget,
    frame: PublishFrame<'_>,
) -> Result<Verdicts, BatchFailure> {
    let (exports, store) = instance.begin(budget.with_hops(frame.hops).about(frame.len()));
    let function = present(&exports.on_publish_batch)?.func_on_publish_batch();
    let answer = enter(store, function, (frame.entries, frame.bytes)).await;
    let (answer,) = instance.finish(answer)?;
    let verdicts = frame::decode(answer, frame.len())?;
    Ok(instance.permitted(verdicts, powers_of_run)?)
}

pub(crate) fn index(answer: &Verdict) -> VerdictIndex {
    match answer {
        Verdict::Pass => 0,
        Verdict::Replace(_) => 1,
        Verdict::Drop => 2,
        Verdict::Reject(_) => 3,
        Verdict::Disconnect(_) => 4,
        Verdict::Throttle(_) => 5,
    }
}

fn powers(answer: &Verdict) -> Powers {
    match answer {
        Verdict::Pass => Powers::NONE,
        Verdict::Replace(_) => Powers::only(Power::Modify),
        Verdict::Drop => Powers::only(Power::Drop),
        Verdict::Reject(_) => Powers::only(Power::Refuse),
        Verdict::Disconnect(_) => Powers::only(Power::Disconnect),
        Verdict::Throttle(_) => Powers::only(Power::Delay),
    }
}

/// Messages that pass take nothing, and are not looked at.
fn powers_of_run(verdicts: &Verdicts) -> Powers {
    let others = verdicts.others().iter();
    others
        .filter_map(|(_, answer)| answer.as_ref().ok())
        .map(powers)
        .collect()
}

fn verdict(verdict: wit::Verdict) -> Result<Verdict, Invalid> {
    Ok(match verdict {
        wit::Verdict::Pass => Verdict::Pass,
        wit::Verdict::Replace(change) => Verdict::Replace(Box::new(convert::replacement(change)?)),
        wit::Verdict::Drop => Verdict::Drop,
        wit::Verdict::Reject(rejected) => Verdict::Reject(convert::rejection(rejected)?),
        wit::Verdict::Disconnect(rejected) => Verdict::Disconnect(convert::rejection(rejected)?),
        wit::Verdict::Throttle(ms) => Verdict::Throttle(ms.min(THROTTLE_MS_MAX)),
    })
}
