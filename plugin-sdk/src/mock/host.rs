//! The functions of the host's interfaces, as the bindings would have them.

pub(crate) mod log {
    use crate::mock::HOST;

    /// How much a line matters.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Level {
        /// For those who look into the plugin itself.
        Debug,
        /// Something went as it should.
        Info,
        /// Somebody should look at it.
        Warn,
        /// Something failed.
        Error,
    }

    pub(crate) fn log(level: Level, message: &str) {
        let name = match level {
            Level::Debug => "debug",
            Level::Info => "info",
            Level::Warn => "warn",
            Level::Error => "error",
        };
        HOST.with_borrow_mut(|host| host.log_lines.push(format!("{name}: {message}")));
    }
}

pub(crate) mod clients {
    use crate::bindings::clients::Client;
    use crate::bindings::types::ClientKey;
    use crate::mock::HOST;

    pub(crate) fn get(key: ClientKey) -> Option<Client> {
        HOST.with_borrow(|host| host.clients.get(&key).cloned())
    }

    pub(crate) fn disconnect(key: ClientKey, _text: Option<&str>) -> bool {
        HOST.with_borrow_mut(|host| {
            let known = host.clients.contains_key(&key);
            host.disconnected.extend(known.then_some(key));
            known
        })
    }

    pub(crate) fn forget(key: ClientKey) -> bool {
        HOST.with_borrow_mut(|host| {
            let known = host.clients.contains_key(&key);
            host.forgotten.extend(known.then_some(key));
            known
        })
    }

    pub(crate) fn reauthorize(key: ClientKey) -> bool {
        HOST.with_borrow_mut(|host| {
            let known = host.clients.contains_key(&key);
            host.reauthorized.extend(known.then_some(key));
            known
        })
    }
}

pub(crate) mod retained {
    use std::ops::Bound;

    use crate::bindings::retained::{Error, Page};
    use crate::bindings::types::Message;
    use crate::filter::{TopicFilter, is_topic_name};
    use crate::mock::HOST;

    const PAGE_MAX: u32 = 1000;

    pub(crate) fn get(topic: &str) -> Result<Option<Message>, Error> {
        check(topic)?;
        Ok(HOST.with_borrow(|host| host.retained.get(topic).cloned()))
    }

    pub(crate) fn put(message: &Message) -> Result<(), Error> {
        if message.payload.is_empty() {
            return delete(&message.topic);
        }
        check(&message.topic)?;
        let kept = Message {
            retain: true,
            ..message.clone()
        };
        HOST.with_borrow_mut(|host| host.retained.insert(message.topic.clone(), kept));
        Ok(())
    }

    pub(crate) fn delete(topic: &str) -> Result<(), Error> {
        check(topic)?;
        HOST.with_borrow_mut(|host| host.retained.remove(topic));
        Ok(())
    }

    pub(crate) fn find(filter: &str, limit: u32, cursor: Option<&str>) -> Result<Page, Error> {
        let filter: TopicFilter = filter.parse().map_err(|_| Error::TopicFilterInvalid)?;
        let start = cursor.map_or(Bound::Unbounded, Bound::Excluded);
        let wanted = limit.clamp(1, PAGE_MAX) as usize;
        let mut messages: Vec<_> = HOST.with_borrow(|host| {
            let rest = host.retained.range::<str, _>((start, Bound::Unbounded));
            let matching = rest.filter(|(topic, _)| filter.matches(topic));
            matching
                .map(|(_, message)| message.clone())
                .take(wanted + 1)
                .collect()
        });
        let more = messages.len() > wanted;
        messages.truncate(wanted);
        let cursor = more
            .then(|| messages.last().map(|message| message.topic.clone()))
            .flatten();
        Ok(Page { messages, cursor })
    }

    fn check(topic: &str) -> Result<(), Error> {
        if is_topic_name(topic) {
            Ok(())
        } else {
            Err(Error::TopicNameInvalid)
        }
    }
}

pub(crate) mod secrets {
    use crate::mock::HOST;

    pub(crate) fn get(name: &str) -> Option<Vec<u8>> {
        HOST.with_borrow(|host| host.secrets.get(name).cloned())
    }
}

pub(crate) mod signatures {
    use crate::bindings::signatures::Algorithm;
    use crate::mock::HOST;

    /// As the test has it; no signature is good unless it says so.
    pub(crate) fn verify(algorithm: Algorithm, public_key: &[u8], message: &[u8], signature: &[u8]) -> bool {
        let verify = HOST.with_borrow(|host| host.verify_signature);
        verify.is_some_and(|verify| verify(algorithm, public_key, message, signature))
    }
}

