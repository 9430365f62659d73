//! The task of one connection: it reads, lets the broker handle runs of packets, and writes what the session
//! has for the client.

mod ending;
mod input;
mod output;
mod pace;
mod serving;

#[cfg(test)]
mod tests;

use std::io;
use std::mem;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use bytestring::ByteString;
use hookwire_hooks::{Denial, EnhancedOutcome};
use hookwire_protocol::{Auth, AuthReason, ConnectReason, Delivery, DisconnectReason, Packet, Subscribe};
use tokio::task::coop::has_budget_remaining;
use tokio::time::Sleep;
use tokio_util::io::poll_read_buf;

use super::Stream;
use super::exchange::{auth, too_large};
use super::hearing::{Heard, Held};
use super::rate::Rate;
use super::read_buffer::ReadBuffer;
use super::reauthentication::Reauthentication;
use crate::broker::{Broker, Connected, Stop, refused};
use crate::clock;
use crate::config::RateExcess;
use crate::metrics::Tally;
use crate::session::{Closure, Delivered, Link, Outbox, Session, Violation};
use ending::End;
use input::Input;
use pace::RUN_MAX;

pub(super) use serving::Serving;

/// When nothing has come for so long, or for twice that, a busy socket is a quiet one again.
const QUIET_AFTER: Duration = Duration::from_secs(5);

/// A deadline so far off may be looked at a second late.
const FAR: Duration = Duration::from_secs(10);

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

/// There are as many of these as there are connections: what few of them have, or not all the time, is behind a pointer.
pub(super) struct Connection<S> {
    stream: S,
    broker: Broker,
    connected: Connected,
    input: Option<Box<Input>>,
    out: Outbox,
    /// Bytes written since they were last added to the broker's counts.
    bytes_sent: u64,
    /// Bytes that the session had for the client and held back when it was last asked: until they are safe.
    held_back: usize,
    /// Why nothing can be written any more. What the client sent before is still read: it may have said goodbye.
    unwritable: Option<Box<io::Error>>,
    has_backlog: bool,
    /// Something has come since the timer last fired.
    was_read: bool,
    /// Where the stream's alarm does not do.
    timer: Option<Pin<Box<Sleep>>>,
    /// Since when the socket takes nothing.
    stalled_at: Option<Instant>,
    restraint: Option<Box<Restraint>>,
}

/// What keeps a client from going on as it likes.
#[derive(Default)]
struct Restraint {
    rate: Option<Rate>,
    /// Not read before this time, since it sends too much or a policy throttles it.
    paused_until: Option<Instant>,
    reauthentication: Reauthentication,
}

impl<S: Stream> Connection<S> {
    pub(super) fn new(stream: S, broker: Broker, mut connected: Connected, buffer: ReadBuffer) -> Self {
        // The CONNECT.
        broker.metrics().traffic.add(&Tally {
            connections: 1,
            packets_received: 1,
            ..Tally::default()
        });
        let now = clock::now();
        let restraint = connected.rate.take().map(|settings| Restraint {
            rate: Some(Rate::new(*settings, now)),
            ..Restraint::default()
        });
        // What came right behind the CONNECT.
        let is_behind = !buffer.filled().is_empty();
        let input = is_behind.then(|| Box::new(Input::new(&connected, buffer)));
        let mut connection = Self {
            stream,
            broker,
            connected,
            input,
            out: Outbox::default(),
            bytes_sent: 0,
            held_back: 0,
            unwritable: None,
            has_backlog: false,
            was_read: false,
            timer: None,
            stalled_at: None,
            restraint: restraint.map(Box::new),
        };
        connection.arm();
        connection
    }

