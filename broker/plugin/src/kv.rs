//! The store of one plugin: what its instances share, and what outlives them.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hookwire_hooks::{Host, KeptEntry, Unread};
use parking_lot::Mutex;

/// Longest key, bytes: a key names something, it does not hold it.
const KEY_BYTES_MAX: usize = 1024;

/// What the smallest entry counts: keys of one byte would otherwise take far more of the broker's memory than granted.
const ENTRY_BYTES_MIN: usize = 32;

/// Expired entries that one write removes at the most, so that no single call pays for many.
const SWEEP_MAX: usize = 16;

/// Why a write was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KvError {
    QuotaExceeded,
    KeyInvalid,
    NotANumber,
}

/// A store with a quota in bytes and a time to live for each entry.
///
/// What is expired is as good as gone at once, and is removed when somebody meets it or a write sweeps it up; a write
/// that would exceed the quota sweeps all of it before it is refused. The quota comes with each write, since it belongs
/// to the grant of the plugin that writes, and may change with a reload while the store stays.
#[derive(Default)]
pub(crate) struct Kv {
    entries: Mutex<Entries>,
}

#[derive(Default)]
struct Entries {
    /// In order, so that keys can be listed from anywhere on.
    by_key: BTreeMap<Arc<str>, Entry>,
    /// Entries with a time to live, the one that ends first in front.
    by_end: BTreeSet<(Instant, Arc<str>)>,
    bytes: usize,
    /// Where changes are taken note of, if they are to survive the process.
    keeper: Option<Keeper>,
}

/// The broker, on behalf of one plugin.
struct Keeper {
    plugin: Arc<str>,
    broker: Arc<dyn Host>,
}

struct Entry {
    value: Value,
    ends: Option<Instant>,
}

enum Value {
    Bytes(Box<[u8]>),
    /// Written by `increment`; read as eight bytes, little-endian.
    Number(i64),
}

impl Value {
    fn len(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Number(_) => size_of::<i64>(),
        }
    }

    fn to_vec(&self) -> Vec<u8> {
        match self {
            Self::Bytes(bytes) => bytes.to_vec(),
            Self::Number(number) => number.to_le_bytes().to_vec(),
        }
    }

    fn is(&self, bytes: &[u8]) -> bool {
        match self {
            Self::Bytes(own) => **own == *bytes,
            Self::Number(number) => number.to_le_bytes() == *bytes,
        }
    }
}

impl Entry {
    fn kept(&self) -> KeptEntry {
        KeptEntry {
            value: self.value.to_vec(),
            is_number: matches!(self.value, Value::Number(_)),
            ends: self.ends,
        }
    }
}

impl From<KeptEntry> for Entry {
    fn from(kept: KeptEntry) -> Self {
        let number = kept.value.as_slice().try_into().map(i64::from_le_bytes);
        let value = match number {
            Ok(number) if kept.is_number => Value::Number(number),
            _ => Value::Bytes(kept.value.into()),
        };
        Self {
            value,
            ends: kept.ends,
        }
    }
}

impl Kv {
    /// From now on changes survive the process. What was kept is there again; where there is a newer value, that stays and
    /// is kept.
    ///
    /// # Errors
    /// What was kept cannot be read. Nothing is kept then.
    pub(crate) fn keep_with(&self, plugin: &Arc<str>, broker: &Arc<dyn Host>) -> Result<(), Unread> {
        let mut entries = self.entries.lock();
        if entries.keeper.is_some() {
            return Ok(());
        }
        for (key, kept) in broker.kept(plugin)? {
            if !entries.by_key.contains_key(key.as_str()) {
                entries.insert(key.into(), kept.into());
            }
        }
        entries.keeper = Some(Keeper {
            plugin: Arc::clone(plugin),
            broker: Arc::clone(broker),
        });
        for (key, entry) in &entries.by_key {
            entries.keep(key, Some(entry));
        }
        Ok(())
    }

    pub(crate) fn get(&self, key: &str, now: Instant) -> Option<Vec<u8>> {
        self.entries
            .lock()
            .live(key, now)
            .map(|entry| entry.value.to_vec())
    }

    pub(crate) fn put(
        &self,
        key: String,
        value: Vec<u8>,
        ttl: Option<Duration>,
        quota: usize,
        now: Instant,
    ) -> Result<(), KvError> {
        self.entries
            .lock()
            .write(&key, Value::Bytes(value.into()), end(ttl, now), quota, now)
    }

