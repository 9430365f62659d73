//! `deliver` and `deliver-batch`: what one recipient gets of a message.

use hookwire_hooks::{DeliverDecision, Failure, Parcel};

use super::batch::BatchFailure;
use super::convert::{self, Invalid, MessageView, Shown};
use crate::bindings::hooks::deliver as wit;
use crate::delivery_frame;
use crate::frame_buffer;
use crate::guest::Budget;
use crate::instance::{Instance, exported};
use crate::power::{Power, Powers};
use crate::stats::VerdictIndex;

/// Asks about one delivery.
pub(crate) fn ask(
    instance: &mut Instance,
    budget: Budget,
    parcel: &Parcel,
    shown: Shown,
) -> Result<DeliverDecision, Failure> {
    let message = &parcel.message;
    let view = MessageView::new(message, shown);
    let answer = instance.call(budget.with_hops(message.source.hops()), |exports, store| {
        let source = convert::source(message.source);
        exported(&exports.deliver)?.call_deliver(store, parcel.recipient.0, source, view.param())
    })?;
    instance.permitted(decision(answer)?, powers)
}

/// Asks about many deliveries in one call. A message that this plugin publishes meanwhile is an answer to the one that comes
/// from furthest away.
pub(crate) fn ask_batch(
    instance: &mut Instance,
    budget: Budget,
    parcels: &[&Parcel],
    shown: Shown,
) -> Result<Vec<DeliverDecision>, BatchFailure> {
    let hops = parcels.iter().map(|parcel| parcel.message.source.hops()).max();
    let answer = frame_buffer::lend(|question| {
        delivery_frame::encode(parcels, shown, question);
        instance.call(budget.with_hops(hops.unwrap_or(0)), |exports, store| {
            exported(&exports.deliver_batch)?.call_deliver_batch(store, question)
        })
    })?;
    let decisions = delivery_frame::decode(answer, parcels.len())?;
    Ok(instance.permitted(decisions, |decisions| decisions.iter().map(powers).collect())?)
}

pub(crate) fn index(answer: &DeliverDecision) -> VerdictIndex {
    match answer {
        DeliverDecision::Pass => 0,
        DeliverDecision::Replace(_) => 1,
        DeliverDecision::Drop => 2,
    }
}

fn powers(answer: &DeliverDecision) -> Powers {
    match answer {
        DeliverDecision::Pass => Powers::NONE,
        DeliverDecision::Replace(_) => Powers::only(Power::Modify),
        DeliverDecision::Drop => Powers::only(Power::Drop),
    }
}

fn decision(decision: wit::Decision) -> Result<DeliverDecision, Invalid> {
    Ok(match decision {
        wit::Decision::Pass => DeliverDecision::Pass,
        wit::Decision::Replace(change) => DeliverDecision::Replace(Box::new(convert::replacement(change)?)),
        wit::Decision::Drop => DeliverDecision::Drop,
    })
}