    /// Serves until the connection ends, for whatever reason.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        self.connected.link.set_busy(true);
        let end = self.take_turn(cx);
        self.connected.link.set_busy(false);
        end
    }

    fn take_turn(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        loop {
            let wakeup = ready!(self.poll(cx));
            let was_read = matches!(wakeup, Wakeup::Input);
            let handled = match wakeup {
                Wakeup::Input => self.handle_input(),
                Wakeup::Timer => self.handle_timer(),
                Wakeup::Authentication(outcome) => self.handle_outcome(outcome),
                Wakeup::Heard(heard) => self.handle_heard(heard),
                Wakeup::End(end) => Err(end),
            };
            if let Err(end) = handled {
                return Poll::Ready(end);
            }
            let recipient = self.take_sole_recipient();
            if self.has_packets() {
                // More of the same client waits; others first.
                let _ = pin!(tokio::task::yield_now()).poll(cx);
                return Poll::Pending;
            }
            if was_read && recipient.is_some_and(|link| self.gives_way_to(&link, cx)) {
                return Poll::Pending;
            }
        }
    }

    /// Who alone was woken for the only message that was just handled.
    fn take_sole_recipient(&mut self) -> Option<Arc<Link>> {
        let publisher = self.input.as_mut()?.publisher.as_mut()?;
        publisher.take_sole_recipient()
    }

    /// Whether the client's answers wait until its message is written: where each comes alone, the recipient would see it later by
    /// the time that it takes to write an answer and to wake the client for it. The recipient's task wakes us.
    fn gives_way_to(&self, recipient: &Link, cx: &Context<'_>) -> bool {
        !self.out.is_empty() && recipient.let_pass(cx.waker())
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Wakeup> {
        self.connected.link.register(cx.waker());
        if let Some(closure) = self.connected.link.closure() {
            return Poll::Ready(Wakeup::End(End::Closed(closure)));
        }
        if self.unwritable.is_none()
            && let Err(error) = self.poll_output(cx)
        {
            self.give_up_output(error);
        }
        self.connected.link.pass_on();
        if let Some(restraint) = &mut self.restraint
            && let Poll::Ready(outcome) = restraint.reauthentication.poll_outcome(cx)
        {
            return Poll::Ready(Wakeup::Authentication(outcome));
        }
        if let Some(input) = &mut self.input
            && let Poll::Ready(heard) = input.hearing.poll(cx)
        {
            return Poll::Ready(Wakeup::Heard(heard));
        }
        if self.may_read() {
            if self.has_packets() {
                return Poll::Ready(Wakeup::Input);
            }
            if let Poll::Ready(read) = self.poll_input(cx) {
                return Poll::Ready(read);
            }
            if !has_budget_remaining() {
                // There may be more to read.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            // The client has said all that it has.
            if let Some(error) = self.unwritable.take() {
                return Poll::Ready(Wakeup::End(End::Lost(error.to_string())));
            }
        }
        // What the client has sent before is still heard, as soon as we listen again.
        let listens = !self.is_kept_waiting() && self.paused_until().is_none();
        if listens && self.connected.link.has_successor() {
            return Poll::Ready(Wakeup::End(End::Closed(Closure::taken_over())));
        }
        self.poll_timer(cx).map(|()| Wakeup::Timer)
    }

    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.timer.is_none() && self.stream.is_busy() {
            // Its alarm has gone with what it was.
            self.arm();
        }
        match &mut self.timer {
            Some(timer) => timer.as_mut().poll(cx),
            None => self.stream.poll_alarm(cx),
        }
    }

    fn poll_input(&mut self, cx: &mut Context<'_>) -> Poll<Wakeup> {
        let read = match self.stream.poll_readable(cx) {
            Poll::Ready(()) => {
                let input = input_of(&mut self.input, &self.connected);
                poll_read_buf(Pin::new(&mut self.stream), cx, input.buffer.room())
            }
            Poll::Pending => Poll::Pending,
        };
        match read {
            Poll::Ready(Ok(0)) => Poll::Ready(Wakeup::End(End::Lost("closed by the client".into()))),
            Poll::Ready(Ok(n)) => {
                self.was_read = true;
                let input = self.input();
                input.buffer.was_read(n);
                input.tally.bytes_received += n as u64;
                Poll::Ready(Wakeup::Input)
            }
            Poll::Ready(Err(error)) => Poll::Ready(Wakeup::End(End::Lost(error.to_string()))),
            Poll::Pending => {
                self.rest();
                Poll::Pending
            }
        }
    }

    /// Gives memory back while nothing is expected.
    fn rest(&mut self) {
        if let Some(input) = &mut self.input {
            input.rest();
            if input.is_blank() {
                self.input = None;
            }
        }
    }

    fn input(&mut self) -> &mut Input {
        input_of(&mut self.input, &self.connected)
    }

    /// Whole packets wait to be handled.
    fn has_packets(&self) -> bool {
        self.input.as_ref().is_some_and(|input| input.waiting() > 0)
    }

    /// Policies are being asked about what the client sent.
    fn is_hearing(&self) -> bool {
        self.input.as_ref().is_some_and(|input| input.hearing.is_open())
    }

    /// A client that does not read is not read from; a throttled one has to wait, and so has one whose packets are in
    /// question.
    fn may_read(&self) -> bool {
        self.paused_until().is_none()
            && !self.is_kept_waiting()
            && self.out.len() < self.connected.settings.limits.outbox_bytes_max
    }

    /// Whether it is we who do not listen: policies are being asked, or too much waits until it is safe.
    fn is_kept_waiting(&self) -> bool {
        self.is_hearing() || self.is_held_back()
    }

    fn is_held_back(&self) -> bool {
        self.held_back >= self.connected.settings.limits.outbox_bytes_max
    }

    // ---- input

    fn handle_input(&mut self) -> Result<(), End> {
        if let Some(input) = &mut self.input {
            input.cut_packets().map_err(End::Malformed)?;
        }
        self.handle_packets()
    }

    /// Handles packets until one run of PUBLISH packets is published, as many packets of other kinds are handled, the client has
    /// to wait, or nothing is left.
    fn handle_packets(&mut self) -> Result<(), End> {
        let Some(input) = &self.input else { return Ok(()) };
        let waiting = input.waiting();
        if waiting == 0 || input.hearing.is_open() || self.paused_until().is_some() {
            return Ok(());
        }
        let now = clock::now();
        self.connected.keep_alive.heard(now);
        let mut messages = 0_u32;
        let mut others = 0;
        let mut run_max = input.pace.run_max(false);
        let mut is_owed_answers = false;
        while let Some(packet) = self.next_packet()? {
            let input = self.input();
            input.tally.packets_received += 1;
            match packet {
                Packet::Publish(publish) => {
                    input.tally.publishes_received += 1;
                    input.tally.publish_bytes_received += publish.payload.len() as u64;
                    self.acknowledge()?;
                    let input = self.input();
                    if publish.delivery != Delivery::AtMostOnce {
                        is_owed_answers = true;
                        run_max = input.pace.run_max(true);
                    }
                    input.run.push(publish);
                    messages += 1;
                    if input.run.len() >= run_max {
                        break;
                    }
                }
                Packet::Puback(puback) if input.run.is_empty() => {
                    input.acks.push((puback.packet_id, puback.reason));
                    if input.acks.len() >= RUN_MAX {
                        break;
                    }
                }
                other => {
                    self.acknowledge()?;
                    self.publish(now)?;
                    self.handle_in_turn(now, other)?;
                    others += 1;
                }
            }
            if self.is_hearing() || self.paused_until().is_some() || others >= RUN_MAX {
                break;
            }
        }
        self.acknowledge()?;
        self.publish(now)?;
        let time = clock::now().saturating_duration_since(now);
        self.input().pace.took(messages, time, is_owed_answers);
        self.input().let_go();
        let left = self.input().waiting();
        self.charge(now, messages, waiting - left)?;
        self.collect_output();
        // The timer is not looked at while there is input without end.
        self.check_deadlines(now)
    }

    /// Counts what was handled towards the client's rates.
    fn charge(&mut self, now: Instant, messages: u32, bytes: usize) -> Result<(), End> {
        let rate = self
            .restraint
            .as_mut()
            .and_then(|restraint| restraint.rate.as_mut());
        let Some(excess) = rate.and_then(|rate| rate.charge(now, messages, bytes)) else {
            return Ok(());
        };
        self.broker.metrics().limits.reached(excess.limit);
        if excess.then == RateExcess::Disconnect {
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
        let paused_until = &mut self.restraint.get_or_insert_default().paused_until;
        *paused_until = (*paused_until).max(Some(until));
        // It is we who do not listen.
        self.connected.keep_alive.heard(until);
        self.arm();
    }

    /// Until when the client has to wait. One that cannot be written to has gone: what is left of it can be heard at once.
    fn paused_until(&self) -> Option<Instant> {
        let restraint = self.restraint.as_ref().filter(|_| self.unwritable.is_none());
        restraint?.paused_until
    }

    fn next_packet(&mut self) -> Result<Option<Packet>, End> {
        self.input()
            .next_packet()
            .or_else(|fault| self.handle_fault(fault))
    }

    /// Ends the connection for bytes that must not come, once what came before them is done: it counts.
    fn handle_fault(&mut self, fault: Held) -> Result<Option<Packet>, End> {
        let now = clock::now();
        self.acknowledge()?;
        self.publish(now)?;
        if self.is_hearing() {
            self.input().hearing.hold(fault);
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
        let Some(input) = self.input.as_mut().filter(|input| !input.run.is_empty()) else {
            return Ok(());
        };
        if self.broker.waits_to_publish(&self.connected) {
            let publisher = input.publisher.take().unwrap_or_default();
            let run = mem::take(&mut input.run);
            let published = self.broker.publish_run_waiting(&self.connected, *publisher, run);
            input
                .hearing
                .open(async move { Heard::Published(Box::new(published.await)) });
            return Ok(());
        }
        let publisher = input.publisher.get_or_insert_default();
        let outcome = self
            .broker
            .publish_run(&self.connected, publisher, now, &mut input.run, &input.chunk);
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
        if self.is_hearing() {
            self.input().hearing.hold(Held::Packet(packet));
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
                self.input().publisher = Some(Box::new(published.publisher));
                self.handle_published(now, published.outcome)?;
            }
            Heard::Consulted(subscribe, consulted) => self
                .broker
                .subscribe_consulted(&self.connected, now, &subscribe, consulted)
                .map_err(End::Stop)?,
        }
        if let Some(held) = self.input().hearing.take_held() {
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
            self.input()
                .hearing
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
                self.input().acks.push((puback.packet_id, puback.reason));
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
            Packet::Publish(publish) => self.input().run.push(publish),
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
        let Some(input) = self.input.as_mut().filter(|input| !input.acks.is_empty()) else {
            return Ok(());
        };
        let mut taken = Vec::new();
        let is_told = self.broker.wants_acked();
        let mut outcome = Ok(());
        if let Some(mut session) = self.connected.client.session_of(self.connected.key) {
            for &(packet_id, reason) in &input.acks {
                match session.handle_puback(packet_id, reason) {
                    Ok(delivered) => taken.extend(delivered.filter(|_| is_told)),
                    Err(broken) => {
                        outcome = Err(violation(broken));
                        break;
                    }
                }
            }
        }
        input.acks.clear();
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
        self.restraint
            .get_or_insert_default()
            .reauthentication
            .handle_auth(&self.broker, enrolment, now, auth)
            .map_err(End::Stop)?;
        self.arm();
        Ok(())
    }

    fn handle_outcome(&mut self, outcome: EnhancedOutcome) -> Result<(), End> {
        match outcome {
            EnhancedOutcome::Challenge(data, exchange) => {
                self.restraint
                    .get_or_insert_default()
                    .reauthentication
                    .wait(&self.broker, exchange)
                    .map_err(End::Stop)?;
                self.say_auth(AuthReason::ContinueAuthentication, Some(data))?;
            }
            EnhancedOutcome::Allow(grant, data) => {
                let now = clock::now();
                self.broker
                    .renew(&mut self.connected, &grant, now)
                    .map_err(End::Stop)?;
                if let Some(publisher) = self.input.as_mut().and_then(|input| input.publisher.as_mut()) {
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
        self.input().tally.packets_sent += 1;
        Ok(())
    }

    // ---- time

    /// The next moment at which something may be over.
    fn deadline(&self, now: Instant) -> Option<Instant> {
        let write_timeout = self.broker.settings().limits.write_timeout;
        let stalled = self.stalled_at.map(|at| at + write_timeout);
        // Whoever is not read from cannot be heard.
        let keep_alive = self.connected.keep_alive.deadline();
        [
            keep_alive.filter(|_| !self.is_kept_waiting()),
            self.connected.expires_at,
            self.paused_until(),
            self.reauthentication_deadline(),
            stalled,
            self.may_rest().then(|| now + QUIET_AFTER),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    fn reauthentication_deadline(&self) -> Option<Instant> {
        self.restraint.as_ref()?.reauthentication.deadline()
    }

    /// Whether a busy socket is a quiet one as soon as nothing more comes. One that does not take what is written stays busy.
    fn may_rest(&self) -> bool {
        self.stream.is_busy() && self.stalled_at.is_none()
    }

    fn arm(&mut self) {
        let now = clock::now();
        let deadline = self.deadline(now);
        let is_far = deadline.is_none_or(|at| at >= now + FAR);
        let has_alarm = is_far && self.stream.set_alarm(deadline);
        let Some(at) = deadline.filter(|_| !has_alarm) else {
            self.timer = None;
            return;
        };
        match &mut self.timer {
            Some(timer) => timer.as_mut().reset(at.into()),
            None => self.timer = Some(Box::pin(tokio::time::sleep_until(at.into()))),
        }
    }

    fn handle_timer(&mut self) -> Result<(), End> {
        let now = clock::now();
        if self.connected.keep_alive.is_expired(now) && !self.is_kept_waiting() {
            return Err(End::KeepAlive);
        }
        self.check_deadlines(now)?;
        if let Some(restraint) = &mut self.restraint {
            restraint.paused_until = restraint.paused_until.filter(|&until| until > now);
        }
        let has_come = mem::take(&mut self.was_read);
        if self.may_rest() && self.may_read() && !has_come {
            self.stream.rest().map_err(|error| End::Lost(error.to_string()))?;
        }
        self.arm();
        Ok(())
    }

    /// What is over at some time whatever the client sends.
    fn check_deadlines(&self, now: Instant) -> Result<(), End> {
        if self.connected.expires_at.is_some_and(|at| at <= now) {
            return Err(End::Expired);
        }
        if let Some(at) = self.stalled_at
            && at + self.broker.settings().limits.write_timeout <= now
        {
            return Err(End::Stalled);
        }
        if self.reauthentication_deadline().is_some_and(|at| at <= now) {
            return Err(End::Stop(refused(Denial {
                text: Some(ByteString::from_static("not authenticated again in time")),
                ..Denial::new(ConnectReason::NotAuthorized)
            })));
        }
        Ok(())
    }
}

impl<S> Drop for Connection<S> {
    fn drop(&mut self) {
        self.connected.link.end();
    }
}

/// Apart from the rest of the connection, which is at hand beside it.
fn input_of<'a>(input: &'a mut Option<Box<Input>>, connected: &Connected) -> &'a mut Input {
    input.get_or_insert_with(|| Box::new(Input::new(connected, ReadBuffer::default())))
}

fn violation(violation: Violation) -> End {
    End::Stop(Stop::Violation(violation))
}
