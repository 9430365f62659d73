//! `kv`: values that all instances of the plugin share.

use std::fmt::Debug;
use std::time::Duration;

use crate::bindings::imports::kv::{Error, Host, Page};
use crate::guest::Guest;
use crate::kv::{Kv, KvError};
use crate::note;

/// Most keys of a page; the contract says so.
const PAGE_MAX: u32 = 1000;

impl Guest {
    fn kv(&self) -> &Kv {
        &self.services.lasting.kv
    }

    fn kv_quota(&self) -> usize {
        self.services.grants.kv_bytes_max.unwrap_or(0)
    }

    /// The text of a call, if somebody listens: made before the store takes what it is made of.
    fn described(&self, call: impl FnOnce() -> String) -> Option<String> {
        self.is_watched().then(call)
    }

    fn answered<A: Debug>(&self, call: Option<String>, answer: Result<A, KvError>) -> Result<A, Error> {
        self.note(|| format!("kv.{} = {answer:?}", call.unwrap_or_default()));
        Ok(answer?)
    }
}

impl Host for Guest {
    fn get(&mut self, key: String) -> Option<Vec<u8>> {
        let value = self.kv().get(&key, self.services.now());
        self.note(|| format!("kv.get({key:?}) = {}", note::optional_bytes(value.as_deref())));
        value
    }

    fn put(&mut self, key: String, value: Vec<u8>, ttl_ms: Option<u64>) -> Result<(), Error> {
        let call =
            self.described(|| format!("put({key:?}, {}, {})", note::bytes(&value), note::millis(ttl_ms)));
        let (quota, now) = (self.kv_quota(), self.services.now());
        let put = self.kv().put(key, value, ttl(ttl_ms), quota, now);
        self.answered(call, put)
    }

    fn delete(&mut self, key: String) -> bool {
        let was_there = self.kv().delete(&key, self.services.now());
        self.note(|| format!("kv.delete({key:?}) = {was_there}"));
        was_there
    }

    fn compare_and_swap(
        &mut self,
        key: String,
        expected: Option<Vec<u8>>,
        value: Vec<u8>,
        ttl_ms: Option<u64>,
    ) -> Result<bool, Error> {
        let call = self.described(|| {
            let expected = note::optional_bytes(expected.as_deref());
            let (value, ttl) = (note::bytes(&value), note::millis(ttl_ms));
            format!("compare-and-swap({key:?}, {expected}, {value}, {ttl})")
        });
        let (quota, now) = (self.kv_quota(), self.services.now());
        let swapped = self
            .kv()
            .compare_and_swap(key, expected.as_deref(), value, ttl(ttl_ms), quota, now);
        self.answered(call, swapped)
    }

    fn increment(&mut self, key: String, delta: i64, ttl_ms: Option<u64>) -> Result<i64, Error> {
        let call = self.described(|| format!("increment({key:?}, {delta}, {})", note::millis(ttl_ms)));
        let (quota, now) = (self.kv_quota(), self.services.now());
        let sum = self.kv().increment(key, delta, ttl(ttl_ms), quota, now);
        self.answered(call, sum)
    }

    fn keys(&mut self, prefix: String, limit: u32, cursor: Option<String>) -> Page {
        let wanted = limit.clamp(1, PAGE_MAX) as usize;
        let now = self.services.now();
        // One more than wanted tells whether there are more.
        let mut keys = self.kv().keys(&prefix, cursor.as_deref(), wanted + 1, now);
        let more = keys.len() > wanted;
        keys.truncate(wanted);
        self.note(|| {
            let cursor = note::optional(cursor.as_deref());
            format!("kv.keys({prefix:?}, {limit}, {cursor}) = {keys:?}")
        });
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