pub(crate) mod password {
    use crate::bindings::password::Error;
    use crate::mock::HOST;

    /// Only what the test has said is a hash is one.
    pub(crate) fn verify(encoded: &str, password: &[u8]) -> Result<bool, Error> {
        HOST.with_borrow(|host| match host.passwords.get(encoded) {
            Some(right) => Ok(right == password),
            None => Err(Error::Unsupported),
        })
    }
}

pub(crate) mod rate_limit {
    use crate::bindings::rate_limit::Rate;
    use crate::mock::{Bucket, HOST};

    const NO_BUCKET_MS: u64 = 1000;

    pub(crate) fn take(key: &str, rate: Rate, cost: f64, on_credit: bool) -> Option<u64> {
        let sound = rate.per_second > 0.0 && rate.burst >= 1.0 && cost >= 0.0 && !key.is_empty();
        HOST.with_borrow_mut(|host| {
            let now_ns = host.monotonic_ns;
            let is_room = host.buckets.contains_key(key) || host.buckets.len() < host.rate_limit_keys_max;
            if !sound || !is_room {
                return Some(NO_BUCKET_MS);
            }
            let bucket = host.buckets.entry(key.to_owned()).or_insert(Bucket {
                tokens: rate.burst,
                at_ns: now_ns,
            });
            let passed = (now_ns - bucket.at_ns) as f64 / 1e9;
            bucket.tokens = (bucket.tokens + passed * rate.per_second).min(rate.burst);
            bucket.at_ns = now_ns;
            let missing = cost - bucket.tokens;
            if missing <= 0.0 || on_credit {
                bucket.tokens -= cost;
            }
            (missing > 0.0).then(|| (missing / rate.per_second * 1000.0) as u64)
        })
    }
}

pub(crate) mod publish {
    use crate::bindings::publish::Error;
    use crate::bindings::types::Message;
    use crate::filter::is_topic_name;
    use crate::mock::HOST;

    pub(crate) fn publish(message: &Message) -> Result<(), Error> {
        if !is_topic_name(&message.topic) {
            return Err(Error::TopicNameInvalid);
        }
        HOST.with_borrow_mut(|host| match host.publish_error {
            Some(error) => Err(error),
            None => {
                host.published.push(message.clone());
                Ok(())
            }
        })
    }
}

pub(crate) mod kv {
    use crate::bindings::kv::{Error, Page};
    use crate::mock::{Entry, HOST, Host};

    const KEY_BYTES_MAX: usize = 1024;
    const PAGE_MAX: u32 = 1000;

    pub(crate) fn keys(prefix: &str, limit: u32, cursor: Option<&str>) -> Page {
        let wanted = limit.clamp(1, PAGE_MAX) as usize;
        let mut keys: Vec<_> = HOST.with_borrow(|host| {
            let is_live = |entry: &Entry| entry.expires_at_ns.is_none_or(|at_ns| at_ns > host.monotonic_ns);
            let live = host.kv.iter().filter(|(_, entry)| is_live(entry));
            let behind = |key: &str| key.starts_with(prefix) && cursor.is_none_or(|cursor| key > cursor);
            let keys = live.map(|(key, _)| key).filter(|key| behind(key));
            keys.take(wanted + 1).cloned().collect()
        });
        let more = keys.len() > wanted;
        keys.truncate(wanted);
        let cursor = more.then(|| keys.last().cloned()).flatten();
        Page { keys, cursor }
    }

    impl Host {
        fn live(&mut self, key: &str) -> Option<&Entry> {
            let now_ns = self.monotonic_ns;
            let expired = |entry: &Entry| entry.expires_at_ns.is_some_and(|at_ns| at_ns <= now_ns);
            if self.kv.get(key).is_some_and(expired) {
                self.kv.remove(key);
            }
            self.kv.get(key)
        }

        fn write(&mut self, key: &str, entry: Entry) -> Result<(), Error> {
            if key.is_empty() || key.len() > KEY_BYTES_MAX {
                return Err(Error::KeyInvalid);
            }
            let others = self.kv.iter().filter(|&(other, _)| other != key);
            let bytes: usize = others.map(|(other, entry)| other.len() + entry.value.len()).sum();
            if bytes + key.len() + entry.value.len() > self.kv_bytes_max {
                return Err(Error::QuotaExceeded);
            }
            self.kv.insert(key.to_owned(), entry);
            Ok(())
        }

