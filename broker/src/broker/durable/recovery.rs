//! From the store to sessions, subscriptions and retained messages, at the start.
//!
//! Messages stay where they are: a queue knows the place and the size of each, and fetches it when its client is about
//! to get it. What belongs to no session any more, since the broker was killed before it was all removed, is removed.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use bytestring::ByteString;
use hashbrown::HashMap;
use hookwire_hooks::{ClientKey, Source, WillCause};
use hookwire_protocol::{PacketId, QoS, SharedFilter, Version};
use hookwire_store::{Key, Space, Store, StoreError};

use super::kept::will_key;
use super::{Durable, ReadError, standing_of, unreadable};
use crate::broker::client::{Client, Standing};
use crate::broker::timers::Due;
use crate::broker::{Broker, Settings};
use crate::clock;
use crate::router::Subscription;
use crate::session::journal::records::{
    StoredRetained, WillRecord, decode_number, decode_source, decode_subscription, outline_retained,
};
use crate::session::journal::{Entry, Place, SessionRecord, Unreadable, keys};
use crate::session::{Away, DueWill, QueueLimits, Session, Terms, WindowLimits};

/// How much was found.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Recovered {
    /// Sessions that go on.
    pub sessions: usize,
    /// Their subscriptions.
    pub subscriptions: usize,
    /// Messages that wait for them.
    pub messages: usize,
    /// Retained messages.
    pub retained: usize,
    /// Wills that wait.
    pub wills: usize,
    /// Sessions that were over before the broker was started.
    pub expired: usize,
}

/// A session that is being restored.
struct Restored {
    client: Arc<Client>,
    /// Up to where messages were sent; `None`: its client was connected.
    sent_to: Option<u64>,
    releases: Vec<(u64, PacketId)>,
}

struct Recovery<'a> {
    broker: &'a Broker,
    durable: &'a Durable,
    now: Instant,
    sessions: HashMap<u64, Restored>,
    found: Recovered,
}

impl Broker {
    /// Restores what the store has. Called once, before anybody connects.
    ///
    /// # Errors
    /// The store fails, or has records that cannot be read: nothing is left out silently.
    pub fn recover(&self, now: Instant) -> Result<Recovered, StoreError> {
        let Some(durable) = self.durable() else {
            return Ok(Recovered::default());
        };
        let new = || Recovery {
            broker: self,
            durable,
            now,
            sessions: HashMap::new(),
            found: Recovered::default(),
        };
        std::thread::scope(|scope| {
            // These two take most of the time, and have nothing to do with each other.
            let (mut recovery, mut aside) = (new(), new());
            let retained = scope.spawn(move || aside.retained().map(|()| aside.found.retained));
            recovery.all_about_sessions()?;
            let retained = retained.join();
            recovery.found.retained = retained.map_err(|_| StoreError::Engine("it panicked".into()))??;
            Ok(recovery.found)
        })
    }
}

