//! `lifecycle`: load, health, ticks, end.

use std::time::Duration;

use hookwire_hooks::{Action, EventClass, Failure, Hook};
use hookwire_protocol::{TopicFilter, TopicName};

use super::convert::Shown;
use crate::bindings::hooks::lifecycle as wit;
use crate::guest::Budget;
use crate::instance::{Instance, enter};
use crate::{ConfigProblem, LoadError};

/// Shortest interval of ticks; the contract says so.
const TICK_MIN: Duration = Duration::from_millis(100);

/// What a plugin wants to be asked and shown.
#[derive(Debug)]
pub(crate) struct Interests {
    pub(crate) on_publish: MessageInterest,
    pub(crate) route: MessageInterest,
    pub(crate) deliver: MessageInterest,
    pub(crate) access: AccessInterest,
    pub(crate) events: EventInterest,
    pub(crate) tick: Option<Duration>,
}

/// Which messages, and what of them.
#[derive(Debug)]
pub(crate) struct MessageInterest {
    /// None: every message.
    filters: Option<Vec<TopicFilter>>,
    pub(crate) shown: Shown,
}

impl MessageInterest {
    pub(crate) fn is_of_every_topic(&self) -> bool {
        self.filters.is_none()
    }

    pub(crate) fn wants(&self, topic: &TopicName) -> bool {
        let matches_one = |filters: &Vec<TopicFilter>| filters.iter().any(|filter| filter.matches(topic));
        self.filters.as_ref().is_none_or(matches_one)
    }
}

/// Whether the operator leaves a plugin the messages of this topic; without filters all of them.
pub(crate) fn matches_any(filters: &[TopicFilter], topic: &TopicName) -> bool {
    filters.is_empty() || filters.iter().any(|filter| filter.matches(topic))
}

/// Which questions of authorize.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AccessInterest(wit::AccessInterest);

impl AccessInterest {
    pub(crate) fn wants(self, action: Action) -> bool {
        self.0.contains(match action {
            Action::Publish => wit::AccessInterest::PUBLISH,
            Action::Subscribe => wit::AccessInterest::SUBSCRIBE,
            Action::Deliver => wit::AccessInterest::DELIVER,
            Action::Will => wit::AccessInterest::WILL,
        })
    }
}

/// Which events.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EventInterest(wit::EventInterest);

impl EventInterest {
    pub(crate) fn wants(self, class: EventClass) -> bool {
        self.0.contains(match class {
            EventClass::Connected => wit::EventInterest::CONNECTED,
            EventClass::Disconnected => wit::EventInterest::DISCONNECTED,
            EventClass::Session => wit::EventInterest::SESSION,
            EventClass::Subscribed => wit::EventInterest::SUBSCRIBED,
            EventClass::Dropped => wit::EventInterest::DROPPED,
            EventClass::Acked => wit::EventInterest::ACKED,
            EventClass::Unrouted => wit::EventInterest::UNROUTED,
            EventClass::Refused => wit::EventInterest::REFUSED,
        })
    }
}

/// Hands over the configuration.
pub(crate) async fn configure(
    instance: &mut Instance,
    budget: Budget,
    config: &str,
) -> Result<Interests, LoadError> {
    let (exports, store) = instance.begin(budget);
    let answer = enter(store, exports.lifecycle.func_configure(), (config,)).await;
    let (interests,) = instance.finish(answer).map_err(|failure| LoadError::Failed {
        stage: "configure",
        failure,
    })?;
    let interests = interests.map_err(|problems| LoadError::ConfigRefused {
        problems: problems.into_iter().map(problem).collect(),
    })?;
    Ok(Interests {
        on_publish: message_interest(Hook::OnPublish, interests.on_publish)?,
        route: message_interest(Hook::Route, interests.route)?,
        deliver: message_interest(Hook::Deliver, interests.deliver)?,
        access: AccessInterest(interests.authorize),
        events: EventInterest(interests.events),
        tick: interests
            .tick_ms
            .map(|ms| Duration::from_millis(ms.into()).max(TICK_MIN)),
    })
}

fn problem(problem: wit::Problem) -> ConfigProblem {
    ConfigProblem {
        path: problem.path,
        message: problem.message,
    }
}

fn message_interest(hook: Hook, interest: wit::MessageInterest) -> Result<MessageInterest, LoadError> {
    let filter = |filter: String| {
        TopicFilter::new(filter.clone()).map_err(|error| LoadError::BadInterest {
            interface: hook.as_str(),
            filter,
            reason: error.to_string(),
        })
    };
    let filters = interest
        .topics
        .map(|topics| topics.into_iter().map(filter).collect::<Result<_, _>>());
    Ok(MessageInterest {
        filters: filters.transpose()?,
        shown: Shown {
            payload: interest.payload,
            properties: interest.properties,
        },
    })
}

/// What the plugin says of itself; the outer error is a failed call.
pub(crate) async fn health(instance: &mut Instance, budget: Budget) -> Result<Result<(), String>, Failure> {
    let (exports, store) = instance.begin(budget);
    let answer = enter(store, exports.lifecycle.func_health(), ()).await;
    instance.finish(answer).map(|(health,)| health)
}

pub(crate) async fn tick(instance: &mut Instance, budget: Budget) -> Result<(), Failure> {
    let (exports, store) = instance.begin(budget);
    let answer = enter(store, exports.lifecycle.func_tick(), ()).await;
    instance.finish(answer)
}

pub(crate) async fn stop(instance: &mut Instance, budget: Budget) -> Result<(), Failure> {
    let (exports, store) = instance.begin(budget);
    let answer = enter(store, exports.lifecycle.func_stop(), ()).await;
    instance.finish(answer)
}