        fn expiry(&self, ttl_ms: Option<u64>) -> Option<u64> {
            ttl_ms.map(|ms| self.monotonic_ns.saturating_add(ms.saturating_mul(1_000_000)))
        }
    }

    pub(crate) fn get(key: &str) -> Option<Vec<u8>> {
        HOST.with_borrow_mut(|host| host.live(key).map(|entry| entry.value.clone()))
    }

    pub(crate) fn put(key: &str, value: &[u8], ttl_ms: Option<u64>) -> Result<(), Error> {
        HOST.with_borrow_mut(|host| {
            let expires_at_ns = host.expiry(ttl_ms);
            host.write(
                key,
                Entry {
                    value: value.to_owned(),
                    expires_at_ns,
                    number: false,
                },
            )
        })
    }

    pub(crate) fn delete(key: &str) -> bool {
        HOST.with_borrow_mut(|host| {
            let known = host.live(key).is_some();
            host.kv.remove(key);
            known
        })
    }

    pub(crate) fn compare_and_swap(
        key: &str,
        expected: Option<&[u8]>,
        value: &[u8],
        ttl_ms: Option<u64>,
    ) -> Result<bool, Error> {
        if get(key).as_deref() != expected {
            return Ok(false);
        }
        put(key, value, ttl_ms).map(|()| true)
    }

    pub(crate) fn increment(key: &str, delta: i64, ttl_ms: Option<u64>) -> Result<i64, Error> {
        HOST.with_borrow_mut(|host| {
            let (present, expires_at_ns) = match host.live(key) {
                None => (0, host.expiry(ttl_ms)),
                Some(Entry {
                    value,
                    number: true,
                    expires_at_ns,
                }) => {
                    let number = value.as_slice().try_into().map(i64::from_le_bytes);
                    (number.map_err(|_| Error::NotANumber)?, *expires_at_ns)
                }
                Some(_) => return Err(Error::NotANumber),
            };
            let sum = present.saturating_add(delta);
            host.write(
                key,
                Entry {
                    value: sum.to_le_bytes().to_vec(),
                    expires_at_ns,
                    number: true,
                },
            )?;
            Ok(sum)
        })
    }
}

pub(crate) mod http {
    use crate::bindings::http::{Error, Request, Response};
    use crate::mock::HOST;

    pub(crate) fn send(request: &Request) -> Result<Response, Error> {
        HOST.with_borrow_mut(|host| {
            host.http_requests.push(request.clone());
            let answer = host.http_answers.pop_front();
            answer.unwrap_or_else(|| Err(Error::Connect("nobody answers here".to_owned())))
        })
    }
}

pub(crate) mod metrics {
    use crate::mock::HOST;

    pub(crate) fn count(name: &str, delta: u64) {
        HOST.with_borrow_mut(|host| *host.counters.entry(name.to_owned()).or_default() += delta);
    }

    pub(crate) fn gauge(name: &str, value: f64) {
        HOST.with_borrow_mut(|host| host.gauges.insert(name.to_owned(), value));
    }

    pub(crate) fn observe(name: &str, value: f64) {
        HOST.with_borrow_mut(|host| host.observed.entry(name.to_owned()).or_default().push(value));
    }
}

pub(crate) mod clock {
    use crate::mock::HOST;

    pub(crate) fn now_ms() -> u64 {
        HOST.with_borrow(|host| host.now_ms)
    }

    pub(crate) fn monotonic_ns() -> u64 {
        HOST.with_borrow(|host| host.monotonic_ns)
    }
}

pub(crate) mod random {
    use crate::mock::HOST;

    /// The same bytes in every test (xorshift64).
    pub(crate) fn bytes(length: u32) -> Vec<u8> {
        HOST.with_borrow_mut(|host| {
            let mut next = || {
                host.random_state ^= host.random_state << 13;
                host.random_state ^= host.random_state >> 7;
                host.random_state ^= host.random_state << 17;
                host.random_state as u8
            };
            (0..length).map(|_| next()).collect()
        })
    }
}

pub(crate) mod topics {
    use crate::filter::{TopicFilter, is_topic_name};

    pub(crate) fn valid_name(name: &str) -> bool {
        is_topic_name(name)
    }

    pub(crate) fn valid_filter(filter: &str) -> bool {
        filter.parse::<TopicFilter>().is_ok()
    }

    pub(crate) fn matches(filter: &str, name: &str) -> bool {
        valid_name(name)
            && filter
                .parse::<TopicFilter>()
                .is_ok_and(|filter| filter.matches(name))
    }
}
