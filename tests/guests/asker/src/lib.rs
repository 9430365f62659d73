//! Asks a server in every hook, about clients and topics whose name begins with `ask`, and does what the status says: what
//! it is told otherwise, or that it is told nothing, becomes the text of a refusal.

use hookwire_plugin::http::Request;
use hookwire_plugin::prelude::*;
use hookwire_plugin::{http, log};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    /// The hook and the name are appended.
    url: String,
    /// How many times each question is put.
    #[serde(default = "once")]
    times: u32,
    /// Ask at each tick, in this interval.
    tick_ms: Option<u32>,
}

fn once() -> u32 {
    1
}

struct Asker(Config);

impl Asker {
    /// What the server has against it.
    fn ask(&self, hook: &str, name: &str) -> Result<(), String> {
        if !name.starts_with("ask") {
            return Ok(());
        }
        let request = Request::get(format!("{}/{hook}/{name}", self.0.url));
        for _ in 0..self.0.times {
            let answer = request.send().map_err(|error| told(&error))?;
            if !answer.is_success() {
                return Err(format!("status {}", answer.status));
            }
        }
        Ok(())
    }
}

/// Where the kind has no text, its name.
fn told(error: &http::Error) -> String {
    match error {
        http::Error::NotInThisHook => "not-in-this-hook".to_owned(),
        http::Error::Timeout => "timeout".to_owned(),
        http::Error::TooLarge => "too-large".to_owned(),
        other => other.reason().into_owned(),
    }
}

impl Plugin for Asker {
    type Config = Config;

    fn new(config: Config) -> Result<Self, Problems> {
        let asker = Self(config);
        // Whatever it is told here, nobody waits for it.
        if let Err(reason) = asker.ask("configure", "ask") {
            log::info!("configure: {reason}");
        }
        Ok(asker)
    }

    fn interests(&self) -> Interests {
        Interests {
            tick_ms: self.0.tick_ms,
            ..Interests::default()
        }
    }

    fn tick(&self) {
        match self.ask("tick", "ask") {
            Ok(()) => log::info!("tick: told"),
            Err(reason) => log::info!("tick: {reason}"),
        }
    }
}

impl Authenticate for Asker {
    fn authenticate(&self, who: &Credentials) -> Outcome {
        match self.ask("authenticate", &who.client_id) {
            Ok(()) => Outcome::allow(Grant::default()),
            Err(reason) => Outcome::deny(ConnectReason::NotAuthorized, reason),
        }
    }
}

impl Authorize for Asker {
    fn authorize(&self, access: &Access) -> Answer {
        let hook = match access.action {
            Action::Publish => "publish",
            Action::Subscribe => "subscribe",
            Action::Deliver => "deliver",
            Action::Will => "will",
        };
        match self.ask(hook, &access.topic) {
            Ok(()) => Answer::allow(),
            Err(reason) => Decision::Deny(Some(reason)).into(),
        }
    }
}

impl OnPublish for Asker {
    fn on_publish(&self, message: &Message<'_>) -> Verdict {
        match self.ask("on-publish", message.topic()) {
            Ok(()) => Verdict::pass(),
            Err(reason) => Verdict::reject(Reason::ImplementationSpecific, reason),
        }
    }
}

impl Route for Asker {
    fn route(&self, message: &Message<'_>, _: &Recipients) -> RouteDecision {
        match self.ask("route", message.topic()) {
            Ok(()) => RouteDecision::Default,
            Err(_) => RouteDecision::Change(Routing {
                only: Some(Vec::new()),
                ..Routing::default()
            }),
        }
    }
}

impl Events for Asker {
    fn on_events(&self, events: &[Event]) {
        for event in events {
            if let What::Connected(_) = event.what {
                let told = self.ask("events", &event.client_id);
                log::info!("event of {}: {told:?}", event.client_id);
            }
        }
    }
}

hookwire_plugin::export!(Asker: Authenticate + Authorize + OnPublish + Route + Events);
