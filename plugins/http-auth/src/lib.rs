//! Hookwire plugin `http-auth`: a server decides who may connect, publish and subscribe. Its README is the reference.

mod answer;
mod backoff;
mod cache;
mod config;
mod endpoint;
mod facts;
mod grant;
mod template;

use hookwire_plugin::http::{self, Response};
use hookwire_plugin::prelude::*;
use hookwire_plugin::{clients, log};

use answer::{AccessReply, LoginReply, Reply};
use backoff::Backoff;
use cache::Cache;
use config::{Anonymous, Config, WhenDown};
use endpoint::Endpoint;
use facts::Facts;

/// The plugin.
pub struct HttpAuth {
    authenticate: Option<Endpoint>,
    authorize: Option<Endpoint>,
    actions: AccessInterest,
    anonymous: Anonymous,
    when_down: WhenDown,
    cache: Cache,
    access_cache_ms: u32,
    backoff: Backoff,
}

/// The server has not decided.
enum Undecided {
    /// It cannot be asked, or does not answer as it should.
    Down,
    /// It is not asked in a call that may not wait.
    NotHere,
}

impl Plugin for HttpAuth {
    type Config = Config;

    fn new(config: Config) -> Result<Self, Problems> {
        config.into_plugin()
    }

    fn interests(&self) -> Interests {
        Interests {
            authorize: self.actions,
            ..Interests::default()
        }
    }
}

impl Authenticate for HttpAuth {
    fn authenticate(&self, who: &Credentials) -> Outcome {
        let Some(endpoint) = &self.authenticate else {
            return Outcome::Next;
        };
        if who.username.is_none()
            && let Some(outcome) = self.anonymous.outcome()
        {
            return outcome;
        }
        if let Some(grant) = self.cache.find(who) {
            return Outcome::allow(grant);
        }
        match self.ask::<LoginReply>(endpoint, &Facts::of_credentials(who)) {
            Ok(Reply::Allow(reply)) => {
                self.cache.keep(who, &reply.grant, reply.cache_secs);
                Outcome::allow(reply.grant.into_grant())
            }
            Ok(Reply::Deny(reply)) => Outcome::Deny(reply.denial),
            Ok(Reply::Next) => Outcome::Next,
            Err(_) => self.when_down.outcome(),
        }
    }
}

impl Authorize for HttpAuth {
    fn authorize(&self, access: &Access) -> Answer {
        let Some(endpoint) = &self.authorize else {
            return Answer::next();
        };
        // Whoever the broker does not know has no rights.
        let Some(client) = clients::get(access.client) else {
            return Answer::deny();
        };
        match self.ask::<AccessReply>(endpoint, &Facts::of_access(access, &client)) {
            Ok(reply) => reply.answer(self.access_cache_ms),
            Err(Undecided::Down) => self.when_down.answer("the authorization server is away"),
            Err(Undecided::NotHere) => {
                log::error!("not asked about a PUBLISH: set `async = true` for this plugin");
                self.when_down.answer("the authorization server is not asked")
            }
        }
    }
}

impl HttpAuth {
    fn ask<R: answer::FromResponse>(&self, endpoint: &Endpoint, facts: &Facts<'_>) -> Result<R, Undecided> {
        if !self.backoff.may_ask() {
            return Err(Undecided::Down);
        }
        let request = endpoint.request(facts);
        let outcome = request.send();
        let reply = match &outcome {
            Ok(response) => endpoint.read(response),
            // Nothing that the server did.
            Err(http::Error::NotInThisHook) => {
                self.backoff.not_asked();
                return Err(Undecided::NotHere);
            }
            // What the client has sent makes no request: no reason to spare the server.
            Err(http::Error::InvalidRequest(reason)) => {
                self.backoff.not_asked();
                log::warn!("no request can be made: {reason}");
                return Err(Undecided::Down);
            }
            Err(error) => Err(error.reason().into_owned()),
        };
        match reply {
            Ok(reply) => {
                self.backoff.succeeded();
                Ok(reply)
            }
            Err(reason) => {
                log::warn!("{} does not decide: {reason}", endpoint.name());
                self.backoff
                    .failed(outcome.is_ok_and(|response| is_well(&response)));
                Err(Undecided::Down)
            }
        }
    }
}

/// Whether a server that gave no decision works nevertheless: then it is asked the next time as well.
fn is_well(response: &Response) -> bool {
    response.status < 500 && response.status != 429
}

hookwire_plugin::export!(HttpAuth: Authenticate + Authorize);

#[cfg(test)]
mod tests;
