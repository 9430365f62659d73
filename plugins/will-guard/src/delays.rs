//! Which wills were delayed already.
//!
//! The broker asks again when a delay is over, with the same client key and the same message, and maybe another
//! instance. So the key is put into `kv`, which all instances share. A key belongs to one connection, and that has one
//! will at the most: whoever is found there was delayed, and is not delayed again. Whoever cannot be put there is not
//! delayed at all. So no will is delayed twice, unless the broker forgets its key in between, and for that:
//!
//! - After the first question the next one comes when the delay is over: nobody else is asked once this plugin has
//!   answered with one. The broker may cut the delay short, but not make it longer.
//! - After a later one, another plugin may delay the will, by an hour at the most. Then the next question comes.
//!
//! Keys are kept that long, and for [`LATENESS`], by which the broker would have to be late each time.

use std::time::Duration;

use hookwire_plugin::prelude::*;
use hookwire_plugin::{kv, log};

/// By how much a busy broker may be late.
const LATENESS: Duration = Duration::from_mins(10);

/// How long a will is held back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Delay {
    secs: u32,
}

impl Delay {
    /// Longest delay that the broker grants.
    pub(crate) const SECS_MAX: u32 = 3600;

    /// None when there is nothing to wait for.
    pub(crate) fn new(secs: u32) -> Option<Self> {
        (secs > 0).then_some(Self { secs })
    }

    pub(crate) fn secs(self) -> u32 {
        self.secs
    }

    /// Whether the delay of a client's will begins now; false when it is over, or the broker cannot remember it.
    pub(crate) fn begins(self, client: ClientKey) -> bool {
        let key = client.to_string();
        match kv::compare_and_swap(&key, None, &[], Some(kept_for(self.secs))) {
            Ok(true) => true,
            Ok(false) => {
                // It takes the place of what is there, so there is room for it.
                let _ = kv::put(&key, &[], Some(kept_for(Self::SECS_MAX)));
                false
            }
            Err(error) => {
                log::warn!("a will is published without delay: kv: {error:?}; grant it more bytes");
                false
            }
        }
    }
}

fn kept_for(delay_secs: u32) -> Duration {
    Duration::from_secs(delay_secs.into()) + LATENESS
}
