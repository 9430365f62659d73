//! How operations are made to happen: a broker without sockets, on a clock that the driver moves, and clients
//! that read and answer packets.

use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use bytestring::ByteString;
use hookwire::broker::{Admits, Arrival, Broker, Connected, Departure, Dialogue, Publisher, Settings};
use hookwire::clock;
use hookwire::config::Config;
use hookwire::session::{Ending, Outbox};
use hookwire_hooks::{Denial, WillCause};
use hookwire_protocol::{
    AckProperties, Connack, ConnackProperties, Connect, ConnectProperties, ConnectReason, DecodeLimits,
    Decoder, Delivery, DisconnectReason, FrameHeader, Packet, PacketId, Puback, Pubcomp, Publish,
    PublishProperties, PublishPropertyValues, PublishReason, PublishTopic, Pubrec, Pubrel, PubrelReason,
    RetainHandling, Suback, Subscribe, SubscribeFilter, SubscribeReason, SubscriptionOptions, TopicName,
    Unsuback, Unsubscribe, UnsubscribeReason, Version, Will,
};

use super::model::{Message, Model, SMALL, WINDOW};
use super::operation::{Ack, Action, CLIENTS, Connecting, Leaving, Operation, Publishing, Subscribing};
use super::session::qos;

/// QoS 1 and 2 messages that a client may have on their way.
const RECEIVE_MAXIMUM: u16 = 6;
/// Identifier of SUBSCRIBE and UNSUBSCRIBE, which are answered at once.
const REQUEST: u16 = 1000;
/// Every operation takes this long, so that no two deadlines are the same.
const STEP_MS: u64 = 1;

/// A message that a client publishes and that is not acknowledged.
#[derive(Debug)]
struct Outgoing {
    id: PacketId,
    message: Message,
    publish: Publish,
    /// PUBREC came.
    is_released: bool,
}

#[derive(Debug, Default)]
struct Client {
    connected: Option<Connected>,
    publisher: Publisher,
    version: Option<Version>,
    /// Sent by the broker, not read yet.
    unread: Vec<Packet>,
    outgoing: Vec<Outgoing>,
}

/// The broker, its clients, and the model beside them.
#[derive(Debug)]
pub(super) struct Driver {
    broker: Broker,
    started_at: Instant,
    model: Model,
    clients: [Client; CLIENTS],
    /// Connections that were taken over and whose tasks have not noticed yet.
    ghosts: Vec<Connected>,
    messages: u32,
}

impl Driver {
    pub(super) fn new() -> Self {
        let mut config = Config::default();
        config.session.inflight_max = u16::try_from(WINDOW).unwrap_or(u16::MAX);
        config.limits.receive_maximum = RECEIVE_MAXIMUM;
        config.takeover.fight_after = u32::MAX - 1;
        Self {
            broker: Broker::new(Settings::from(&config)).expect("a thread"),
            started_at: clock::now(),
            model: Model::default(),
            clients: std::array::from_fn(|_| Client::default()),
            ghosts: Vec::new(),
            messages: 0,
        }
    }

    /// One operation, and all that the broker sends for it.
    pub(super) fn step(&mut self, operation: &Operation) -> Result<(), String> {
        self.pass(STEP_MS)?;
        match operation {
            Operation::Pass(secs) => {
                let ghosts = std::mem::take(&mut self.ghosts);
                for ghost in ghosts {
                    self.leave(&ghost, true, None);
                }
                self.pass(u64::from(*secs) * 1000)?;
            }
            Operation::Client(client, action) => self.act(*client, action),
        }
        self.check()
    }

    /// Everybody who has a session connects, reads and acknowledges until there is nothing more.
    pub(super) fn finish(&mut self) -> Result<(), String> {
        for client in (0..CLIENTS)
            .filter(|&client| self.model.has_session(client))
            .collect::<Vec<_>>()
        {
            let asked = Connecting {
                is_v5: true,
                clean: false,
                expiry_secs: 1000,
                receive_maximum: None,
                is_small: false,
                will: None,
            };
            self.pass(STEP_MS)?;
            self.connect(client, &asked);
            self.check()?;
        }
        while self.clients.iter().any(|client| !client.unread.is_empty()) {
            for client in 0..CLIENTS {
                self.step(&Operation::Client(
                    client,
                    Action::Read {
                        pick: 0,
                        refuse: false,
                    },
                ))?;
            }
        }
        self.model.check_delivered()
    }

