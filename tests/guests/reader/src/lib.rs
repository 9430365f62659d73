//! Looks at the topic and the beginning of the payload of every message, and lets all pass that have nothing of what it looks
//! for: the least that a filter by content does.

use hookwire_plugin::prelude::*;

/// How far it reads.
const LOOKED_AT: usize = 64;

struct Reader;

impl Plugin for Reader {
    type Config = NoConfig;

    fn new(_: NoConfig) -> Result<Self, Problems> {
        Ok(Self)
    }
}

impl OnPublish for Reader {
    fn on_publish(&self, message: &Message<'_>) -> Verdict {
        let payload = message.payload();
        let head = payload.get(..LOOKED_AT).unwrap_or(payload);
        if message.topic().starts_with("forbidden/") || head.contains(&0) {
            return Verdict::reject(Reason::NotAuthorized, "forbidden");
        }
        Verdict::pass()
    }
}

impl Authorize for Reader {
    fn authorize(&self, access: &Access) -> Answer {
        if access.topic.starts_with("forbidden/") {
            Answer::deny()
        } else {
            Answer::allow()
        }
    }
}

hookwire_plugin::export!(Reader: OnPublish + Authorize);