impl Recovery<'_> {
    fn store(&self) -> Arc<dyn Store> {
        Arc::clone(self.durable.committer.store())
    }

    fn all_about_sessions(&mut self) -> Result<(), StoreError> {
        let wills = self.read_wills()?;
        self.sessions()?;
        self.subscriptions()?;
        self.rewrites()?;
        self.queues()?;
        self.exchanges()?;
        self.finish_sessions();
        self.restore_wills(wills)?;
        self.bans()
    }

    /// Hands each record of a space to `step`.
    fn each(
        &mut self,
        space: Space,
        mut step: impl FnMut(&mut Self, &[u8], Vec<u8>) -> Result<(), ReadError>,
    ) -> Result<(), StoreError> {
        let mut failed = None;
        self.store().scan(
            space,
            &[],
            &mut |key, value| match step(self, key, value.to_vec()) {
                Ok(()) => ControlFlow::Continue(()),
                Err(unread) => {
                    failed = Some(unread.of(space, key));
                    ControlFlow::Break(())
                }
            },
        )?;
        failed.map_or(Ok(()), Err)
    }

    fn remove(&self, space: Space, key: &[u8]) {
        self.durable.committer.delete(space, Key::from_slice(key));
    }

    // ---- sessions

    fn sessions(&mut self) -> Result<(), StoreError> {
        self.each(Space::Session, |recovery, key, value| {
            let (number, _) = keys::split(key).ok_or(Unreadable)?;
            let record = SessionRecord::decode(value)?;
            recovery
                .broker
                .0
                .next_session
                .fetch_max(number + 1, std::sync::atomic::Ordering::Relaxed);
            Ok(recovery.session(number, record)?)
        })
    }

    fn session(&mut self, number: u64, record: SessionRecord) -> Result<(), Unreadable> {
        let SessionRecord {
            owner,
            expiry,
            gone_at_ms,
            sent_to,
            mount_point,
            will,
        } = record;
        let key = self.broker.fresh_key();
        let standing = standing_of(owner, key).ok_or(Unreadable)?;
        let expires_at = self.expires_at(expiry, gone_at_ms);
        if let Some((message, delay)) = will.filter(|_| gone_at_ms.is_none()) {
            // Its connection ended when the broker did.
            let due = DueWill {
                client: key,
                cause: WillCause::ConnectionLost,
                message,
                due_at: (self.now + delay).min(expires_at),
            };
            self.broker.restore_will(due, standing.clone(), None);
            self.found.wills += 1;
        }
        if expires_at <= self.now {
            self.remove(Space::Session, &keys::session(number));
            self.found.expired += 1;
            return Ok(());
        }
        let client = self.client(number, &standing, expiry, mount_point);
        if gone_at_ms.is_none() {
            self.broker
                .record_session(&client.session(), &standing, Some(clock::unix_ms()));
        }
        let due = Due::SessionExpiry {
            client_id: standing.facts.client_id.clone(),
            key,
        };
        self.broker.0.timers.add(expires_at, due);
        self.found.sessions += 1;
        self.sessions.insert(
            number,
            Restored {
                client,
                sent_to: gone_at_ms.is_some().then_some(sent_to),
                releases: Vec::new(),
            },
        );
        Ok(())
    }

    /// Never later than if its connection had ended just now, whatever the clock says.
    fn expires_at(&self, expiry: Duration, gone_at_ms: Option<u64>) -> Instant {
        let latest = self.now + expiry;
        let Some(gone_at_ms) = gone_at_ms else {
            return latest;
        };
        let expiry_ms = u64::try_from(expiry.as_millis()).unwrap_or(u64::MAX);
        clock::instant_of(gone_at_ms.saturating_add(expiry_ms), self.now).min(latest)
    }

    fn client(
        &self,
        number: u64,
        standing: &Standing,
        expiry: Duration,
        mount_point: Option<ByteString>,
    ) -> Arc<Client> {
        let facts = &standing.facts;
        let terms = terms(
            &self.broker.settings(),
            facts.key,
            facts.version,
            expiry,
            mount_point,
        );
        let session = Session::new(terms)
            .with_ledger(Arc::clone(self.durable.ledger()))
            .with_journal(number);
        let client = Arc::new(Client::new(number, session, standing.clone()));
        let registry = &self.broker.0.registry;
        registry.lock().insert(Arc::clone(&client));
        registry.rekey(None, facts.key, &client);
        client
    }

    fn subscriptions(&mut self) -> Result<(), StoreError> {
        self.each(Space::Subscription, |recovery, key, value| {
            let (number, filter) = keys::split(key).ok_or(Unreadable)?;
            let Some(restored) = recovery.sessions.get(&number) else {
                recovery.remove(Space::Subscription, key);
                return Ok(());
            };
            let text = std::str::from_utf8(filter).map_err(|_| Unreadable)?;
            let text = ByteString::from(text);
            let filter = SharedFilter::parse(text.clone()).map_err(|_| Unreadable)?;
            let (options, id) = decode_subscription(value)?;
            let client = &restored.client;
            client.session().restore_subscription(text, options);
            recovery.broker.0.router.subscribe(
                &filter,
                Subscription {
                    subscriber: Arc::clone(client),
                    options,
                    id,
                },
            );
            recovery.found.subscriptions += 1;
            Ok(())
        })
    }

    fn rewrites(&mut self) -> Result<(), StoreError> {
        self.each(Space::Rewrite, |recovery, key, kept| {
            let (number, asked) = keys::split(key).ok_or(Unreadable)?;
            let [asked, kept] =
                [asked.to_vec(), kept].map(|text| String::from_utf8(text).map(ByteString::from));
            let (asked, kept) = (asked.map_err(|_| Unreadable)?, kept.map_err(|_| Unreadable)?);
            let restored = recovery.sessions.get(&number);
            let is_restored =
                restored.is_some_and(|restored| restored.client.session().restore_rewrite(asked, kept));
            if !is_restored {
                recovery.remove(Space::Rewrite, key);
            }
            Ok(())
        })
    }

    // ---- messages

    fn queues(&mut self) -> Result<(), StoreError> {
        let store = self.store();
        let (mut bodies, mut left_over) = (Vec::new(), Vec::new());
        self.each(Space::Queue, |recovery, key, value| {
            let (number, seq) = keys::split(key).ok_or(Unreadable)?;
            let seq = u64::from_be_bytes(seq.try_into().map_err(|_| Unreadable)?);
            let entry = Entry::read(value)?;
            bodies.extend(entry.body);
            let place = Place {
                seq,
                body: entry.body,
                commit: 0,
            };
            let Some(restored) = recovery.sessions.get(&number) else {
                left_over.push((number, place));
                return Ok(());
            };
            recovery.found.messages += 1;
            recovery.message(restored, place, entry, &*store)
        })?;
        let ledger = self.durable.ledger();
        ledger.adopt(bodies);
        for (number, place) in &left_over {
            ledger.remove(*number, place, |_| {});
        }
        Ok(())
    }

    fn message(
        &self,
        restored: &Restored,
        place: Place,
        entry: Entry,
        store: &dyn Store,
    ) -> Result<(), ReadError> {
        let mut session = restored.client.session();
        if entry.flags.is_shared() {
            let content = |key: Key| store.get(Space::Message, &key).map_err(ReadError::from);
            session.restore_message(place, entry.complete(content, self.now)?);
        } else {
            let expires_at = (entry.expires_ms > 0).then(|| clock::instant_of(entry.expires_ms, self.now));
            session.restore_away(Away {
                place,
                cost: entry.cost,
                expires_at,
            });
        }
        Ok(())
    }

    fn exchanges(&mut self) -> Result<(), StoreError> {
        self.each(Space::Release, |recovery, key, value| {
            let (number, id) = packet(key)?;
            let seq = decode_number(value)?;
            match recovery.sessions.get_mut(&number) {
                Some(restored) => restored.releases.push((seq, id)),
                None => recovery.remove(Space::Release, key),
            }
            Ok(())
        })?;
        self.each(Space::Received, |recovery, key, _| {
            let (number, id) = packet(key)?;
            match recovery.sessions.get(&number) {
                Some(restored) => restored.client.session().restore_received(id),
                None => recovery.remove(Space::Received, key),
            }
            Ok(())
        })
    }

    fn finish_sessions(&mut self) {
        let inflight_max = usize::from(self.broker.settings().session.inflight_max);
        for restored in self.sessions.values_mut() {
            restored.releases.sort_unstable();
            let mut session = restored.client.session();
            for (_, id) in &restored.releases {
                session.restore_release(*id);
            }
            session.restore_sent(restored.sent_to, inflight_max);
        }
    }

    // ---- the rest

    /// Messages stay where they are: what they are about is looked at, and no more.
    fn retained(&mut self) -> Result<(), StoreError> {
        let broker = self.broker;
        let is_checked = broker.settings().session.check_retain_source;
        let mut publishers = HashMap::new();
        broker.0.router.restore_retained(|retained| {
            self.each(Space::Retained, |recovery, key, value| {
                let StoredRetained {
                    topic,
                    outline,
                    source,
                } = outline_retained(value, recovery.now)?;
                if topic.as_str().as_bytes() != key {
                    return Err(Unreadable.into());
                }
                if outline.expires_at.is_some_and(|at| at <= recovery.now) {
                    recovery.remove(Space::Retained, key);
                } else {
                    let copy = retained.keep_outline(&topic, outline);
                    recovery.found.retained += 1;
                    if let (Some(copy), Some(source)) = (copy, source.filter(|_| is_checked)) {
                        let standing = recovery.publisher(&mut publishers, source)?;
                        let sources = &broker.0.retained_sources;
                        sources.note(topic, copy, standing, recovery.now);
                    }
                }
                Ok(())
            })
        })
    }

    /// Who published a retained message. Those of one connection share what is known of it, as they did before.
    fn publisher(
        &self,
        publishers: &mut HashMap<Bytes, Standing>,
        source: Bytes,
    ) -> Result<Standing, Unreadable> {
        if let Some(standing) = publishers.get(&source) {
            return Ok(standing.clone());
        }
        let owner = decode_source(&source)?;
        let standing = standing_of(owner, self.broker.fresh_key()).ok_or(Unreadable)?;
        // Not the record that it is a part of.
        publishers.insert(Bytes::copy_from_slice(&source), standing.clone());
        Ok(standing)
    }

    /// Numbers of new ones follow.
    fn read_wills(&mut self) -> Result<Vec<(u64, WillRecord)>, StoreError> {
        let mut last = 0;
        let mut waiting = Vec::new();
        self.each(Space::Will, |_, key, value| {
            let (number, _) = keys::split(key).ok_or(Unreadable)?;
            last = number;
            waiting.push((number, WillRecord::decode(value)?));
            Ok(())
        })?;
        self.durable
            .next_will
            .fetch_max(last + 1, std::sync::atomic::Ordering::Relaxed);
        Ok(waiting)
    }

    fn restore_wills(&mut self, wills: Vec<(u64, WillRecord)>) -> Result<(), StoreError> {
        for (number, record) in wills {
            self.will(number, record)
                .map_err(|_| unreadable(Space::Will, &will_key(number)))?;
        }
        Ok(())
    }

    fn will(&mut self, number: u64, record: WillRecord) -> Result<(), Unreadable> {
        // The connection of the session that it belongs to, so that the session's end finds it.
        let client_id = &record.owner.client_id;
        let kept = self
            .broker
            .0
            .registry
            .lock()
            .get(client_id)
            .map(|client| client.key());
        let key = kept.unwrap_or_else(|| self.broker.fresh_key());
        let latest = self.now + self.broker.settings().session.will_delay_max;
        let due = DueWill {
            client: key,
            cause: record.cause,
            due_at: clock::instant_of(record.due_at_ms, self.now).min(latest),
            message: hookwire_hooks::Message {
                source: Source::Will(key),
                ..record.message
            },
        };
        let standing = standing_of(record.owner, key).ok_or(Unreadable)?;
        self.broker
            .restore_will(due, standing, Some((number, record.delays)));
        self.found.wills += 1;
        Ok(())
    }

    fn bans(&mut self) -> Result<(), StoreError> {
        let longest = self.broker.settings().flapping.ban;
        self.each(Space::Ban, |recovery, key, value| {
            let until = clock::instant_of(decode_number(value)?, recovery.now);
            let client_id = std::str::from_utf8(key).map_err(|_| Unreadable)?;
            if until > recovery.now {
                let until = until.min(recovery.now + longest);
                let flapping = &recovery.broker.0.flapping;
                flapping.restore(ByteString::from(client_id), recovery.now, until);
            } else {
                recovery.remove(Space::Ban, key);
            }
            Ok(())
        })
    }
}

