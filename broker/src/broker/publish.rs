//! From a run of PUBLISH packets to their recipients' outboxes.
//!
//! One run is taken in, judged, routed and answered step by step, so that each step's cost (a lock, a call
//! into a plugin, a wake-up) is paid once for many messages:
//!
//! ```text
//! take (session) ─► authorize ─► on-publish ─► route ─► [safe] ─► answer (session) ─► wake recipients
//! ```
//!
//! `[safe]` is where a durable store commits what was routed: an answer is given only after that.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytestring::ByteString;
use hookwire_hooks::{
    Access, AccessDecision, Action, Chain, ClientKey, DropCause, Fate, Hook, Message, PluginPublish,
    Publication, Recipients, Rejection, Routing, SharedGroup,
};
use hookwire_protocol::{Delivery, DisconnectReason, Publish, PublishReason, QoS};

use super::access::{self, AccessMemo};
use super::client::Client;
use super::{Broker, Connected, Rights};
use crate::router::{Matches, Memo, Recipient, Subscriber};
use crate::session::{Delivered, Link, Novelty, Sent, Taken, Violation};

/// For how long a publisher is not read from after a run that a recipient was too slow for: long enough to write and acknowledge what
/// it has, short enough that a recipient that does not even try costs its publishers little.
const RESPITE: Duration = Duration::from_millis(1);

/// What one publishing connection keeps between its messages.
#[derive(Debug, Default)]
pub struct Publisher {
    memo: Memo<Arc<Client>>,
    access: AccessMemo,
    /// A recipient takes its messages more slowly than they come.
    is_pressed: bool,
    /// Connections that have output and have not been woken yet.
    dirty: Vec<Arc<Link>>,
    /// Buffers of one run, kept for the next.
    run: Vec<Publication>,
    answers: Vec<Answer>,
}

/// Why a connection is closed after a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// The client broke the protocol.
    Violation(Violation),
    /// A policy closed it.
    Policy {
        /// Reason code of the DISCONNECT.
        reason: DisconnectReason,
        /// Reason string.
        text: Option<ByteString>,
    },
}

/// What the publisher is owed for one PUBLISH.
#[derive(Debug)]
struct Answer {
    delivery: Delivery,
    /// False for a message that was taken before: it is only answered again.
    is_judged: bool,
    reason: PublishReason,
    text: Option<ByteString>,
}

impl Publisher {
    /// Wakes everybody who was given output, once.
    pub fn wake_recipients(&mut self) {
        for link in self.dirty.drain(..) {
            link.wake();
        }
    }

    /// Forgets what policies have said of the client.
    pub fn forget_access(&mut self) {
        self.access.forget();
    }

    fn accept(&mut self, taken: Taken) {
        let is_judged = taken.novelty == Novelty::New;
        self.answers.push(Answer {
            delivery: taken.delivery,
            is_judged,
            reason: PublishReason::Success,
            text: None,
        });
        if is_judged {
            self.run.push(Publication::new(taken.message));
        }
    }
}

impl Broker {
    /// Publishes a run of messages of one client and answers them.
    ///
    /// # Errors
    /// The connection has to be closed; everything before the offending message has been published and
    /// answered.
    pub fn publish_run(
        &self,
        connected: &Connected,
        publisher: &mut Publisher,
        now: Instant,
        packets: &mut Vec<Publish>,
    ) -> Result<Duration, Stop> {
        let Connected {
            client, key, rights, ..
        } = connected;
        let chain = self.chain();
        let mut stop = take(client, *key, publisher, packets);
        self.authorize_run(&chain, rights, publisher, now);
        if chain.has(Hook::OnPublish) {
            chain.on_publish(&mut publisher.run);
        }
        let mut throttle = Duration::ZERO;
        let mut run = std::mem::take(&mut publisher.run);
        let mut answers = std::mem::take(&mut publisher.answers);
        let mut publications = run.drain(..);
        let mut answered = 0;
        for answer in &mut answers {
            answered += 1;
            let Some(publication) = answer.is_judged.then(|| publications.next()).flatten() else {
                continue;
            };
            throttle = throttle.max(publication.throttle);
            match publication.fate {
                Fate::Pass => {
                    answer.reason =
                        self.route(&chain, publisher, now, publication.message, Some(client.id()));
                }
                Fate::Drop => {}
                Fate::Reject(rejection) => (answer.reason, answer.text) = (rejection.reason, rejection.text),
                Fate::Disconnect(rejection) => {
                    stop = Err(Stop::Policy {
                        reason: rejection.disconnect_reason(),
                        text: rejection.text,
                    });
                    answered -= 1;
                    break;
                }
            }
        }
        drop(publications);
        // What came after a message that ends the connection was not taken: it may be sent again.
        let unanswered = answers.split_off(answered);
        answer_all(client, *key, &mut answers, &unanswered);
        (publisher.run, publisher.answers) = (run, answers);
        publisher.wake_recipients();
        if std::mem::take(&mut publisher.is_pressed) {
            throttle = throttle.max(RESPITE);
        }
        stop.map(|()| throttle)
    }