    // ---- time

    fn now(&self) -> Instant {
        self.started_at + Duration::from_millis(self.model.now)
    }

    /// Stops at every deadline, and just before it, so that what is due comes neither early nor late.
    fn pass(&mut self, ms: u64) -> Result<(), String> {
        let until = self.model.now + ms;
        while let Some(deadline) = self.model.next_deadline().filter(|&deadline| deadline <= until) {
            for at in [(deadline - 1).max(self.model.now), deadline] {
                self.be(at)?;
            }
        }
        self.be(until)
    }

    fn be(&mut self, at: u64) -> Result<(), String> {
        self.model.advance(at);
        self.broker.do_what_is_due_at(self.now());
        self.check()
    }

    // ---- what the broker sends

    fn check(&mut self) -> Result<(), String> {
        let now = self.now();
        for (at, client) in self.clients.iter_mut().enumerate() {
            let (Some(connected), Some(version)) = (&client.connected, client.version) else {
                continue;
            };
            for (packet, len) in output(connected, version, now)? {
                self.model
                    .check(at, &packet, len)
                    .map_err(|wrong| format!("client {at}: {packet:?}: {wrong}"))?;
                client.unread.push(packet);
            }
        }
        self.model.check_answered()
    }

    // ---- what clients do

    fn act(&mut self, client: usize, action: &Action) {
        if let Action::Connect(asked) = action {
            return self.connect(client, asked);
        }
        if !self.model.is_online(client) {
            return;
        }
        match action {
            Action::Connect(_) => {}
            Action::Lose => self.end(client, true, None),
            Action::Disconnect {
                with_will,
                expiry_secs,
            } => {
                let is_v5 = self.is_v5(client);
                // [MQTT-3.14.2-2]
                let may_change = is_v5 && self.model.expiry_secs(client) > 0;
                self.end(client, is_v5 && *with_will, expiry_secs.filter(|_| may_change));
            }
            Action::Publish(asked) => self.publish(client, asked),
            Action::Subscribe(asked) => self.subscribe(client, asked),
            Action::Unsubscribe(filter) => self.unsubscribe(client, filter),
            Action::Read { pick, refuse } => self.read(client, usize::from(*pick), *refuse),
            Action::Stray(ack, id) => {
                let ack = if *ack == Ack::Refusal && !self.is_v5(client) {
                    Ack::Pubrec
                } else {
                    *ack
                };
                self.acknowledge(client, ack, packet_id(*id));
            }
        }
    }

    fn is_v5(&self, client: usize) -> bool {
        self.clients[client].version == Some(Version::V5)
    }

    fn connect(&mut self, client: usize, asked: &Connecting) {
        let will = asked
            .will
            .as_ref()
            .map(|leaving| self.will_message(client, leaving));
        let connect = connect_packet(client, asked, will.as_ref());
        let now = self.now();
        let candidate = at_once(self.broker.admit(connect, arrival(), &mut NoDialogue));
        let connected = self.broker.enter(now, candidate.expect("admitted"));
        let is_present = self.model.connect(client, asked, will);
        let this = &mut self.clients[client];
        this.version = Some(if asked.is_v5 { Version::V5 } else { Version::V3_1_1 });
        this.publisher = Publisher::default();
        this.unread.clear();
        self.ghosts
            .extend(this.connected.replace(connected.expect("admitted")));
        self.model.answer(client, connack(asked.is_v5, is_present));
        self.resume(client, is_present);
    }

    /// The client's part of a resumed session: it sends again what was not acknowledged. [MQTT-4.4.0-1]
    fn resume(&mut self, client: usize, is_present: bool) {
        let outgoing = std::mem::take(&mut self.clients[client].outgoing);
        for outgoing in outgoing.into_iter().filter(|_| is_present) {
            if outgoing.is_released {
                self.release(client, outgoing.id);
            } else {
                let publish = Publish {
                    dup: true,
                    ..outgoing.publish.clone()
                };
                self.send(client, publish, &outgoing.message);
            }
            self.clients[client].outgoing.push(outgoing);
        }
    }

    fn end(&mut self, client: usize, with_will: bool, expiry_secs: Option<u32>) {
        let this = &mut self.clients[client];
        this.unread.clear();
        if let Some(connected) = this.connected.take() {
            self.leave(&connected, with_will, expiry_secs);
        }
        self.model.disconnect(client, with_will, expiry_secs);
    }