    pub(crate) fn delete(&self, key: &str, now: Instant) -> bool {
        let mut entries = self.entries.lock();
        let existed = entries.live(key, now).is_some();
        entries.remove(key);
        existed
    }

    /// Whether the present value was `expected`, and `value` was written.
    pub(crate) fn compare_and_swap(
        &self,
        key: String,
        expected: Option<&[u8]>,
        value: Vec<u8>,
        ttl: Option<Duration>,
        quota: usize,
        now: Instant,
    ) -> Result<bool, KvError> {
        let mut entries = self.entries.lock();
        let same = match (entries.live(&key, now), expected) {
            (Some(entry), Some(expected)) => entry.value.is(expected),
            (None, None) => true,
            _ => false,
        };
        if same {
            entries.write(&key, Value::Bytes(value.into()), end(ttl, now), quota, now)?;
        }
        Ok(same)
    }

    /// Adds, stopping at the ends of the range, and returns the sum. The time to live counts from the first write.
    pub(crate) fn increment(
        &self,
        key: String,
        delta: i64,
        ttl: Option<Duration>,
        quota: usize,
        now: Instant,
    ) -> Result<i64, KvError> {
        let mut entries = self.entries.lock();
        match entries.live(&key, now).map(|entry| &mut entry.value) {
            Some(Value::Number(number)) => {
                *number = number.saturating_add(delta);
                let sum = *number;
                entries.keep(&key, entries.by_key.get(key.as_str()));
                Ok(sum)
            }
            Some(Value::Bytes(_)) => Err(KvError::NotANumber),
            None => entries
                .write(&key, Value::Number(delta), end(ttl, now), quota, now)
                .map(|()| delta),
        }
    }

    /// At most `count` keys that begin with `prefix`, in order; those behind the key `after`.
    pub(crate) fn keys(&self, prefix: &str, after: Option<&str>, count: usize, now: Instant) -> Vec<String> {
        let entries = self.entries.lock();
        let start = match after.filter(|after| *after >= prefix) {
            Some(after) => Bound::Excluded(after),
            None => Bound::Included(prefix),
        };
        let from_start = entries.by_key.range::<str, _>((start, Bound::Unbounded));
        let same = from_start.take_while(|(key, _)| key.starts_with(prefix));
        let live = same.filter(|(_, entry)| entry.ends.is_none_or(|end| end > now));
        live.map(|(key, _)| key.to_string()).take(count).collect()
    }

    /// Entries and bytes that it holds, expired ones that nobody met yet included.
    pub(crate) fn size(&self) -> (usize, usize) {
        let entries = self.entries.lock();
        (entries.by_key.len(), entries.bytes)
    }
}

/// When a time to live is over; one beyond what the clock can tell never is.
fn end(ttl: Option<Duration>, now: Instant) -> Option<Instant> {
    ttl.and_then(|ttl| now.checked_add(ttl))
}

fn cost(key: &str, value: &Value) -> usize {
    (key.len() + value.len()).max(ENTRY_BYTES_MIN)
}

impl Entries {
    /// The entry, unless it is expired.
    fn live(&mut self, key: &str, now: Instant) -> Option<&mut Entry> {
        let expired = self.by_key.get(key)?.ends.is_some_and(|end| end <= now);
        if expired {
            self.remove(key);
            return None;
        }
        self.by_key.get_mut(key)
    }

    /// Takes note of an entry, or of its end.
    fn keep(&self, key: &str, entry: Option<&Entry>) {
        if let Some(Keeper { plugin, broker }) = &self.keeper {
            broker.keep(plugin, key, entry.map(Entry::kept));
        }
    }

    fn insert(&mut self, key: Arc<str>, entry: Entry) {
        if let Some(end) = entry.ends {
            self.by_end.insert((end, key.clone()));
        }
        self.bytes += cost(&key, &entry.value);
        self.by_key.insert(key, entry);
    }

    fn remove(&mut self, key: &str) {
        if let Some((key, entry)) = self.by_key.remove_entry(key) {
            self.keep(&key, None);
            self.bytes -= cost(&key, &entry.value);
            if let Some(end) = entry.ends {
                self.by_end.remove(&(end, key));
            }
        }
    }

