//! Who is not let in: those whom the configuration names, and for a while those who come and go too often.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use bytestring::ByteString;
use hashbrown::HashMap;
use hookwire_hooks::Denial;
use hookwire_protocol::ConnectReason;
use parking_lot::Mutex;

use super::Broker;
use crate::config::{BanSettings, FlappingSettings};
use crate::metrics::Limit;

/// Client ids watched at a time; beyond it, those whose window and ban have passed are forgotten.
const WATCHED_MAX: usize = 64 * 1024;

impl BanSettings {
    fn names(&self, client_id: &str, username: Option<&str>, address: IpAddr) -> bool {
        // An IPv4 client of a listener for both versions.
        let address = address.to_canonical();
        self.client_ids.contains(client_id)
            || username.is_some_and(|username| self.usernames.contains(username))
            || self.addresses.iter().any(|network| network.contains(&address))
    }
}

impl Broker {
    /// Refuses whom the configuration names.
    pub(super) fn check_ban(
        &self,
        client_id: &str,
        username: Option<&str>,
        address: IpAddr,
    ) -> Result<(), Denial> {
        if self.settings().ban.names(client_id, username, address) {
            self.0.metrics.limits.reached(Limit::Ban);
            return Err(Denial::new(ConnectReason::Banned));
        }
        Ok(())
    }

    /// Counts a connect, and refuses a client that connects too often. Only those who have authenticated are counted:
    /// nobody can have another banned.
    pub(super) fn check_flapping(&self, client_id: &ByteString, now: Instant) -> Result<(), Denial> {
        let settings = &self.settings().flapping;
        match self.0.flapping.connects(client_id, now, settings) {
            Verdict::Welcome => return Ok(()),
            Verdict::Banned => {}
            Verdict::BannedNow => self.record_ban(client_id, now + settings.ban),
        }
        self.0.metrics.limits.reached(Limit::Flapping);
        Err(Denial {
            text: Some(ByteString::from_static("connects too often")),
            ..Denial::new(ConnectReason::Banned)
        })
    }

    /// Disconnects whom a new configuration bans.
    pub(super) fn close_banned(&self) {
        let settings = self.settings().clone();
        for client in self.clients() {
            let facts = client.standing().facts;
            let Ok(address) = facts.address.parse::<SocketAddr>() else {
                continue;
            };
            let is_banned = settings
                .ban
                .names(&facts.client_id, facts.username.as_deref(), address.ip());
            if is_banned && self.kick(facts.key, Some(ByteString::from_static("banned"))) {
                self.0.metrics.limits.reached(Limit::Ban);
            }
        }
    }
}

#[derive(Debug)]
struct Visits {
    since: Instant,
    count: u32,
    banned_until: Option<Instant>,
}

impl Visits {
    fn is_over(&self, now: Instant, window: Duration) -> bool {
        now.saturating_duration_since(self.since) > window
            && self.banned_until.is_none_or(|until| until <= now)
    }
}

/// Whether a client may connect once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Welcome,
    Banned,
    /// From this connect on.
    BannedNow,
}

/// Counts the connects of each client id.
#[derive(Debug, Default)]
pub(super) struct FlappingWatch(Mutex<HashMap<ByteString, Visits>>);

impl FlappingWatch {
    /// A ban of an earlier run that is not over.
    pub(super) fn restore(&self, client_id: ByteString, now: Instant, until: Instant) {
        let visits = Visits {
            since: now,
            count: 0,
            banned_until: Some(until),
        };
        self.0.lock().insert(client_id, visits);
    }

    fn connects(&self, client_id: &ByteString, now: Instant, settings: &FlappingSettings) -> Verdict {
        if settings.connects_max == 0 {
            return Verdict::Welcome;
        }
        let mut watched = self.0.lock();
        if watched.len() >= WATCHED_MAX {
            watched.retain(|_, visits| !visits.is_over(now, settings.window));
        }
        let fresh = || Visits {
            since: now,
            count: 0,
            banned_until: None,
        };
        let visits = watched.entry(client_id.clone()).or_insert_with(fresh);
        if visits.is_over(now, settings.window) {
            *visits = fresh();
        }
        if visits.banned_until.is_some() {
            return Verdict::Banned;
        }
        visits.count = visits.count.saturating_add(1);
        if visits.count <= settings.connects_max {
            return Verdict::Welcome;
        }
        visits.banned_until = Some(now + settings.ban);
        tracing::warn!(
            client_id = %client_id.escape_debug(),
            connects = visits.count,
            "a client connects too often; it is refused for {:?}", settings.ban
        );
        Verdict::BannedNow
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    #[test]
    fn who_is_named_is_banned() {
        let ban = BanSettings {
            client_ids: ["eve".to_owned()].into(),
            usernames: ["mallory".to_owned()].into(),
            addresses: vec!["10.0.0.0/8".parse().expect("a network")],
        };
        for (client_id, username, address, banned) in [
            ("eve", None, "127.0.0.1", true),
            ("Eve", None, "127.0.0.1", false),
            ("x", Some("mallory"), "127.0.0.1", true),
            ("x", Some("alice"), "10.1.2.3", true),
            ("x", Some("alice"), "::ffff:10.1.2.3", true),
            ("x", Some("alice"), "11.1.2.3", false),
        ] {
            let address = address.parse().expect("an address");
            assert_eq!(
                ban.names(client_id, username, address),
                banned,
                "{client_id} {username:?} {address}"
            );
        }
    }

    #[test]
    fn one_who_comes_and_goes_is_banned_for_a_while() {
        let settings = FlappingSettings {
            connects_max: 2,
            window: Duration::from_secs(10),
            ban: Duration::from_secs(60),
        };
        let watch = FlappingWatch::default();
        let id = ByteString::from_static("flap");
        let start = clock::now();
        let at = |secs| watch.connects(&id, start + Duration::from_secs(secs), &settings) == Verdict::Welcome;
        let tries: Vec<_> = [0, 1, 2, 30, 61, 63, 75, 76, 77].into_iter().map(at).collect();
        assert_eq!(tries, [true, true, false, false, false, true, true, true, false]);
        let other = ByteString::from_static("other");
        assert_eq!(watch.connects(&other, start, &settings), Verdict::Welcome);
    }
}