    fn leave(&self, connected: &Connected, with_will: bool, expiry_secs: Option<u32>) {
        let departure = Departure {
            reason: DisconnectReason::NormalDisconnection,
            text: String::new(),
            by_client: true,
            ending: Ending {
                will_cause: with_will.then_some(WillCause::ConnectionLost),
                expiry: expiry_secs.map(|secs| Duration::from_secs(u64::from(secs))),
            },
        };
        let Connected {
            client, key, link, ..
        } = connected;
        self.broker
            .disconnected(self.now(), client, *key, link, departure);
    }

    fn publish(&mut self, client: usize, asked: &Publishing) {
        let outgoing = &self.clients[client].outgoing;
        if asked.qos > 0 && outgoing.len() >= usize::from(RECEIVE_MAXIMUM) {
            return;
        }
        let id = (1..)
            .map(packet_id)
            .find(|id| outgoing.iter().all(|other| other.id != *id));
        let id = id.expect("fewer are on their way than there are identifiers");
        let message = self.message(client, asked);
        let mut properties = PublishPropertyValues::default();
        if self.is_v5(client) {
            properties.message_expiry_interval_secs = asked.expiry_secs;
        }
        let publish = Publish {
            dup: false,
            retain: asked.retain,
            delivery: match asked.qos {
                0 => Delivery::AtMostOnce,
                1 => Delivery::AtLeastOnce(id),
                _ => Delivery::ExactlyOnce(id),
            },
            topic: PublishTopic::from(topic(asked.topic)),
            payload: Bytes::from(message.payload.clone()),
            properties: PublishProperties::from(properties),
        };
        self.send(client, publish.clone(), &message);
        if asked.qos > 0 {
            let outgoing = Outgoing {
                id,
                message,
                publish,
                is_released: false,
            };
            self.clients[client].outgoing.push(outgoing);
        }
    }

    fn send(&mut self, client: usize, publish: Publish, message: &Message) {
        let now = self.now();
        let id = publish.delivery.packet_id();
        let this = &mut self.clients[client];
        if let Some(connected) = &this.connected {
            let mut run = vec![publish];
            let published = self
                .broker
                .publish_run(connected, &mut this.publisher, now, &mut run, &[]);
            assert!(published.is_ok(), "{published:?}");
        }
        // The interval counts from when the broker gets it.
        let expires_at = message.expires_at.map(|after| self.model.now + after);
        self.model.publish(
            &Message {
                expires_at,
                ..message.clone()
            },
            id,
        );
    }

    /// A message whose expiry is counted from when it is sent.
    fn message(&mut self, client: usize, asked: &Publishing) -> Message {
        self.messages += 1;
        let padding = if asked.is_large { 2 * SMALL } else { 0 };
        let payload = format!("{:>padding$}", self.messages);
        let expiry_secs = asked.expiry_secs.filter(|_| self.is_v5(client));
        Message {
            topic: asked.topic,
            payload: if asked.is_empty { String::new() } else { payload },
            qos: asked.qos,
            retain: asked.retain,
            is_large: asked.is_large && !asked.is_empty,
            expires_at: expiry_secs.map(|secs| u64::from(secs) * 1000),
            client,
            is_will: false,
        }
    }

    fn will_message(&mut self, client: usize, leaving: &Leaving) -> Message {
        self.messages += 1;
        Message {
            topic: leaving.topic,
            payload: format!("will {}", self.messages),
            qos: leaving.qos,
            retain: leaving.retain,
            is_large: false,
            expires_at: None,
            client,
            is_will: true,
        }
    }

