//! The task of one connection: it reads, lets the broker handle runs of packets, and writes what the session
//! has for the client.

mod output;

use std::future::poll_fn;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use bytestring::ByteString;
use hookwire_hooks::{Denial, EnhancedOutcome, WillCause};
use hookwire_protocol::{
    Auth, AuthReason, ConnectReason, DecodeError, Decoder, Disconnect, DisconnectReason, FrameHeader, Packet,
    PacketId, PacketType, Publish, PublishReason, Subscribe,
};
use tokio::io::AsyncWriteExt;
use tokio::time::Sleep;
use tokio_util::io::poll_read_buf;

use super::exchange::{auth, too_large};
use super::hearing::{Heard, Hearing, Held};
use super::rate::Rate;
use super::read_buffer::ReadBuffer;
use super::reauthentication::Reauthentication;
use super::{Stream, writer};
use crate::broker::{Broker, Connected, Departure, Publisher, Stop, refused};
use crate::clock;
use crate::config::RateExcess;
use crate::metrics::{Limit, Tally};
use crate::session::{Closure, Delivered, Ending, Farewell, Outbox, Session, Violation};

/// PUBLISH packets judged and routed in one go, a fraction of a millisecond's work. With half as many each message costs 6 % more,
/// and 10 % where a plugin looks at it; twice as many save little and keep others waiting.
const RUN_MAX: usize = 256;
/// How long a client is given to take its DISCONNECT.
const FAREWELL_TIMEOUT: Duration = Duration::from_secs(1);

/// Why a connection ends.
#[derive(Debug)]
enum End {
    /// DISCONNECT from the client.
    Disconnect(Disconnect),
    /// The socket was closed or failed.
    Lost(String),
    /// Nothing was heard for too long.
    KeepAlive,
    /// The client did not take what was written to it.
    Stalled,
    /// The time that its admission was granted for is over.
    Expired,
    /// Bytes that are no packet.
    Malformed(DecodeError),
    /// Packets that must not come.
    Stop(Stop),
    /// Somebody else in the broker ended it.
    Closed(Closure),
}

/// What the task was woken for.
enum Wakeup {
    Input,
    Timer,
    /// A plugin has said something about the client.
    Authentication(EnhancedOutcome),
    /// Policies have answered a question about what the client sent.
    Heard(Heard),
    End(End),
}

pub(super) struct Connection<S> {
    stream: S,
    broker: Broker,
    connected: Connected,
    rate: Rate,
    /// What was read and written since it was last added to the broker's counts.
    tally: Tally,
    decoder: Decoder,
    buffer: ReadBuffer,
    /// Whole packets that were read and not handled yet.
    chunk: Bytes,
    at: usize,
    out: Outbox,
    has_backlog: bool,
    /// Of a client that has published: most only listen.
    publisher: Option<Box<Publisher>>,
    run: Vec<Publish>,
    /// Acknowledgements of QoS 1 that follow each other, handled in one go.
    acks: Vec<(PacketId, PublishReason)>,
    timer: Pin<Box<Sleep>>,
    /// Not read before this time, since a policy throttles the client.
    paused_until: Option<Instant>,
    /// Since when the socket takes nothing.
    stalled_at: Option<Instant>,
    reauthentication: Reauthentication,
    /// Policies that the client's input waits for.
    hearing: Hearing,
}

impl<S: Stream> Connection<S> {
    pub(super) fn new(stream: S, broker: Broker, connected: Connected, buffer: ReadBuffer) -> Self {
        let mut limits = broker.settings().limits.decode.clone();
        limits.packet_bytes_max = limits.packet_bytes_max.min(connected.packet_bytes_max);
        let mut connection = Self {
            stream,
            broker,
            decoder: Decoder {
                version: connected.version,
                limits,
            },
            buffer,
            chunk: Bytes::new(),
            at: 0,
            out: Outbox::default(),
            has_backlog: false,
            publisher: None,
            run: Vec::new(),
            acks: Vec::new(),
            timer: Box::pin(tokio::time::sleep(Duration::ZERO)),
            paused_until: None,
            stalled_at: None,
            rate: Rate::new(connected.rate, clock::now()),
            // The CONNECT.
            tally: Tally {
                connections: 1,
                packets_received: 1,
                ..Tally::default()
            },
            reauthentication: Reauthentication::default(),
            hearing: Hearing::default(),
            connected,
        };
        connection.arm();
        connection
    }