    fn write(
        &mut self,
        key: &str,
        value: Value,
        ends: Option<Instant>,
        quota: usize,
        now: Instant,
    ) -> Result<(), KvError> {
        if key.is_empty() || key.len() > KEY_BYTES_MAX {
            return Err(KvError::KeyInvalid);
        }
        self.sweep(now, SWEEP_MAX);
        let wanted = cost(key, &value);
        if self.bytes_without(key) + wanted > quota {
            self.sweep(now, usize::MAX);
            if self.bytes_without(key) + wanted > quota {
                return Err(KvError::QuotaExceeded);
            }
        }
        self.remove(key);
        let entry = Entry { value, ends };
        self.keep(key, Some(&entry));
        self.insert(key.into(), entry);
        Ok(())
    }

    fn bytes_without(&self, key: &str) -> usize {
        self.bytes - self.by_key.get(key).map_or(0, |entry| cost(key, &entry.value))
    }

    /// Removes what is expired, `max` entries at the most.
    fn sweep(&mut self, now: Instant, max: usize) {
        for _ in 0..max {
            match self.by_end.first() {
                Some((end, key)) if *end <= now => {
                    let key = key.clone();
                    self.remove(&key);
                }
                _ => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use hookwire_hooks::{Message, RetainedAmount};
    use hookwire_protocol::{TopicFilter, TopicName};

    use super::*;

    const QUOTA: usize = 1000;
    const SECOND: Duration = Duration::from_secs(1);

    fn put(kv: &Kv, key: &str, value: &[u8], ttl: Option<Duration>, now: Instant) -> Result<(), KvError> {
        kv.put(key.into(), value.into(), ttl, QUOTA, now)
    }

    #[test]
    fn values_are_kept_replaced_and_deleted() {
        let (kv, now) = (Kv::default(), clock());
        put(&kv, "a", b"1", None, now).unwrap();
        put(&kv, "a", b"2", None, now).unwrap();
        assert_eq!(kv.get("a", now).unwrap(), b"2");
        assert!(kv.delete("a", now));
        assert!(!kv.delete("a", now));
        assert_eq!(kv.get("a", now), None);
        assert_eq!(kv.size(), (0, 0));
    }

    #[test]
    fn keys_have_1_to_1024_bytes() {
        let (kv, now) = (Kv::default(), clock());
        let long = "k".repeat(KEY_BYTES_MAX + 1);
        assert_eq!(put(&kv, "", b"", None, now), Err(KvError::KeyInvalid));
        assert_eq!(
            kv.put(long.clone(), vec![], None, 1 << 20, now),
            Err(KvError::KeyInvalid)
        );
        assert_eq!(
            kv.increment(long, 1, None, 1 << 20, now),
            Err(KvError::KeyInvalid)
        );
        assert!(
            kv.put("k".repeat(KEY_BYTES_MAX), vec![], None, 1 << 20, now)
                .is_ok()
        );
    }

    #[test]
    fn an_entry_is_gone_when_its_time_is_over() {
        let (kv, now) = (Kv::default(), clock());
        put(&kv, "a", b"1", Some(SECOND), now).unwrap();
        assert!(kv.get("a", now + SECOND / 2).is_some());
        assert_eq!(kv.get("a", now + SECOND), None);
        assert_eq!(kv.size(), (0, 0), "whoever meets it removes it");

        put(&kv, "b", b"1", Some(Duration::from_millis(u64::MAX)), now).unwrap();
        assert!(
            kv.get("b", now + 1000 * SECOND).is_some(),
            "a time beyond the clock is never over"
        );
    }

    #[test]
    fn a_write_without_a_time_to_live_makes_the_entry_last() {
        let (kv, now) = (Kv::default(), clock());
        put(&kv, "a", b"1", Some(SECOND), now).unwrap();
        put(&kv, "a", b"2", None, now).unwrap();
        assert_eq!(kv.get("a", now + 10 * SECOND).unwrap(), b"2");
        assert!(kv.entries.lock().by_end.is_empty());
    }

    #[test]
    fn the_quota_counts_keys_and_values_and_what_is_expired_makes_room() {
        let (kv, now) = (Kv::default(), clock());
        put(&kv, "a", &[0; 599], Some(SECOND), now).unwrap();
        put(&kv, "b", &[0; 399], None, now).unwrap();
        assert_eq!(put(&kv, "c", b"1", None, now), Err(KvError::QuotaExceeded));
        assert_eq!(
            kv.increment("n".into(), 1, None, QUOTA, now),
            Err(KvError::QuotaExceeded)
        );
        assert!(
            put(&kv, "b", &[1; 399], None, now).is_ok(),
            "replacing needs no more room"
        );
        assert!(put(&kv, "c", b"1", None, now + SECOND).is_ok());
        assert_eq!(kv.get("b", now + SECOND).unwrap(), [1; 399]);
    }

    #[test]
    fn many_tiny_entries_do_not_slip_under_the_quota() {
        let (kv, now) = (Kv::default(), clock());
        let stored = (0..1000)
            .filter(|n| put(&kv, &n.to_string(), b"", None, now).is_ok())
            .count();
        assert_eq!(stored, QUOTA / ENTRY_BYTES_MIN);
    }

    #[test]
    fn one_write_sweeps_some_expired_entries() {
        let (kv, now) = (Kv::default(), clock());
        for n in 0..30 {
            put(&kv, &n.to_string(), b"", Some(SECOND), now).unwrap();
        }
        put(&kv, "new", b"", None, now + SECOND).unwrap();
        assert_eq!(kv.size().0, 30 - SWEEP_MAX + 1);
    }

    #[test]
    fn compare_and_swap_writes_only_over_what_is_expected() {
        let (kv, now) = (Kv::default(), clock());
        let swap = |expected: Option<&[u8]>, value: &[u8], now| {
            kv.compare_and_swap("a".into(), expected, value.into(), Some(SECOND), QUOTA, now)
        };
        assert_eq!(swap(Some(b"1"), b"2", now), Ok(false));
        assert_eq!(swap(None, b"1", now), Ok(true));
        assert_eq!(swap(None, b"2", now), Ok(false));
        assert_eq!(swap(Some(b"1"), b"2", now), Ok(true));
        assert_eq!(kv.get("a", now).unwrap(), b"2");
        assert_eq!(
            swap(None, b"3", now + SECOND),
            Ok(true),
            "an expired value is no value"
        );
        assert_eq!(
            swap(Some(b"3"), &[0; QUOTA], now + SECOND),
            Err(KvError::QuotaExceeded)
        );
        assert_eq!(kv.get("a", now + SECOND).unwrap(), b"3");
    }

    #[test]
    fn increment_counts_and_keeps_its_first_time_to_live() {
        let (kv, now) = (Kv::default(), clock());
        let add = |delta, now| kv.increment("n".into(), delta, Some(SECOND), QUOTA, now);
        assert_eq!(add(5, now), Ok(5));
        assert_eq!(add(-7, now + SECOND / 2), Ok(-2));
        assert_eq!(kv.get("n", now).unwrap(), (-2_i64).to_le_bytes());
        assert_eq!(add(1, now + SECOND), Ok(1), "started anew");
        assert_eq!(
            add(i64::MAX, now + SECOND),
            Ok(i64::MAX),
            "stops at the end of the range"
        );

        put(&kv, "text", b"12345678", None, now).unwrap();
        assert_eq!(
            kv.increment("text".into(), 1, None, QUOTA, now),
            Err(KvError::NotANumber)
        );
    }

    #[test]
    fn keys_are_listed_in_order_from_anywhere() {
        let (kv, now) = (Kv::default(), clock());
        for key in ["b/2", "a", "b/1", "b/3", "c", "b"] {
            put(&kv, key, b"", None, now).unwrap();
        }
        put(&kv, "b/25", b"", Some(SECOND), now).unwrap();
        let keys = |prefix, after, count, now| kv.keys(prefix, after, count, now);
        assert_eq!(keys("b/", None, 9, now), ["b/1", "b/2", "b/25", "b/3"]);
        assert_eq!(keys("b/", Some("b/1"), 2, now), ["b/2", "b/25"]);
        assert_eq!(keys("b/", Some("b/1"), 2, now + SECOND), ["b/2", "b/3"]);
        assert_eq!(
            keys("b/", Some("a"), 1, now),
            ["b/1"],
            "a place in front of all is the start"
        );
        assert_eq!(
            keys("b/", Some("b/11"), 1, now),
            ["b/2"],
            "a key that is gone is a place too"
        );
        assert_eq!(keys("", None, 9, now).len(), 7);
        assert!(keys("d", None, 9, now).is_empty() && keys("b/", Some("c"), 9, now).is_empty());
    }

    /// A broker that keeps entries of plugins.
    #[derive(Default)]
    struct Notes(Mutex<BTreeMap<(String, String), KeptEntry>>);

    impl Host for Notes {
        fn client(&self, _: hookwire_hooks::ClientKey) -> Option<Arc<hookwire_hooks::ClientFacts>> {
            None
        }

        fn disconnect(&self, _: hookwire_hooks::ClientKey, _: Option<String>) -> bool {
            false
        }

        fn publish(&self, _: Vec<hookwire_hooks::PluginPublish>) -> bool {
            false
        }

        fn forget_answers(&self, _: hookwire_hooks::ClientKey) -> bool {
            false
        }

        fn reauthorize(&self, _: hookwire_hooks::ClientKey) -> bool {
            false
        }

        fn retained(&self, _: &TopicName) -> Result<Option<Message>, Unread> {
            Ok(None)
        }

        fn retained_matching(
            &self,
            _: &TopicFilter,
            _: Option<&str>,
            _: RetainedAmount,
        ) -> Result<Vec<Message>, Unread> {
            Ok(Vec::new())
        }

        fn has_room_to_retain(&self, _: &Message) -> bool {
            false
        }

        fn keep(&self, plugin: &str, key: &str, entry: Option<KeptEntry>) {
            let key = (plugin.to_owned(), key.to_owned());
            match entry {
                Some(entry) => drop(self.0.lock().insert(key, entry)),
                None => drop(self.0.lock().remove(&key)),
            }
        }

        fn kept(&self, plugin: &str) -> Result<Vec<(String, KeptEntry)>, Unread> {
            if plugin == "unreadable" {
                return Err(Unread("for the test".to_owned()));
            }
            let notes = self.0.lock();
            let own = notes.iter().filter(|((of, _), _)| of == plugin);
            Ok(own
                .map(|((_, key), entry)| (key.clone(), entry.clone()))
                .collect())
        }
    }

    #[test]
    fn what_is_kept_is_there_again_for_the_same_plugin() {
        let (now, name) = (clock(), Arc::from("counter"));
        let notes: Arc<Notes> = Arc::default();
        let broker: Arc<dyn Host> = notes.clone();
        let kv = Kv::default();
        put(&kv, "before", b"1", None, now).unwrap();
        kv.keep_with(&name, &broker).unwrap();
        put(&kv, "a", b"2", Some(SECOND), now).unwrap();
        put(&kv, "b", b"3", None, now).unwrap();
        assert!(kv.delete("b", now));
        kv.increment("n".into(), 5, None, QUOTA, now).unwrap();
        kv.increment("n".into(), 2, None, QUOTA, now).unwrap();

        let again = Kv::default();
        put(&again, "before", b"newer", None, now).unwrap();
        again.keep_with(&name, &broker).unwrap();
        assert_eq!(again.get("before", now).unwrap(), b"newer");
        assert_eq!(again.get("a", now).unwrap(), b"2");
        assert_eq!(again.get("a", now + SECOND), None, "its time goes on");
        assert_eq!(again.get("b", now), None);
        assert_eq!(again.increment("n".into(), 1, None, QUOTA, now), Ok(8));
        assert_eq!(again.size().0, 2);
        let newer = notes.0.lock()[&("counter".to_owned(), "before".to_owned())].clone();
        assert_eq!(newer.value, b"newer");

        let other = Kv::default();
        other.keep_with(&Arc::from("another"), &broker).unwrap();
        assert_eq!(other.size(), (0, 0));
    }

    #[test]
    fn a_store_that_cannot_be_read_is_no_empty_store() {
        let (now, notes) = (clock(), Arc::new(Notes::default()));
        let broker: Arc<dyn Host> = notes.clone();
        let kv = Kv::default();
        put(&kv, "a", b"1", None, now).unwrap();
        kv.keep_with(&Arc::from("unreadable"), &broker).unwrap_err();
        assert!(notes.0.lock().is_empty(), "nothing is written over what is there");
    }

    fn clock() -> Instant {
        crate::clock::now()
    }
}