    fn subscribe(&mut self, client: usize, asked: &Subscribing) {
        let is_v5 = self.is_v5(client);
        let asked = Subscribing {
            no_local: asked.no_local && is_v5 && !asked.filter.starts_with('$'),
            retain_as_published: asked.retain_as_published && is_v5,
            retain_handling: if is_v5 { asked.retain_handling } else { 0 },
            id: asked.id.filter(|_| is_v5),
            ..asked.clone()
        };
        let subscribe = Subscribe {
            packet_id: packet_id(REQUEST),
            subscription_identifier: asked.id.and_then(std::num::NonZeroU32::new),
            user_properties: Vec::new(),
            filters: vec![SubscribeFilter {
                filter: asked.filter.into(),
                options: SubscriptionOptions {
                    qos: qos(asked.qos),
                    no_local: asked.no_local,
                    retain_as_published: asked.retain_as_published,
                    retain_handling: match asked.retain_handling {
                        0 => RetainHandling::SendAtSubscribe,
                        1 => RetainHandling::SendIfNew,
                        _ => RetainHandling::DoNotSend,
                    },
                },
            }],
        };
        if let Some(connected) = &self.clients[client].connected {
            let subscribed = self.broker.subscribe(connected, self.now(), &subscribe);
            assert!(subscribed.is_ok(), "{subscribed:?}");
        }
        self.model.answer(
            client,
            Packet::Suback(Suback {
                packet_id: packet_id(REQUEST),
                reasons: vec![SubscribeReason::granted(qos(asked.qos))],
                properties: AckProperties::default(),
            }),
        );
        self.model.subscribe(client, &asked);
    }

    fn unsubscribe(&mut self, client: usize, filter: &'static str) {
        let unsubscribe = Unsubscribe {
            packet_id: packet_id(REQUEST),
            user_properties: Vec::new(),
            filters: vec![filter.into()],
        };
        if let Some(connected) = &self.clients[client].connected {
            let done = self.broker.unsubscribe(connected, &unsubscribe);
            assert_eq!(done, Ok(()), "no policy closes connections here");
        }
        let existed = self.model.unsubscribe(client, filter);
        let reason = if existed {
            UnsubscribeReason::Success
        } else {
            UnsubscribeReason::NoSubscriptionExisted
        };
        self.model.answer(
            client,
            Packet::Unsuback(Unsuback {
                packet_id: packet_id(REQUEST),
                reasons: if self.is_v5(client) {
                    vec![reason]
                } else {
                    Vec::new()
                },
                properties: AckProperties::default(),
            }),
        );
    }

    // ---- what clients answer

    fn read(&mut self, client: usize, pick: usize, refuse: bool) {
        let is_v5 = self.is_v5(client);
        let this = &mut self.clients[client];
        if this.unread.is_empty() {
            return;
        }
        let packet = this.unread.remove(pick % this.unread.len());
        match packet {
            Packet::Publish(publish) => match publish.delivery {
                Delivery::AtMostOnce => {}
                Delivery::AtLeastOnce(id) => self.acknowledge(client, Ack::Puback, id),
                Delivery::ExactlyOnce(id) if refuse && is_v5 => self.acknowledge(client, Ack::Refusal, id),
                Delivery::ExactlyOnce(id) => self.acknowledge(client, Ack::Pubrec, id),
            },
            Packet::Pubrel(pubrel) => self.acknowledge(client, Ack::Pubcomp, pubrel.packet_id),
            Packet::Puback(puback) => this.outgoing.retain(|outgoing| outgoing.id != puback.packet_id),
            Packet::Pubcomp(pubcomp) => this.outgoing.retain(|outgoing| outgoing.id != pubcomp.packet_id),
            Packet::Pubrec(pubrec) => {
                for outgoing in this
                    .outgoing
                    .iter_mut()
                    .filter(|outgoing| outgoing.id == pubrec.packet_id)
                {
                    outgoing.is_released = true;
                }
                self.release(client, pubrec.packet_id);
            }
            _ => {}
        }
    }

    fn release(&mut self, client: usize, packet_id: PacketId) {
        let pubrel = Pubrel {
            packet_id,
            reason: PubrelReason::Success,
            properties: AckProperties::default(),
        };
        if let Some(connected) = &self.clients[client].connected {
            connected.client.session().handle_pubrel(&pubrel);
        }
        self.model.pubrel(client, packet_id);
    }

    /// One that its message does not wait for ends the connection before the model hears of it: nothing is to come of it.
    fn acknowledge(&mut self, client: usize, ack: Ack, packet_id: PacketId) {
        let now = self.now();
        let properties = AckProperties::default();
        let pubrec = |reason| Pubrec {
            packet_id,
            reason,
            properties: AckProperties::default(),
        };
        if let Some(connected) = &self.clients[client].connected {
            let mut session = connected.client.session();
            let handled = match ack {
                Ack::Puback => {
                    let reason = PublishReason::Success;
                    let puback = Puback {
                        packet_id,
                        reason,
                        properties,
                    };
                    session.handle_puback(puback.packet_id, puback.reason).map(drop)
                }
                Ack::Pubrec => session
                    .handle_pubrec(now, &pubrec(PublishReason::Success))
                    .map(drop),
                Ack::Refusal => session
                    .handle_pubrec(now, &pubrec(PublishReason::QuotaExceeded))
                    .map(drop),
                Ack::Pubcomp => {
                    let reason = PubrelReason::Success;
                    let pubcomp = Pubcomp {
                        packet_id,
                        reason,
                        properties,
                    };
                    session.handle_pubcomp(now, &pubcomp)
                }
            };
            if handled.is_err() {
                return;
            }
        }
        self.model.acknowledge(client, ack, packet_id);
    }
}