    fn authorize_run(&self, chain: &Chain, rights: &Rights, publisher: &mut Publisher, now: Instant) {
        let free = access::is_free(chain, rights, Action::Publish);
        let (run, memo) = (&mut publisher.run, &mut publisher.access);
        for publication in run {
            let Message {
                topic,
                qos,
                retain,
                source,
                ..
            } = &publication.message;
            let topic = topic.as_str();
            if topic.starts_with('$') && access::is_reserved(topic) {
                publication.fate = refused(None);
            } else if !free && let Some(client) = source.client() {
                let asked = Access {
                    client,
                    action: Action::Publish,
                    topic,
                    qos: *qos,
                    retain: *retain,
                };
                match access::decide(chain, rights, memo, &asked, now) {
                    AccessDecision::Allow => {}
                    AccessDecision::Next => publication.fate = refused(None),
                    AccessDecision::Deny(text) => publication.fate = refused(text),
                    AccessDecision::Disconnect(text) => {
                        publication.fate = Fate::Disconnect(not_authorized(text));
                    }
                }
            }
        }
    }

    /// A message of a plugin: judged by all other plugins, then routed.
    pub(super) fn publish_of_plugin(&self, publisher: &mut Publisher, now: Instant, publish: PluginPublish) {
        let chain = self.0.chain.load_full();
        let mut run = [Publication {
            origin: Some(publish.plugin),
            ..Publication::new(publish.message)
        }];
        chain.on_publish(&mut run);
        let [publication] = run;
        if publication.fate == Fate::Pass {
            let _ = self.route(&chain, publisher, now, publication.message, None);
        }
    }

    /// Keeps a message if it is to be retained, and puts it into the outboxes of all whom it concerns.
    pub(super) fn route(
        &self,
        chain: &Chain,
        publisher: &mut Publisher,
        now: Instant,
        mut message: Message,
        from: Option<u64>,
    ) -> PublishReason {
        message.start_expiry(now);
        // Clients' packets are within it; what a plugin made of one may not be.
        if message.payload.len() > self.settings().limits.decode.packet_bytes_max {
            return PublishReason::ImplementationSpecific;
        }
        if message.retain {
            let limits = self.settings().retained_limits();
            if self.0.router.retain(&message, &limits).is_err() {
                return PublishReason::QuotaExceeded;
            }
        }
        let matches = self.0.router.matching(&mut publisher.memo, &message.topic, from);
        if chain.has(Hook::Route) && chain.wants_route(&message.topic) {
            return self.route_by_policy(chain, publisher, now, message, from, &matches);
        }
        if matches.is_empty() {
            return PublishReason::NoMatchingSubscribers;
        }
        self.fan_out(chain, publisher, now, &Arc::new(kept(message)), &matches, None);
        PublishReason::Success
    }

    fn route_by_policy(
        &self,
        chain: &Chain,
        publisher: &mut Publisher,
        now: Instant,
        message: Message,
        from: Option<u64>,
        matches: &Matches<Arc<Client>>,
    ) -> PublishReason {
        let routing = chain.route(&message, &recipients_of(matches));
        let message = Arc::new(kept(message));
        self.fan_out(chain, publisher, now, &message, matches, Some(&routing));
        for topic in routing.copies {
            let copy = Message {
                topic,
                ..(*message).clone()
            };
            let matches = self.0.router.matching(&mut publisher.memo, &copy.topic, from);
            self.fan_out(chain, publisher, now, &Arc::new(copy), &matches, None);
        }
        PublishReason::Success
    }

