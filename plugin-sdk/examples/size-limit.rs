//! A whole plugin: messages with too large a payload are rejected.
use hookwire_plugin::prelude::*;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SizeLimit {
    max_bytes: usize,
}

impl Plugin for SizeLimit {
    type Config = Self;

    fn new(config: Self) -> Result<Self, Problems> {
        Ok(config)
    }
}

impl OnPublish for SizeLimit {
    fn on_publish(&self, message: &Message<'_>) -> Verdict {
        if message.payload().len() > self.max_bytes {
            return Verdict::reject(Reason::QuotaExceeded, "payload too large");
        }
        Verdict::pass()
    }
}

hookwire_plugin::export!(SizeLimit: OnPublish);
