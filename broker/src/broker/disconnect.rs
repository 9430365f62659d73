//! The end of a connection, and of a session.

use std::sync::Arc;
use std::time::Instant;

use bytestring::ByteString;
use hookwire_hooks::{ClientKey, EventKind, WillCause};
use hookwire_protocol::DisconnectReason;

use super::Broker;
use super::client::Client;
use super::timers::Due;
use crate::clock;
use crate::metrics::Tally;
use crate::session::{Closure, Ending, Link};

/// How a connection ended, as its task saw it.
#[derive(Debug, Clone)]
pub struct Departure {
    /// The reason code that fits best.
    pub reason: DisconnectReason,
    /// The true reason.
    pub text: String,
    /// The client ended it.
    pub by_client: bool,
    /// For the session.
    pub ending: Ending,
}

impl Broker {
    /// A connection has ended. Nothing is done to a session that has another connection by now.
    pub fn disconnected(
        &self,
        now: Instant,
        client: &Arc<Client>,
        key: ClientKey,
        link: &Arc<Link>,
        departure: Departure,
    ) {
        let standing = client.standing();
        let client_id = standing.facts.client_id.clone();
        tracing::debug!(client_id = %client_id.escape_debug(), reason = departure.text, "disconnected");
        let mut by_id = self.0.registry.lock();
        let mut session = client.session();
        let is_present = session.link().is_some_and(|present| Arc::ptr_eq(present, link));
        let detached = is_present.then(|| session.detach(now, &departure.ending));
        if detached
            .as_ref()
            .is_some_and(|detached| !detached.expires_in.is_zero())
        {
            self.record_session(&session, &standing, Some(clock::unix_ms()));
        }
        let (lost, unread) = (session.take_lost(), session.take_dropped_unread());
        if is_present {
            // Whoever sees that nobody is there any more sees this under way.
            self.fetch(client, session.take_wanted());
        }
        drop(session);
        let mut bequeathed = Vec::new();
        if let Some(detached) = &detached {
            self.set_online(client, false);
            client.has_departed();
            if departure.reason == DisconnectReason::SessionTakenOver {
                self.emit(key, &client_id, || EventKind::SessionTakenOver);
            }
            if detached.expires_in.is_zero() {
                bequeathed = self.end_session(&mut by_id, client);
            } else {
                let due = Due::SessionExpiry {
                    client_id: client_id.clone(),
                    key,
                };
                self.0.timers.add(now + detached.expires_in, due);
            }
        }
        match detached.and_then(|detached| detached.will) {
            Some(will) => self.leave_will(now, by_id, will, standing),
            None => drop(by_id),
        }
        self.redeliver(now, bequeathed);
        self.hand_on(now, client);
        self.count_dropped_unread(&unread);
        self.report_lost(client, lost);
        let Departure {
            reason,
            text,
            by_client,
            ..
        } = departure;
        self.emit(key, &client_id, || EventKind::Disconnected {
            reason,
            text,
            by_client,
        });
    }

    /// A session has reached its expiry, unless somebody has resumed it.
    pub(super) fn expire(&self, now: Instant, client_id: &ByteString, key: ClientKey) {
        let mut by_id = self.0.registry.lock();
        let Some(client) = by_id.get(client_id).filter(|client| client.key() == key).cloned() else {
            return;
        };
        if client.session().is_online() {
            return;
        }
        let bequeathed = self.end_session(&mut by_id, &client);
        drop(by_id);
        self.redeliver(now, bequeathed);
        self.0.metrics.traffic.add(&Tally {
            sessions_expired: 1,
            ..Tally::default()
        });
        self.emit(key, client_id, || EventKind::SessionExpired);
        // [MQTT-3.1.2-10]: a will is due no later than the end of its session.
        self.release_will(now, client_id, key);
    }

    /// Closes a connection on behalf of an administrator or a plugin.
    pub(super) fn kick(&self, key: ClientKey, text: Option<ByteString>) -> bool {
        let Some(client) = self.0.registry.by_key(key) else {
            return false;
        };
        let link = client.session().link().cloned();
        let Some(link) = link.filter(|_| client.key() == key) else {
            return false;
        };
        link.close(Closure {
            reason: DisconnectReason::AdministrativeAction,
            text,
            server_reference: None,
            cause: WillCause::Kicked,
        });
        true
    }

    /// Closes every connection, since the broker stops.
    pub fn close_all(&self) {
        let (reason, server_reference) = self.farewell_of_shutdown();
        for client in self.clients() {
            if let Some(link) = client.session().link() {
                link.close(Closure {
                    reason,
                    text: None,
                    server_reference: server_reference.clone(),
                    cause: WillCause::ServerShutdown,
                });
            }
        }
    }
}