    /// Runs until the connection ends, for whatever reason. It stays in its box: a future that held it would have room for it
    /// once for each way in which it is passed on.
    pub(super) async fn run(mut self: Box<Self>) {
        // What came right behind the CONNECT is there already.
        let mut handled = self.cut_packets().and_then(|()| self.handle_packets());
        let end = loop {
            if let Err(end) = handled {
                break end;
            }
            if self.at < self.chunk.len() {
                // More of the same client waits; others first.
                tokio::task::yield_now().await;
            }
            handled = match poll_fn(|cx| self.poll(cx)).await {
                Wakeup::Input => self.cut_packets().and_then(|()| self.handle_packets()),
                Wakeup::Timer => self.handle_timer(),
                Wakeup::Authentication(outcome) => self.handle_outcome(outcome),
                Wakeup::Heard(heard) => self.handle_heard(heard),
                Wakeup::End(end) => Err(end),
            };
        };
        Box::pin(self.leave(end)).await;
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Wakeup> {
        self.connected.link.register(cx.waker());
        if let Some(closure) = self.connected.link.closure() {
            return Poll::Ready(Wakeup::End(End::Closed(closure)));
        }
        if let Err(error) = self.poll_output(cx) {
            return Poll::Ready(Wakeup::End(End::Lost(error.to_string())));
        }
        if let Poll::Ready(outcome) = self.reauthentication.poll_outcome(cx) {
            return Poll::Ready(Wakeup::Authentication(outcome));
        }
        if let Poll::Ready(heard) = self.hearing.poll(cx) {
            return Poll::Ready(Wakeup::Heard(heard));
        }
        if self.may_read() {
            if self.at < self.chunk.len() {
                return Poll::Ready(Wakeup::Input);
            }
            if let Poll::Ready(read) = self.poll_input(cx) {
                return Poll::Ready(read);
            }
        }
        // What the client has sent before is still heard.
        if self.connected.link.has_successor() && !self.hearing.is_open() {
            return Poll::Ready(Wakeup::End(End::Closed(Closure::taken_over())));
        }
        self.timer.as_mut().poll(cx).map(|()| Wakeup::Timer)
    }

    fn poll_input(&mut self, cx: &mut Context<'_>) -> Poll<Wakeup> {
        match poll_read_buf(Pin::new(&mut self.stream), cx, self.buffer.room()) {
            Poll::Ready(Ok(0)) => Poll::Ready(Wakeup::End(End::Lost("closed by the client".into()))),
            Poll::Ready(Ok(n)) => {
                self.buffer.was_read(n);
                self.tally.bytes_received += n as u64;
                Poll::Ready(Wakeup::Input)
            }
            Poll::Ready(Err(error)) => Poll::Ready(Wakeup::End(End::Lost(error.to_string()))),
            Poll::Pending => {
                self.buffer.rest();
                Poll::Pending
            }
        }
    }

    /// A client that does not read is not read from; a throttled one has to wait, and so has one whose packets are in
    /// question.
    fn may_read(&self) -> bool {
        self.paused_until.is_none()
            && !self.hearing.is_open()
            && self.out.len() < self.connected.outbox_bytes_max
    }

    // ---- input

    /// Cuts whole packets off what was read.
    fn cut_packets(&mut self) -> Result<(), End> {
        if self.at < self.chunk.len() {
            return Ok(());
        }
        let filled = self.buffer.filled();
        let mut end = 0;
        loop {
            let header = match FrameHeader::peek(filled.get(end..).unwrap_or_default()) {
                Ok(Some(header)) => header,
                Ok(None) => break,
                // It is found again when its turn comes: what came before it counts.
                Err(_) => {
                    end = filled.len();
                    break;
                }
            };
            if header.total_len() > self.decoder.limits.packet_bytes_max {
                // What came before it counts.
                if end == 0 {
                    return Err(End::Malformed(DecodeError::PacketTooLarge));
                }
                break;
            }
            if filled.len() - end < header.total_len() {
                break;
            }
            end += header.total_len();
        }
        self.chunk = self.buffer.take(end);
        self.at = 0;
        Ok(())
    }

    /// Handles packets until one run of PUBLISH packets is published or nothing is left.
    fn handle_packets(&mut self) -> Result<(), End> {
        if self.chunk.is_empty() || self.hearing.is_open() {
            return Ok(());
        }
        let now = clock::now();
        self.connected.keep_alive.heard(now);
        let waiting = self.chunk.len() - self.at;
        let mut messages = 0_u32;
        while let Some(packet) = self.next_packet()? {
            self.tally.packets_received += 1;
            match packet {
                Packet::Publish(publish) => {
                    self.acknowledge()?;
                    self.tally.publishes_received += 1;
                    self.tally.publish_bytes_received += publish.payload.len() as u64;
                    self.run.push(publish);
                    messages += 1;
                    if self.run.len() >= RUN_MAX {
                        break;
                    }
                }
                Packet::Puback(puback) if self.run.is_empty() && self.acks.len() < RUN_MAX => {
                    self.acks.push((puback.packet_id, puback.reason));
                }
                other => {
                    self.acknowledge()?;
                    self.publish(now)?;
                    self.handle_in_turn(now, other)?;
                }
            }
            if self.hearing.is_open() {
                break;
            }
        }
        self.acknowledge()?;
        self.publish(now)?;
        let left = self.chunk.len() - self.at;
        self.charge(now, messages, waiting - left)?;
        self.collect_output();
        Ok(())
    }

    /// Counts what was handled towards the client's rates.
    fn charge(&mut self, now: Instant, messages: u32, bytes: usize) -> Result<(), End> {
        let Some(excess) = self.rate.charge(now, messages, bytes) else {
            return Ok(());
        };
        self.broker.metrics().limits.reached(excess.limit);
        if self.connected.rate.excess == RateExcess::Disconnect {
            return Err(End::Stop(Stop::Policy {
                reason: DisconnectReason::MessageRateTooHigh,
                text: None,
            }));
        }
        self.pause(now, excess.wait);
        Ok(())
    }

    /// Does not read for a while.
    fn pause(&mut self, now: Instant, wait: Duration) {
        let until = now + wait;
        self.paused_until = self.paused_until.max(Some(until));
        // It is we who do not listen.
        self.connected.keep_alive.heard(until);
        self.arm();
    }

    fn next_packet(&mut self) -> Result<Option<Packet>, End> {
        let rest = self.chunk.get(self.at..).unwrap_or_default();
        let header = match FrameHeader::peek(rest) {
            Ok(Some(header)) => header,
            Ok(None) => {
                self.chunk = Bytes::new();
                self.at = 0;
                return Ok(None);
            }
            Err(error) => return self.handle_fault(Held::Malformed(error)),
        };
        match self.decoder.decode_frame(&self.chunk, self.at, header) {
            Ok(packet) => {
                self.at += header.total_len();
                Ok(Some(packet))
            }
            Err(error) => {
                self.handle_fault(violation_by(header).map_or(Held::Malformed(error), Held::Violation))
            }
        }
    }

    /// Ends the connection for bytes that must not come, once what came before them is done: it counts.
    fn handle_fault(&mut self, fault: Held) -> Result<Option<Packet>, End> {
        let now = clock::now();
        self.acknowledge()?;
        self.publish(now)?;
        if self.hearing.is_open() {
            self.hearing.hold(fault);
        } else {
            self.handle_held(now, fault)?;
        }
        Ok(None)
    }

    fn handle_held(&mut self, now: Instant, held: Held) -> Result<(), End> {
        match held {
            Held::Packet(packet) => self.handle(now, packet),
            Held::Malformed(error) => Err(End::Malformed(error)),
            Held::Violation(broken) => Err(violation(broken)),
        }
    }

    fn publish(&mut self, now: Instant) -> Result<(), End> {
        if self.run.is_empty() {
            return Ok(());
        }
        if self.broker.waits_to_publish(&self.connected) {
            let publisher = self.publisher.take().unwrap_or_default();
            let run = mem::take(&mut self.run);
            let published = self.broker.publish_run_waiting(&self.connected, *publisher, run);
            self.hearing
                .open(async move { Heard::Published(Box::new(published.await)) });
            return Ok(());
        }
        let publisher = self.publisher.get_or_insert_default();
        let outcome = self
            .broker
            .publish_run(&self.connected, publisher, now, &mut self.run);
        self.handle_published(now, outcome)
    }

    fn handle_published(&mut self, now: Instant, outcome: Result<Duration, Stop>) -> Result<(), End> {
        let throttle = outcome.map_err(End::Stop)?;
        if !throttle.is_zero() {
            self.pause(now, throttle);
        }
        Ok(())
    }

    /// Handles a packet once nothing before it is in question.
    fn handle_in_turn(&mut self, now: Instant, packet: Packet) -> Result<(), End> {
        if self.hearing.is_open() {
            self.hearing.hold(Held::Packet(packet));
            return Ok(());
        }
        self.handle(now, packet)
    }

    /// Goes on with what was read, now that policies have answered.
    fn handle_heard(&mut self, heard: Heard) -> Result<(), End> {
        let now = clock::now();
        // It is we who did not listen.
        self.connected.keep_alive.heard(now);
        match heard {
            Heard::Published(published) => {
                self.publisher = Some(Box::new(published.publisher));
                self.handle_published(now, published.outcome)?;
            }
            Heard::Consulted(subscribe, consulted) => self
                .broker
                .subscribe_consulted(&self.connected, now, &subscribe, consulted)
                .map_err(End::Stop)?,
        }
        if let Some(held) = self.hearing.take_held() {
            self.handle_held(now, held)?;
        }
        self.handle_packets()?;
        self.collect_output();
        self.arm();
        Ok(())
    }

    fn subscribe(&mut self, now: Instant, subscribe: Subscribe) -> Result<(), End> {
        if self.broker.waits_to_subscribe(&self.connected) {
            let consulted = self.broker.consult(&self.connected, &subscribe);
            self.hearing
                .open(async move { Heard::Consulted(Box::new(subscribe), consulted.await) });
            return Ok(());
        }
        self.broker
            .subscribe(&self.connected, now, &subscribe)
            .map_err(End::Stop)
    }

    fn handle(&mut self, now: Instant, packet: Packet) -> Result<(), End> {
        match packet {
            Packet::Puback(puback) => {
                self.acks.push((puback.packet_id, puback.reason));
                return self.acknowledge();
            }
            Packet::Pubrec(pubrec) => {
                return self.on_ack(|session| session.handle_pubrec(now, &pubrec));
            }
            Packet::Pubcomp(pubcomp) => {
                return self.on_ack(|session| session.handle_pubcomp(now, &pubcomp).map(|()| None));
            }
            Packet::Pubrel(pubrel) => self.on_session(|session| session.handle_pubrel(&pubrel)),
            Packet::Pingreq => self.on_session(Session::answer_ping),
            Packet::Subscribe(subscribe) => return self.subscribe(now, subscribe),
            Packet::Unsubscribe(unsubscribe) => {
                return self
                    .broker
                    .unsubscribe(&self.connected, &unsubscribe)
                    .map_err(End::Stop);
            }
            Packet::Disconnect(disconnect) => return Err(End::Disconnect(disconnect)),
            Packet::Connect(_) => return Err(violation(Violation::SecondConnect)),
            Packet::Auth(auth) => return self.handle_auth(now, *auth),
            Packet::Publish(publish) => self.run.push(publish),
            Packet::Connack(_) | Packet::Suback(_) | Packet::Unsuback(_) | Packet::Pingresp => {
                return Err(violation(Violation::ServerPacket));
            }
        }
        Ok(())
    }

    /// A session that was taken over is somebody else's: what still comes in here is not for it.
    fn on_session(&self, step: impl FnOnce(&mut Session)) {
        if let Some(mut session) = self.connected.client.session_of(self.connected.key) {
            step(&mut session);
        }
    }

    /// Handles the acknowledgements that were read.
    fn acknowledge(&mut self) -> Result<(), End> {
        if self.acks.is_empty() {
            return Ok(());
        }
        let mut taken = Vec::new();
        let is_told = self.broker.wants_acked();
        let mut outcome = Ok(());
        if let Some(mut session) = self.connected.client.session_of(self.connected.key) {
            for &(packet_id, reason) in &self.acks {
                match session.handle_puback(packet_id, reason) {
                    Ok(delivered) => taken.extend(delivered.filter(|_| is_told)),
                    Err(broken) => {
                        outcome = Err(violation(broken));
                        break;
                    }
                }
            }
        }
        self.acks.clear();
        for delivered in &taken {
            self.broker.report_acked(&self.connected.client, delivered);
        }
        outcome
    }

    /// What the client has taken is for plugins to know.
    fn on_ack(
        &self,
        step: impl FnOnce(&mut Session) -> Result<Option<Delivered>, Violation>,
    ) -> Result<(), End> {
        let session = self.connected.client.session_of(self.connected.key);
        let taken = session.map_or(Ok(None), |mut session| step(&mut session));
        if let Some(delivered) = taken.map_err(violation)? {
            self.broker.report_acked(&self.connected.client, &delivered);
        }
        Ok(())
    }

    // ---- authenticating again

    fn handle_auth(&mut self, now: Instant, auth: Auth) -> Result<(), End> {
        let enrolment = self.connected.enrolment.as_deref();
        self.reauthentication
            .handle_auth(&self.broker, enrolment, now, auth)
            .map_err(End::Stop)?;
        self.arm();
        Ok(())
    }

    fn handle_outcome(&mut self, outcome: EnhancedOutcome) -> Result<(), End> {
        match outcome {
            EnhancedOutcome::Challenge(data, exchange) => {
                self.reauthentication
                    .wait(&self.broker, exchange)
                    .map_err(End::Stop)?;
                self.say_auth(AuthReason::ContinueAuthentication, Some(data))?;
            }
            EnhancedOutcome::Allow(grant, data) => {
                let now = clock::now();
                self.broker
                    .renew(&mut self.connected, &grant, now)
                    .map_err(End::Stop)?;
                if let Some(publisher) = &mut self.publisher {
                    publisher.forget_access();
                }
                self.say_auth(AuthReason::Success, data)?;
            }
            EnhancedOutcome::Deny(denial) => return Err(End::Stop(refused(denial))),
        }
        self.arm();
        Ok(())
    }

    fn say_auth(&mut self, reason: AuthReason, data: Option<Bytes>) -> Result<(), End> {
        let Some(enrolment) = &self.connected.enrolment else {
            return Ok(());
        };
        let version = self.connected.version;
        let packet = auth(reason, &enrolment.method, data);
        // [MQTT-3.1.2-24]
        if packet.encoded_len(version) > self.connected.client_packet_bytes_max {
            return Err(End::Stop(refused(too_large())));
        }
        packet.encode(version, self.out.tail());
        self.tally.packets_sent += 1;
        Ok(())
    }

    // ---- time

    /// The next moment at which something may be over.
    fn deadline(&self) -> Option<Instant> {
        let write_timeout = self.broker.settings().limits.write_timeout;
        let stalled = self.stalled_at.map(|at| at + write_timeout);
        // Whoever is not read from cannot be heard.
        let keep_alive = self.connected.keep_alive.deadline();
        [
            keep_alive.filter(|_| !self.hearing.is_open()),
            self.connected.expires_at,
            self.paused_until,
            self.reauthentication.deadline(),
            stalled,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    fn arm(&mut self) {
        // Far enough off for a timer that nobody needs.
        const NEVER: Duration = Duration::from_secs(24 * 60 * 60);
        let at = self.deadline().unwrap_or_else(|| clock::now() + NEVER);
        self.timer.as_mut().reset(at.into());
    }

    fn handle_timer(&mut self) -> Result<(), End> {
        let now = clock::now();
        if self.connected.keep_alive.is_expired(now) && !self.hearing.is_open() {
            return Err(End::KeepAlive);
        }
        if self.connected.expires_at.is_some_and(|at| at <= now) {
            return Err(End::Expired);
        }
        let write_timeout = self.broker.settings().limits.write_timeout;
        if self.stalled_at.is_some_and(|at| at + write_timeout <= now) {
            return Err(End::Stalled);
        }
        if self.reauthentication.deadline().is_some_and(|at| at <= now) {
            return Err(End::Stop(refused(Denial {
                text: Some(ByteString::from_static("not authenticated again in time")),
                ..Denial::new(ConnectReason::NotAuthorized)
            })));
        }
        self.paused_until = self.paused_until.filter(|&until| until > now);
        self.arm();
        Ok(())
    }

    // ---- the end

    async fn leave(mut self: Box<Self>, end: End) {
        let now = clock::now();
        // What was handled before the end is still answered.
        self.collect_output();
        if let Some(greeting) = self.connected.greeting.take() {
            self.out.tail().extend_from_slice(&greeting);
        }
        let end = self.checked(end);
        let departure = departure_of(&self, &end);
        self.count_limit(&end);
        let farewell = match &end {
            End::Closed(closure) => Farewell {
                reason: closure.reason,
                text: closure.text.clone(),
                server_reference: closure.server_reference.clone(),
            },
            End::Stop(Stop::Policy { reason, text }) => Farewell {
                text: text.clone(),
                ..Farewell::of(*reason)
            },
            _ => Farewell::of(departure.reason),
        };
        let tells = !matches!(end, End::Disconnect(_) | End::Lost(_) | End::Stalled);
        let Connected {
            client, link, key, ..
        } = &self.connected;
        self.broker.disconnected(now, client, *key, link, departure);
        if tells {
            let bytes_max = self.connected.client_packet_bytes_max;
            farewell.write(self.connected.version, bytes_max, self.out.tail());
        }
        if !matches!(end, End::Lost(_) | End::Stalled) {
            let flushing = async {
                poll_fn(|cx| writer::poll_flush(&mut self.stream, &mut self.out, cx)).await?;
                self.stream.shutdown().await
            };
            // A client that does not take its farewell is left to itself.
            let _ = tokio::time::timeout(FAREWELL_TIMEOUT, flushing).await;
        }
    }

    fn count_limit(&self, end: &End) {
        let limits = &self.broker.metrics().limits;
        match end {
            End::Malformed(error) => limits.reached_by(*error),
            End::Stalled => limits.reached(Limit::WriteTimeout),
            End::Stop(Stop::Violation(violation)) => match violation {
                Violation::ReceiveMaximumExceeded => limits.reached(Limit::ReceiveMaximum),
                Violation::TopicAliasInvalid => limits.reached(Limit::TopicAliasMaximum),
                Violation::QosNotSupported => limits.reached(Limit::QosMax),
                _ => {}
            },
            _ => {}
        }
    }

    /// A DISCONNECT may itself break the protocol.
    fn checked(&self, end: End) -> End {
        let End::Disconnect(disconnect) = &end else {
            return end;
        };
        let asked = disconnect.properties.session_expiry_interval;
        let session = self.connected.client.session();
        match session.disconnect_expiry(asked) {
            Ok(_) => end,
            Err(broken) => violation(broken),
        }
    }
}

/// A packet that must not come at all, whatever is in it.
fn violation_by(header: FrameHeader) -> Option<Violation> {
    // With flags that it must not have it is malformed first of all. [MQTT-2.1.3-1]
    if header.flags() != 0 {
        return None;
    }
    match header.packet_type()? {
        PacketType::Connect => Some(Violation::SecondConnect),
        PacketType::Connack | PacketType::Suback | PacketType::Unsuback | PacketType::Pingresp => {
            Some(Violation::ServerPacket)
        }
        _ => None,
    }
}

fn violation(violation: Violation) -> End {
    End::Stop(Stop::Violation(violation))
}

fn departure_of<S: Stream>(connection: &Connection<S>, end: &End) -> Departure {
    let by_broker = |reason, text: String, cause| Departure {
        reason,
        text,
        by_client: false,
        ending: Ending {
            will_cause: Some(cause),
            expiry: None,
        },
    };
    match end {
        End::Disconnect(disconnect) => {
            let asked = disconnect.properties.session_expiry_interval;
            let session = connection.connected.client.session();
            // [MQTT-3.14.4-3]: a normal DISCONNECT takes the will away; any other reason leaves it.
            let leaves_will = disconnect.reason != DisconnectReason::NormalDisconnection;
            Departure {
                reason: disconnect.reason,
                text: "DISCONNECT from the client".into(),
                by_client: true,
                ending: Ending {
                    will_cause: leaves_will.then_some(WillCause::Requested),
                    expiry: session.disconnect_expiry(asked).ok().flatten(),
                },
            }
        }
        End::Lost(text) => Departure {
            by_client: true,
            ..by_broker(
                DisconnectReason::Unspecified,
                text.clone(),
                WillCause::ConnectionLost,
            )
        },
        End::KeepAlive => by_broker(
            DisconnectReason::KeepAliveTimeout,
            "keep alive timeout".into(),
            WillCause::KeepAliveTimeout,
        ),
        End::Stalled => by_broker(
            DisconnectReason::Unspecified,
            "the client does not take what is written to it".into(),
            WillCause::ConnectionLost,
        ),
        End::Expired => by_broker(
            DisconnectReason::MaximumConnectTime,
            "the time of its admission is over".into(),
            WillCause::Kicked,
        ),
        End::Malformed(error) => by_broker(
            DisconnectReason::from(*error),
            error.to_string(),
            WillCause::ProtocolError,
        ),
        End::Stop(Stop::Violation(violation)) => by_broker(
            DisconnectReason::from(*violation),
            violation.to_string(),
            WillCause::ProtocolError,
        ),
        End::Stop(Stop::Policy { reason, text }) => {
            by_broker(*reason, or_else(text, "closed by policy"), WillCause::Kicked)
        }
        End::Closed(closure) => by_broker(
            closure.reason,
            or_else(&closure.text, closure.reason.as_str()),
            closure.cause,
        ),
    }
}

fn or_else(text: &Option<ByteString>, otherwise: &str) -> String {
    text.as_deref().unwrap_or(otherwise).to_owned()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use hookwire_protocol::{Connect, ConnectProperties, Version};
    use tokio::io::AsyncReadExt;

    use super::*;
    use crate::broker::{Admits, Arrival, Settings};
    use crate::config::Config;
    use crate::net::exchange::Interview;

    fn connect() -> Connect {
        Connect {
            version: Version::V5,
            bridge: false,
            clean_start: false,
            keep_alive_secs: 0,
            client_id: "contested".into(),
            username: None,
            password: None,
            will: None,
            properties: ConnectProperties {
                session_expiry_interval: Some(60),
                ..ConnectProperties::default()
            },
        }
    }

    /// In the moment between two connections a session still bears the key of the first one.
    #[tokio::test]
    async fn whoever_is_being_taken_over_is_greeted_first() {
        let broker = Broker::new(Settings::from(&Config::default())).expect("a thread");
        let (mut near, mut far) = tokio::io::duplex(1024);
        let mut buffer = ReadBuffer::default();
        let settings = broker.settings().clone();
        let deadline = clock::now() + settings.limits.connect_timeout;
        let decode = &settings.limits.decode;
        let mut interview = Interview::new(&mut near, &mut buffer, decode, 1024, usize::MAX, deadline.into());
        let arrival = Arrival {
            address: ([192, 0, 2, 1], 1234).into(),
            listener: String::new(),
            admits_anonymous: Admits {
                without_authenticator: true,
                with_authenticator: true,
            },
        };
        let admitted = broker.connect(connect(), arrival, &mut interview).await;
        let connected = admitted.expect("there is nothing against it");
        let link = Arc::clone(&connected.link);
        let ending = Ending {
            will_cause: Some(WillCause::TakenOver),
            expiry: None,
        };
        connected.client.session().detach(clock::now(), &ending);
        link.close(Closure::taken_over());
        Box::new(Connection::new(near, broker, connected, buffer))
            .run()
            .await;
        let mut heard = Vec::new();
        far.read_to_end(&mut heard).await.expect("it was closed in order");
        // [MQTT-3.2.0-1]
        assert_eq!(heard.first(), Some(&0x20), "CONNACK comes first: {heard:?}");
        assert!(heard.contains(&0xE0), "then DISCONNECT: {heard:?}");
    }
}
