//! `clock`: what time it is.

use crate::bindings::imports::clock::Host;
use crate::clock;
use crate::guest::Guest;

impl Host for Guest {
    fn now_ms(&mut self) -> u64 {
        clock::millis(self.services.unix())
    }

    fn monotonic_ns(&mut self) -> u64 {
        clock::nanos(self.services.monotonic())
    }
}