fn packet(key: &[u8]) -> Result<(u64, PacketId), Unreadable> {
    let (number, id) = keys::split(key).ok_or(Unreadable)?;
    let id = u16::from_be_bytes(id.try_into().map_err(|_| Unreadable)?);
    Ok((number, PacketId::new(id).ok_or(Unreadable)?))
}

/// Of a session whose client is away. A connection brings terms of its own.
fn terms(
    settings: &Settings,
    key: ClientKey,
    version: Version,
    expiry: Duration,
    mount_point: Option<ByteString>,
) -> Terms {
    let Settings { limits, session, .. } = settings;
    Terms {
        key,
        version,
        window: WindowLimits::new(session.inflight_max, session.inflight_bytes_max),
        packet_bytes_max: usize::MAX,
        receive_maximum: limits.receive_maximum,
        topic_alias_maximum: 0,
        topic_aliases_sent_max: 0,
        qos_max: QoS::ExactlyOnce,
        features: limits.features,
        problem_information: true,
        expiry,
        expiry_max: expiry,
        mount_point: mount_point.map(Box::new),
        will: None,
        outbox_bytes_max: limits.outbox_bytes_max,
        queue: QueueLimits {
            messages_max: session.queue_messages_max,
            bytes_max: session.queue_bytes_max,
            overflow: session.queue_overflow,
        },
        queue_qos0: session.queue_qos0,
    }
}
