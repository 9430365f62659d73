//! A plugin under test, wherever it runs.

use std::fmt;

use serde_json::json;

use super::component::Component;
use super::{Mock, answer, question};
use crate::authenticate::{Authenticate, Credentials, Outcome};
use crate::authenticate_enhanced::{AuthenticateEnhanced, Step};
use crate::authorize::{Access, Answer, Authorize};
use crate::bindings::types::{ClientKey, Verdict};
use crate::component::make_plugin;
use crate::control::{self, Control};
use crate::deliver::{Decision as DeliverDecision, Deliver};
use crate::events::{Event, Events};
use crate::message::Message;
use crate::on_publish::OnPublish;
use crate::on_subscribe::{self, OnSubscribe};
use crate::on_unsubscribe::{self, OnUnsubscribe};
use crate::on_will::{Cause, Decision as WillDecision, Delays, OnWill};
use crate::plugin::Plugin;
use crate::problem::Problems;
use crate::route::{Decision as RouteDecision, Recipients, Route};

/// A plugin that a test asks: the code itself, or its component in the broker's own host.
///
/// It has the hooks of the plugin, so a test is written once. `cargo test` runs it natively. When the environment
/// variable `HOOKWIRE_COMPONENT` names a component, the same test is put to that, through the command `hookwire` (or what
/// `HOOKWIRE` names): `hookwire plugin test FILE CASES --cargo` sets both. What the [`Mock`] knows (clients, the time) the
/// component is told before each question, and what it did (log lines, messages, counters) the mock knows afterwards.
///
/// The store of a component is its own: [`kv`](crate::kv) in the test is not that of the plugin there. Passwords and
/// signatures are looked at by the host itself, secrets are those that the mock has when the plugin is made, and no server is
/// asked over HTTP.
pub struct Subject<P>(Place<P>);

enum Place<P> {
    Code(P),
    Component(Component),
}

impl<P> fmt::Debug for Subject<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Place::Code(_) => f.write_str("Subject(code)"),
            Place::Component(_) => f.write_str("Subject(component)"),
        }
    }
}

impl Mock {
    /// Makes a plugin from its `config` table, written as JSON, wherever the test is to run.
    ///
    /// # Errors
    /// What the plugin has against the configuration.
    pub fn subject<P: Plugin>(&self, config: &str) -> Result<Subject<P>, Problems> {
        let place = match Component::start(config) {
            Some(component) => Place::Component(component?),
            None => Place::Code(make_plugin(config).map_err(Problems)?),
        };
        Ok(Subject(place))
    }
}

impl<P> Subject<P> {
    /// The plugin's own value, where it runs natively: for tests that look inside. A component cannot be looked into.
    pub fn code(&self) -> Option<&P> {
        match &self.0 {
            Place::Code(plugin) => Some(plugin),
            Place::Component(_) => None,
        }
    }
}

impl<P: Control> Subject<P> {
    /// Puts a request of an administrator, JSON in and JSON out.
    ///
    /// # Errors
    /// The plugin's own, for a person.
    pub fn control(&self, request: &str) -> Result<String, String> {
        match &self.0 {
            Place::Code(plugin) => control::ask(plugin, request),
            Place::Component(component) => {
                answer::control(component.ask("control", json!({ "request": request })))
            }
        }
    }
}

impl<P: Plugin> Plugin for Subject<P> {
    type Config = P::Config;

    fn new(config: P::Config) -> Result<Self, Problems> {
        P::new(config).map(|plugin| Self(Place::Code(plugin)))
    }

    /// In the broker a tick is followed by a health check, and so it is here.
    ///
    /// # Panics
    /// In a component, when the tick or the health check fails.
    fn tick(&self) {
        match &self.0 {
            Place::Code(plugin) => plugin.tick(),
            Place::Component(component) => component.tick(),
        }
    }

    /// A component says how it is when it is loaded and with each tick.
    fn health(&self) -> Result<(), String> {
        match &self.0 {
            Place::Code(plugin) => plugin.health(),
            Place::Component(_) => Ok(()),
        }
    }
}

