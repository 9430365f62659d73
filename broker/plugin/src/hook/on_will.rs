//! `on-will`: whether a will is published.

use std::time::Duration;

use hookwire_hooks::{ClientKey, Failure, Message, WillCause, WillDecision, WillDelays};

use super::convert::{self, Invalid, MessageView, Shown};
use crate::bindings::hooks::on_will as wit;
use crate::guest::Budget;
use crate::instance::{Instance, exported};
use crate::power::{Power, Powers};
use crate::stats::VerdictIndex;

/// Longest delay; the contract says so.
const DELAY_SECS_MAX: u32 = 3600;

/// A will is shown in full: it is rare, and there is no interest to declare.
const SHOWN: Shown = Shown {
    payload: true,
    properties: true,
};

pub(crate) fn ask(
    instance: &mut Instance,
    budget: Budget,
    client: ClientKey,
    cause: WillCause,
    delays: WillDelays,
    message: &Message,
) -> Result<WillDecision, Failure> {
    let view = MessageView::new(message, SHOWN);
    let answer = instance.call(budget, |exports, store| {
        exported(&exports.on_will)?.call_on_will(
            store,
            client.0,
            self::cause(cause),
            self::delays(delays),
            view.param(),
        )
    })?;
    instance.permitted(decision(answer)?, powers)
}

pub(crate) fn index(answer: &WillDecision) -> VerdictIndex {
    match answer {
        WillDecision::Publish => 0,
        WillDecision::Replace(_) => 1,
        WillDecision::Suppress => 2,
        WillDecision::Delay(_) => 3,
    }
}

fn powers(answer: &WillDecision) -> Powers {
    match answer {
        WillDecision::Publish => Powers::NONE,
        WillDecision::Replace(_) => Powers::only(Power::Modify),
        WillDecision::Suppress => Powers::only(Power::Drop),
        WillDecision::Delay(_) => Powers::only(Power::Delay),
    }
}

fn delays(delays: WillDelays) -> wit::Delays {
    wit::Delays {
        times: delays.times,
        secs: u32::try_from(delays.total.as_secs()).unwrap_or(u32::MAX),
    }
}

fn cause(cause: WillCause) -> wit::Cause {
    match cause {
        WillCause::ConnectionLost => wit::Cause::ConnectionLost,
        WillCause::KeepAliveTimeout => wit::Cause::KeepAliveTimeout,
        WillCause::ProtocolError => wit::Cause::ProtocolError,
        WillCause::Requested => wit::Cause::Requested,
        WillCause::TakenOver => wit::Cause::TakenOver,
        WillCause::Kicked => wit::Cause::Kicked,
        WillCause::ServerShutdown => wit::Cause::ServerShutdown,
    }
}

fn decision(decision: wit::Decision) -> Result<WillDecision, Invalid> {
    Ok(match decision {
        wit::Decision::Publish => WillDecision::Publish,
        wit::Decision::Replace(change) => WillDecision::Replace(Box::new(convert::replacement(change)?)),
        wit::Decision::Suppress => WillDecision::Suppress,
        wit::Decision::Delay(secs) => {
            WillDecision::Delay(Duration::from_secs(secs.min(DELAY_SECS_MAX).into()))
        }
    })
}
