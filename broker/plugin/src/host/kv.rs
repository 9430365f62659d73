//! `kv`: values that all instances of the plugin share.

use std::time::Duration;

use crate::bindings::imports::kv::{Error, Host, Page};
use crate::clock;
use crate::guest::Guest;
use crate::kv::{Kv, KvError};

/// Most keys of a page; the contract says so.
const PAGE_MAX: u32 = 1000;

impl Guest {
    fn kv(&self) -> &Kv {
        &self.services.lasting.kv
    }

    fn kv_quota(&self) -> usize {
        self.services.grants.kv_bytes_max.unwrap_or(0)
    }
}

impl Host for Guest {
    fn get(&mut self, key: String) -> Option<Vec<u8>> {
        self.kv().get(&key, clock::now())
    }

    fn put(&mut self, key: String, value: Vec<u8>, ttl_ms: Option<u64>) -> Result<(), Error> {
        Ok(self
            .kv()
            .put(key, value, ttl(ttl_ms), self.kv_quota(), clock::now())?)
    }

    fn delete(&mut self, key: String) -> bool {
        self.kv().delete(&key, clock::now())
    }

    fn compare_and_swap(
        &mut self,
        key: String,
        expected: Option<Vec<u8>>,
        value: Vec<u8>,
        ttl_ms: Option<u64>,
    ) -> Result<bool, Error> {
        let (quota, now) = (self.kv_quota(), clock::now());
        Ok(self
            .kv()
            .compare_and_swap(key, expected.as_deref(), value, ttl(ttl_ms), quota, now)?)
    }

    fn increment(&mut self, key: String, delta: i64, ttl_ms: Option<u64>) -> Result<i64, Error> {
        Ok(self
            .kv()
            .increment(key, delta, ttl(ttl_ms), self.kv_quota(), clock::now())?)
    }

    fn keys(&mut self, prefix: String, limit: u32, cursor: Option<String>) -> Page {
        let wanted = limit.clamp(1, PAGE_MAX) as usize;
        // One more than wanted tells whether there are more.
        let mut keys = self
            .kv()
            .keys(&prefix, cursor.as_deref(), wanted + 1, clock::now());
        let more = keys.len() > wanted;
        keys.truncate(wanted);
        let cursor = more.then(|| keys.last().cloned()).flatten();
        Page { keys, cursor }
    }
}

fn ttl(ms: Option<u64>) -> Option<Duration> {
    ms.map(Duration::from_millis)
}

impl From<KvError> for Error {
    fn from(error: KvError) -> Self {
        match error {
            KvError::QuotaExceeded => Self::QuotaExceeded,
            KvError::KeyInvalid => Self::KeyInvalid,
            KvError::NotANumber => Self::NotANumber,
        }
    }
}