impl<P: Authenticate> Authenticate for Subject<P> {
    fn authenticate(&self, who: &Credentials) -> Outcome {
        match &self.0 {
            Place::Code(plugin) => plugin.authenticate(who),
            Place::Component(component) => {
                answer::outcome(component.ask("authenticate", question::credentials(who)))
            }
        }
    }
}

impl<P: AuthenticateEnhanced> AuthenticateEnhanced for Subject<P> {
    fn begin(&self, method: &str, data: Option<&[u8]>, who: &Credentials) -> Step {
        match &self.0 {
            Place::Code(plugin) => plugin.begin(method, data, who),
            Place::Component(component) => {
                let question = question::first_step(method, data, who);
                answer::step(component.ask("authenticate-enhanced", question))
            }
        }
    }

    fn proceed(&self, method: &str, data: Option<&[u8]>, state: &[u8]) -> Step {
        match &self.0 {
            Place::Code(plugin) => plugin.proceed(method, data, state),
            Place::Component(component) => {
                let question = question::next_step(method, data, state);
                answer::step(component.ask("authenticate-enhanced", question))
            }
        }
    }
}

impl<P: Authorize> Authorize for Subject<P> {
    fn authorize(&self, access: &Access) -> Answer {
        match &self.0 {
            Place::Code(plugin) => plugin.authorize(access),
            Place::Component(component) => {
                answer::access(component.ask("authorize", question::access(access)))
            }
        }
    }
}

impl<P: OnPublish> OnPublish for Subject<P> {
    fn on_publish(&self, message: &Message<'_>) -> Verdict {
        match &self.0 {
            Place::Code(plugin) => plugin.on_publish(message),
            Place::Component(component) => {
                let question = json!({ "message": question::message(message) });
                answer::verdict(component.ask("on-publish", question))
            }
        }
    }
}

impl<P: Route> Route for Subject<P> {
    fn route(&self, message: &Message<'_>, recipients: &Recipients) -> RouteDecision {
        match &self.0 {
            Place::Code(plugin) => plugin.route(message, recipients),
            Place::Component(component) => {
                answer::route(component.ask("route", question::route(message, recipients)))
            }
        }
    }
}

impl<P: OnWill> OnWill for Subject<P> {
    fn on_will(
        &self,
        client: ClientKey,
        cause: Cause,
        delays: Delays,
        message: &Message<'_>,
    ) -> WillDecision {
        match &self.0 {
            Place::Code(plugin) => plugin.on_will(client, cause, delays, message),
            Place::Component(component) => {
                let question = question::will(client, cause, delays, message);
                answer::will(component.ask("on-will", question))
            }
        }
    }
}

impl<P: OnSubscribe> OnSubscribe for Subject<P> {
    fn on_subscribe(&self, client: ClientKey, request: &on_subscribe::Request) -> on_subscribe::Decision {
        match &self.0 {
            Place::Code(plugin) => plugin.on_subscribe(client, request),
            Place::Component(component) => {
                answer::subscribe(component.ask("on-subscribe", question::subscribe(client, request)))
            }
        }
    }
}

impl<P: OnUnsubscribe> OnUnsubscribe for Subject<P> {
    fn on_unsubscribe(
        &self,
        client: ClientKey,
        request: &on_unsubscribe::Request,
    ) -> on_unsubscribe::Decision {
        match &self.0 {
            Place::Code(plugin) => plugin.on_unsubscribe(client, request),
            Place::Component(component) => {
                answer::unsubscribe(component.ask("on-unsubscribe", question::unsubscribe(client, request)))
            }
        }
    }
}

impl<P: Deliver> Deliver for Subject<P> {
    fn deliver(&self, recipient: ClientKey, message: &Message<'_>) -> DeliverDecision {
        match &self.0 {
            Place::Code(plugin) => plugin.deliver(recipient, message),
            Place::Component(component) => {
                answer::delivery(component.ask("deliver", question::delivery(recipient, message)))
            }
        }
    }
}

impl<P: Events> Events for Subject<P> {
    fn on_events(&self, events: &[Event]) {
        match &self.0 {
            Place::Code(plugin) => plugin.on_events(events),
            Place::Component(component) => {
                let events = events.iter().map(question::event).collect();
                component.ask::<serde_json::Value>("events", events);
            }
        }
    }
}
