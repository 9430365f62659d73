//! `events`: what happened.

use hookwire_hooks::{Event, EventKind, Failure};

use super::convert;
use crate::bindings::hooks::events as wit;
use crate::guest::Budget;
use crate::instance::{Instance, enter, present};

pub(crate) async fn tell(instance: &mut Instance, budget: Budget, events: &[Event]) -> Result<(), Failure> {
    let events: Vec<_> = events.iter().map(event).collect();
    let (exports, store) = instance.begin(budget);
    let function = present(&exports.events)?.func_on_events();
    let answer = enter(store, function, (&events[..],)).await;
    instance.finish(answer)
}

fn event(event: &Event) -> wit::Event<'_> {
    wit::Event {
        at_ms: event.at_ms,
        client: event.client.0,
        client_id: &event.client_id,
        what: what(&event.kind),
    }
}

fn what(kind: &EventKind) -> wit::What<'_> {
    match kind {
        EventKind::Connected {
            username,
            address,
            version,
            clean_start,
            keep_alive_secs,
        } => wit::What::Connected(wit::Connected {
            username: username.as_deref(),
            address,
            protocol: convert::protocol(*version),
            clean_start: *clean_start,
            keep_alive_secs: *keep_alive_secs,
        }),
        EventKind::Disconnected {
            reason,
            text,
            by_client,
        } => wit::What::Disconnected(wit::Disconnected {
            reason: reason.code(),
            text,
            by_client: *by_client,
        }),
        EventKind::SessionCreated => wit::What::SessionCreated,
        EventKind::SessionResumed => wit::What::SessionResumed,
        EventKind::SessionTakenOver => wit::What::SessionTakenOver,
        EventKind::SessionExpired => wit::What::SessionExpired,
        EventKind::Subscribed { filter, qos } => wit::What::Subscribed(wit::Subscribed {
            filter,
            qos: convert::qos_out(*qos),
        }),
        EventKind::Unsubscribed(filter) => wit::What::Unsubscribed(filter),
        EventKind::Acked { topic, qos } => wit::What::Acked(wit::Acked {
            topic,
            qos: convert::qos_out(*qos),
        }),
        EventKind::Unrouted(topic) => wit::What::Unrouted(topic),
        EventKind::Refused {
            username,
            address,
            version,
            reason,
            text,
        } => wit::What::Refused(wit::Refused {
            username: username.as_deref(),
            address,
            protocol: convert::protocol(*version),
            reason: reason.code(),
            text: text.as_deref().unwrap_or_default(),
        }),
        EventKind::Dropped { topic, cause } => wit::What::Dropped(wit::Dropped {
            topic,
            why: cause.as_str(),
        }),
    }
}
