//! Looks at topic and payload of every message, and lets all pass that are not under one topic and not compressed: the least
//! that a filter by content does.

use hookwire_plugin::prelude::*;

/// What gzip puts first.
const COMPRESSED: &[u8] = &[0x1f, 0x8b];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    /// Be asked who may publish and subscribe what as well.
    #[serde(default)]
    accesses: bool,
}

struct Reader(Config);

impl Plugin for Reader {
    type Config = Config;

    fn new(config: Config) -> Result<Self, Problems> {
        Ok(Self(config))
    }

    fn interests(&self) -> Interests {
        let mut interests = Interests::default();
        if !self.0.accesses {
            interests.authorize = AccessInterest::empty();
        }
        interests
    }
}

impl OnPublish for Reader {
    fn on_publish(&self, message: &Message<'_>) -> Verdict {
        if message.topic().starts_with("forbidden/") || message.payload().starts_with(COMPRESSED) {
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