    fn fan_out(
        &self,
        chain: &Chain,
        publisher: &mut Publisher,
        now: Instant,
        message: &Arc<Message>,
        matches: &Matches<Arc<Client>>,
        routing: Option<&Routing>,
    ) {
        let asks = chain.has(Hook::Authorize) && chain.wants_access(Action::Deliver);
        for recipient in &matches.recipients {
            if routing.is_none_or(|routing| routing.includes(recipient.subscriber.key())) {
                self.hand_over(chain, asks, publisher, now, message, recipient);
            }
        }
        for (at, group) in matches.groups.iter().enumerate() {
            let picked = routing.and_then(|routing| routing.pick(at));
            let member = picked
                .and_then(|key| group.members.iter().find(|member| member.subscriber.key() == key))
                .or_else(|| group.choose());
            if let Some(member) = member {
                self.hand_over(chain, asks, publisher, now, message, &Recipient::of(member));
            }
        }
    }

    #[inline]
    fn hand_over(
        &self,
        chain: &Chain,
        asks: bool,
        publisher: &mut Publisher,
        now: Instant,
        message: &Arc<Message>,
        recipient: &Recipient<Arc<Client>>,
    ) {
        let client = &recipient.subscriber;
        let qos = message.qos.min(recipient.qos);
        if (asks || client.is_restricted()) && !self.may_receive(chain, client, message, now) {
            return self.report_dropped(client, vec![(Arc::clone(message), DropCause::Denied)]);
        }
        let delivered = Delivered {
            message: Arc::clone(message),
            qos,
            retain: message.retain && recipient.retain_as_published,
            subscription_ids: recipient.subscription_ids.clone(),
        };
        let mut session = client.session();
        let sent = session.deliver(now, delivered);
        publisher.is_pressed |= session.wants_respite();
        match sent {
            Sent::Written => {
                if let Some(link) = session.link().filter(|link| link.signal()) {
                    publisher.dirty.push(Arc::clone(link));
                }
            }
            Sent::Queued | Sent::Dropped(_) => {
                let mut dropped = session.take_dropped();
                drop(session);
                if let Sent::Dropped(cause) = sent {
                    dropped.push((Arc::clone(message), cause));
                }
                self.report_dropped(client, dropped);
            }
        }
    }

    /// Rights are looked at again at each delivery: they may have changed since the subscription was made.
    pub(super) fn may_receive(
        &self,
        chain: &Chain,
        client: &Client,
        message: &Message,
        now: Instant,
    ) -> bool {
        let standing = client.standing();
        let asked = Access {
            client: standing.facts.key,
            action: Action::Deliver,
            topic: message.topic.as_str(),
            qos: message.qos,
            retain: message.retain,
        };
        let mut memo = client.deliveries.lock();
        access::decide(chain, &standing.rights, &mut memo, &asked, now) == AccessDecision::Allow
    }
}

fn take(
    client: &Client,
    key: ClientKey,
    publisher: &mut Publisher,
    packets: &mut Vec<Publish>,
) -> Result<(), Stop> {
    let Some(mut session) = client.session_of(key) else {
        packets.clear();
        return Ok(());
    };
    for publish in packets.drain(..) {
        publisher.accept(session.take_publish(publish).map_err(Stop::Violation)?);
    }
    Ok(())
}

fn answer_all(client: &Client, key: ClientKey, answers: &mut Vec<Answer>, unanswered: &[Answer]) {
    let is_owed = |answer: &Answer| answer.delivery != Delivery::AtMostOnce;
    if (answers.iter().any(is_owed) || !unanswered.is_empty())
        && let Some(mut session) = client.session_of(key)
    {
        for answer in answers.drain(..) {
            session.answer_publish(answer.delivery, answer.reason, answer.text);
        }
        for answer in unanswered {
            session.forget_publish(answer.delivery);
        }
    }
    answers.clear();
}

/// A message of QoS 1 or 2 may wait long for its acknowledgement, or for its recipient: it must not hold on
/// to the read buffer that it came in, with everything else that came in it.
fn kept(message: Message) -> Message {
    if message.qos == QoS::AtMostOnce {
        message
    } else {
        message.detached()
    }
}

fn recipients_of(matches: &Matches<Arc<Client>>) -> Recipients {
    let groups = matches.groups.iter().map(|group| SharedGroup {
        share: group.share.clone(),
        filter: group.filter.clone(),
        members: group
            .members
            .iter()
            .map(|member| member.subscriber.key())
            .collect(),
    });
    Recipients {
        clients: matches
            .recipients
            .iter()
            .map(|recipient| recipient.subscriber.key())
            .collect(),
        groups: groups.collect(),
    }
}

fn refused(text: Option<ByteString>) -> Fate {
    Fate::Reject(not_authorized(text))
}

fn not_authorized(text: Option<ByteString>) -> Rejection {
    Rejection {
        reason: PublishReason::NotAuthorized,
        text,
    }
}