/// There is no plugin that could challenge anybody.
struct NoDialogue;

impl Dialogue for NoDialogue {
    async fn challenge(&mut self, _: &ByteString, _: Bytes) -> Result<Option<Bytes>, Denial> {
        Err(Denial::new(ConnectReason::BadAuthenticationMethod))
    }
}

/// Nobody is asked, and nobody fights: there is nothing to wait for.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("a connect waits"),
    }
}

/// What the session has for its client, with the length of each packet.
fn output(connected: &Connected, version: Version, now: Instant) -> Result<Vec<(Packet, usize)>, String> {
    let Some(mut session) = connected.client.session_of(connected.key) else {
        return Ok(Vec::new());
    };
    let decoder = Decoder::new(version, DecodeLimits::default());
    let mut packets = Vec::new();
    loop {
        let mut out = Outbox::default();
        session.poll_output(now, &mut out);
        if out.is_empty() {
            return Ok(packets);
        }
        let mut bytes = BytesMut::new();
        out.slices().for_each(|slice| bytes.extend_from_slice(slice));
        while let Ok(Some(header)) = FrameHeader::peek(&bytes) {
            let packet = decoder.decode(&mut bytes).map_err(|error| error.to_string())?;
            packets.push((packet.ok_or("half a packet")?, header.total_len()));
        }
    }
}

fn connect_packet(client: usize, asked: &Connecting, will: Option<&Message>) -> Connect {
    let will = asked.will.as_ref().zip(will).map(|(leaving, message)| Will {
        topic: topic(leaving.topic),
        payload: Bytes::from(message.payload.clone()),
        qos: qos(leaving.qos),
        retain: leaving.retain,
        delay_interval_secs: if asked.is_v5 { leaving.delay_secs } else { 0 },
        properties: PublishProperties::default(),
    });
    let properties = if asked.is_v5 {
        ConnectProperties {
            session_expiry_interval: Some(asked.expiry_secs),
            receive_maximum: asked.receive_maximum.and_then(std::num::NonZeroU16::new),
            maximum_packet_size: asked.is_small.then(small),
            ..ConnectProperties::default()
        }
    } else {
        ConnectProperties::default()
    };
    Connect {
        version: if asked.is_v5 { Version::V5 } else { Version::V3_1_1 },
        bridge: false,
        clean_start: asked.clean,
        keep_alive_secs: 0,
        client_id: format!("client-{client}").into(),
        username: None,
        password: None,
        will,
        properties,
    }
}

fn small() -> std::num::NonZeroU32 {
    u32::try_from(SMALL)
        .ok()
        .and_then(std::num::NonZeroU32::new)
        .expect("not zero")
}

fn connack(is_v5: bool, session_present: bool) -> Packet {
    let limits = Config::default().limits;
    let mut properties = ConnackProperties::default();
    if is_v5 {
        properties.receive_maximum = std::num::NonZeroU16::new(RECEIVE_MAXIMUM);
        let bytes_max = u32::try_from(limits.decode.packet_bytes_max).ok();
        properties.maximum_packet_size = bytes_max.and_then(std::num::NonZeroU32::new);
        properties.topic_alias_maximum = Some(limits.topic_alias_maximum);
    }
    Packet::Connack(Box::new(Connack {
        session_present,
        reason: ConnectReason::Success,
        properties,
    }))
}

fn arrival() -> Arrival {
    Arrival {
        address: ([192, 0, 2, 1], 1234).into(),
        listener: "model".into(),
        admits_anonymous: Admits {
            without_authenticator: true,
            with_authenticator: false,
        },
    }
}

fn topic(name: &'static str) -> TopicName {
    TopicName::new(name).expect("a topic name")
}

fn packet_id(id: u16) -> PacketId {
    PacketId::new(id).expect("not zero")
}
