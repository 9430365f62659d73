//! `on-unsubscribe`: what subscription ends.

use hookwire_hooks::{ClientKey, Failure, UnsubscribeDecision};
use hookwire_protocol::{ShareName, SharedFilter, UnsubscribeReason};

use super::convert::Invalid;
use super::on_subscribe::filter;
use crate::bindings::hooks::on_unsubscribe as wit;
use crate::guest::Budget;
use crate::instance::{Instance, exported};
use crate::power::{Power, Powers};
use crate::stats::VerdictIndex;

pub(crate) fn ask(
    instance: &mut Instance,
    budget: Budget,
    client: ClientKey,
    meant: &SharedFilter,
) -> Result<UnsubscribeDecision, Failure> {
    let question = wit::RequestParam {
        filter: meant.filter.as_str(),
        share: meant.share.as_ref().map(ShareName::as_str),
    };
    let answer = instance.call(budget, |exports, store| {
        exported(&exports.on_unsubscribe)?.call_on_unsubscribe(store, client.0, question)
    })?;
    instance.permitted(decision(answer)?, powers)
}

pub(crate) fn index(answer: &UnsubscribeDecision) -> VerdictIndex {
    match answer {
        UnsubscribeDecision::Pass => 0,
        UnsubscribeDecision::Replace(_) => 1,
        UnsubscribeDecision::Reject(_) => 2,
    }
}

fn powers(answer: &UnsubscribeDecision) -> Powers {
    match answer {
        UnsubscribeDecision::Pass => Powers::NONE,
        UnsubscribeDecision::Replace(_) => Powers::only(Power::Rewrite),
        UnsubscribeDecision::Reject(_) => Powers::only(Power::Refuse),
    }
}

fn decision(decision: wit::Decision) -> Result<UnsubscribeDecision, Invalid> {
    Ok(match decision {
        wit::Decision::Pass => UnsubscribeDecision::Pass,
        wit::Decision::Replace(changed) => {
            UnsubscribeDecision::Replace(filter(changed.filter, changed.share)?)
        }
        wit::Decision::Reject(refused) => UnsubscribeDecision::Reject(reason(refused)),
    })
}

fn reason(reason: wit::UnsubscribeReason) -> UnsubscribeReason {
    match reason {
        wit::UnsubscribeReason::Unspecified => UnsubscribeReason::Unspecified,
        wit::UnsubscribeReason::ImplementationSpecific => UnsubscribeReason::ImplementationSpecific,
        wit::UnsubscribeReason::NotAuthorized => UnsubscribeReason::NotAuthorized,
        wit::UnsubscribeReason::TopicFilterInvalid => UnsubscribeReason::TopicFilterInvalid,
    }
}
