//! Two clients with one client id that keep throwing each other out.

use std::time::{Duration, Instant};

use bytestring::ByteString;
use hashbrown::HashMap;
use parking_lot::Mutex;

use crate::config::TakeoverSettings;

/// Client ids watched at a time; beyond it, those whose window has passed are forgotten.
const WATCHED_MAX: usize = 4096;

#[derive(Debug)]
struct Bout {
    takeovers: u32,
    last: Instant,
}

/// Counts takeovers for each client id and says how long the next one has to wait.
#[derive(Debug, Default)]
pub(super) struct FightWatch {
    bouts: Mutex<HashMap<ByteString, Bout>>,
}

impl FightWatch {
    /// A connection is about to take over `client_id`: how long it has to wait first.
    pub(super) fn takeover(
        &self,
        client_id: &ByteString,
        now: Instant,
        settings: &TakeoverSettings,
    ) -> Duration {
        let mut bouts = self.bouts.lock();
        if bouts.len() >= WATCHED_MAX {
            bouts.retain(|_, bout| is_recent(bout, now, settings));
        }
        let bout = bouts.entry(client_id.clone()).or_insert(Bout {
            takeovers: 0,
            last: now,
        });
        if !is_recent(bout, now, settings) {
            bout.takeovers = 0;
        }
        bout.takeovers = bout.takeovers.saturating_add(1);
        let wait = backoff(bout.takeovers, settings);
        // The next takeover can only come after this one's wait: the window counts from there.
        bout.last = now + wait;
        if bout.takeovers == settings.fight_after.saturating_add(1) {
            tracing::warn!(
                client_id = %client_id.escape_debug(),
                takeovers = bout.takeovers,
                "two clients fight for one client id; their connects are slowed down"
            );
        }
        wait
    }
}

fn is_recent(bout: &Bout, now: Instant, settings: &TakeoverSettings) -> bool {
    now.saturating_duration_since(bout.last) <= settings.window
}

fn backoff(takeovers: u32, settings: &TakeoverSettings) -> Duration {
    let Some(rounds) = takeovers.checked_sub(settings.fight_after.saturating_add(1)) else {
        return Duration::ZERO;
    };
    let factor = 1_u32.checked_shl(rounds).unwrap_or(u32::MAX);
    settings.backoff.saturating_mul(factor).min(settings.backoff_max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    fn settings() -> TakeoverSettings {
        TakeoverSettings {
            fight_after: 3,
            window: Duration::from_secs(10),
            backoff: Duration::from_secs(1),
            backoff_max: Duration::from_secs(5),
        }
    }

    #[test]
    fn a_fight_is_slowed_more_and_more() {
        let watch = FightWatch::default();
        let now = clock::now();
        let id = ByteString::from_static("x");
        let waits: Vec<u64> = (0..7)
            .map(|_| watch.takeover(&id, now, &settings()).as_secs())
            .collect();
        assert_eq!(waits, [0, 0, 0, 1, 2, 4, 5]);
        assert_eq!(
            watch.takeover(&ByteString::from_static("y"), now, &settings()),
            Duration::ZERO
        );
    }

    #[test]
    fn a_pause_ends_the_fight() {
        let watch = FightWatch::default();
        let mut now = clock::now();
        let id = ByteString::from_static("x");
        for _ in 0..20 {
            assert_eq!(watch.takeover(&id, now, &settings()), Duration::ZERO);
            now += Duration::from_secs(11);
        }
    }
}
