//! `authorize`: who may publish, subscribe, receive, leave a will.

use std::time::Duration;

use hookwire_hooks::{Access, AccessAnswer, AccessDecision, Action, Failure};

use super::convert::{self, Invalid};
use crate::bindings::hooks::authorize as wit;
use crate::guest::Budget;
use crate::instance::{Instance, enter, present};
use crate::power::{Power, Powers};
use crate::stats::VerdictIndex;

pub(crate) async fn ask(
    instance: &mut Instance,
    budget: Budget,
    access: &Access<'_>,
) -> Result<AccessAnswer, Failure> {
    let question = wit::Access {
        client: access.client.0,
        action: action(access.action),
        topic: access.topic,
        qos: convert::qos_out(access.qos),
        retain: access.retain,
    };
    let (exports, store) = instance.begin(budget);
    let function = present(&exports.authorize)?.func_authorize();
    let answer = enter(store, function, (question,)).await;
    let (answer,) = instance.finish(answer)?;
    let answer = AccessAnswer {
        decision: decision(answer.decision)?,
        cache_for: Duration::from_millis(answer.cache_ms.into()),
    };
    instance.permitted(answer, powers)
}

pub(crate) fn index(answer: &AccessAnswer) -> VerdictIndex {
    match answer.decision {
        AccessDecision::Next => 0,
        AccessDecision::Allow => 1,
        AccessDecision::Deny(_) => 2,
        AccessDecision::Disconnect(_) => 3,
    }
}

fn powers(answer: &AccessAnswer) -> Powers {
    match answer.decision {
        AccessDecision::Next => Powers::NONE,
        AccessDecision::Allow => Powers::only(Power::Allow),
        AccessDecision::Deny(_) => Powers::only(Power::Refuse),
        AccessDecision::Disconnect(_) => Powers::only(Power::Disconnect),
    }
}

fn action(action: Action) -> wit::Action {
    match action {
        Action::Publish => wit::Action::Publish,
        Action::Subscribe => wit::Action::Subscribe,
        Action::Deliver => wit::Action::Deliver,
        Action::Will => wit::Action::Will,
    }
}

fn decision(decision: wit::Decision) -> Result<AccessDecision, Invalid> {
    Ok(match decision {
        wit::Decision::Next => AccessDecision::Next,
        wit::Decision::Allow => AccessDecision::Allow,
        wit::Decision::Deny(text) => AccessDecision::Deny(convert::optional_text(text)?),
        wit::Decision::Disconnect(text) => AccessDecision::Disconnect(convert::optional_text(text)?),
    })
}
