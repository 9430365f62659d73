//! Kills the broker at random moments under load, and checks what was promised.
//!
//! Publishers and subscribers keep their state as real clients do, and go on after each crash. At the end everything
//! that was acknowledged has arrived: with QoS 2 exactly once, with QoS 1 at least once, in order in both cases.
//!
//! `HOOKWIRE_CRASHES` is how often the broker is killed, `HOOKWIRE_SEED` the seed of a story to be told again.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::env;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use bytes::BytesMut;
use hookwire_protocol::{
    ConnectReason, DecodeLimits, Decoder, Delivery, Packet, PacketId, Puback, Pubcomp, Publish,
    PublishReason, Pubrec, Pubrel, PubrelReason, QoS, Subscribe, SubscribeFilter, SubscriptionOptions,
    Version,
};
use hookwire_tests::{Broker, Client, publish, v5};

use super::lasting;

const CRASHES: u64 = 6;
/// Publishers of each QoS.
const PUBLISHERS: usize = 3;
/// Messages of one publisher under way at a time.
const WINDOW: usize = 16;
/// Longer than the broker needs for anything.
const PATIENCE: Duration = Duration::from_secs(30);

const CONFIG: &str = r#"
data_dir = "data"
[store]
free_bytes_min = "1MiB"
[session]
queue_messages_max = 10_000_000
queue_bytes_max = "4GiB"
[takeover]
fight_after = 1_000_000
"#;

/// What all clients know of the broker.
struct Stage {
    address: Mutex<(u64, SocketAddr)>,
    moved: Condvar,
    /// Packets that clients have received; the moment of a crash is counted in them.
    packets: AtomicU64,
    is_ending: AtomicBool,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Stage {
    fn address(&self) -> (u64, SocketAddr) {
        *locked(&self.address)
    }

    fn move_to(&self, address: SocketAddr) {
        let mut now = locked(&self.address);
        *now = (now.0 + 1, address);
        self.moved.notify_all();
    }

    /// No broker follows the one that there is: who waits for one goes to that.
    fn end(&self) {
        let _now = locked(&self.address);
        self.is_ending.store(true, Ordering::SeqCst);
        self.moved.notify_all();
    }

    /// Waits for the broker that follows this one, or the end.
    fn wait_for_next(&self, seen: u64) {
        let mut now = locked(&self.address);
        while now.0 == seen && !self.is_ending() {
            let waited = self.moved.wait_timeout(now, PATIENCE);
            let (guard, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            assert!(!timeout.timed_out(), "no broker follows");
            now = guard;
        }
    }

    fn is_ending(&self) -> bool {
        self.is_ending.load(Ordering::SeqCst)
    }
}

/// The broker has gone.
struct Gone;

/// A connection that may end at any moment.
struct Line<'a> {
    stage: &'a Stage,
    stream: TcpStream,
    received: BytesMut,
}

impl<'a> Line<'a> {
    fn open(stage: &'a Stage, address: SocketAddr, client_id: &str) -> Result<Self, Gone> {
        let stream = TcpStream::connect(address).map_err(|_| Gone)?;
        stream.set_nodelay(true).map_err(|_| Gone)?;
        stream.set_read_timeout(Some(PATIENCE)).map_err(|_| Gone)?;
        let mut line = Self {
            stage,
            stream,
            received: BytesMut::new(),
        };
        line.send(Packet::Connect(Box::new(lasting(client_id))))?;
        Ok(line)
    }

    /// CONNACK; whether the session is there.
    fn admitted(&mut self) -> Result<bool, Gone> {
        match self.next()? {
            Packet::Connack(connack) if connack.reason == ConnectReason::Success => {
                Ok(connack.session_present)
            }
            other => panic!("not admitted: {other:?}"),
        }
    }

    fn send(&mut self, packet: Packet) -> Result<(), Gone> {
        let mut bytes = BytesMut::new();
        hookwire_protocol::encode(&packet, Version::V5, &mut bytes);
        self.stream.write_all(&bytes).map_err(|_| Gone)
    }

    fn next(&mut self) -> Result<Packet, Gone> {
        let decoder = Decoder {
            version: Version::V5,
            limits: DecodeLimits::default(),
        };
        loop {
            if let Some(packet) = decoder.decode(&mut self.received).expect("well-formed packets") {
                self.stage.packets.fetch_add(1, Ordering::SeqCst);
                return Ok(packet);
            }
            let mut chunk = [0; 16 * 1024];
            match self.stream.read(&mut chunk) {
                Ok(0) => return Err(Gone),
                Ok(n) => self.received.extend_from_slice(&chunk[..n]),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    panic!("the broker says nothing for {PATIENCE:?}")
                }
                Err(_) => return Err(Gone),
            }
        }
    }
}

// ---- publishing

/// What a publisher has to remember of one message.
#[derive(Clone, Copy, PartialEq)]
enum Under {
    Publish,
    Pubrel,
}

struct Publisher {
    name: String,
    qos: QoS,
    next: u64,
    /// Not acknowledged to the end, in order.
    window: VecDeque<(u64, PacketId, Under)>,
    acked: HashSet<u64>,
    has_session: bool,
}

impl Publisher {
    fn new(number: usize, qos: QoS) -> Self {
        Self {
            name: format!("publisher-{}-{number}", qos as u8),
            qos,
            next: 0,
            window: VecDeque::new(),
            acked: HashSet::new(),
            has_session: false,
        }
    }

    /// Publishes until the stage ends and everything is acknowledged.
    fn run(mut self, stage: &Stage) -> Self {
        loop {
            let (generation, address) = stage.address();
            match self.connected(stage, address) {
                Ok(()) => return self,
                Err(Gone) if stage.is_ending() && stage.address().0 == generation => {
                    panic!("{}: the last broker closed the connection", self.name)
                }
                Err(Gone) => stage.wait_for_next(generation),
            }
        }
    }

    fn connected(&mut self, stage: &Stage, address: SocketAddr) -> Result<(), Gone> {
        let mut line = Line::open(stage, address, &self.name)?;
        let is_present = line.admitted()?;
        assert!(
            is_present || !self.has_session,
            "{}: the session is gone",
            self.name
        );
        self.has_session = true;
        for at in 0..self.window.len() {
            let (number, id, under) = self.window[at];
            match under {
                Under::Publish => line.send(self.packet(number, id, true))?,
                Under::Pubrel => line.send(Packet::Pubrel(Pubrel::new(id, PubrelReason::Success)))?,
            }
        }
        loop {
            while !stage.is_ending() && self.window.len() < WINDOW {
                let (number, id) = (self.next, self.fresh_id());
                self.next += 1;
                self.window.push_back((number, id, Under::Publish));
                line.send(self.packet(number, id, false))?;
            }
            if self.window.is_empty() {
                return Ok(());
            }
            self.hear(&mut line)?;
        }
    }

    fn hear(&mut self, line: &mut Line<'_>) -> Result<(), Gone> {
        match line.next()? {
            Packet::Puback(Puback {
                packet_id, reason, ..
            }) => {
                assert!(!reason.is_error(), "{}: {reason:?}", self.name);
                self.finish(packet_id);
            }
            Packet::Pubrec(Pubrec {
                packet_id, reason, ..
            }) => {
                assert!(!reason.is_error(), "{}: {reason:?}", self.name);
                let entry = self.window.iter_mut().find(|(_, id, _)| *id == packet_id);
                let (number, _, under) = entry.unwrap_or_else(|| panic!("{}: PUBREC for nothing", self.name));
                *under = Under::Pubrel;
                // From here on the message is the broker's.
                self.acked.insert(*number);
                line.send(Packet::Pubrel(Pubrel::new(packet_id, PubrelReason::Success)))?;
            }
            Packet::Pubcomp(Pubcomp { packet_id, .. }) => self.finish(packet_id),
            other => panic!("{}: {other:?}", self.name),
        }
        Ok(())
    }

    fn finish(&mut self, packet_id: PacketId) {
        let at = self.window.iter().position(|(_, id, _)| *id == packet_id);
        let at = at.unwrap_or_else(|| panic!("{}: an acknowledgement of nothing", self.name));
        if let Some((number, ..)) = self.window.remove(at) {
            self.acked.insert(number);
        }
    }

    /// One that is not in use, and used again soon.
    fn fresh_id(&self) -> PacketId {
        (1..)
            .filter_map(PacketId::new)
            .find(|id| self.window.iter().all(|(_, used, _)| used != id))
            .expect("the window is small")
    }

    /// Some are small, some are not.
    fn packet(&self, number: u64, id: PacketId, dup: bool) -> Packet {
        let filling = if number.is_multiple_of(5) {
            "x".repeat(700)
        } else {
            String::new()
        };
        let payload = format!("{} {number} {filling}", self.name);
        Packet::Publish(Publish {
            dup,
            ..publish(&format!("load/{}", self.name), payload, self.qos, id.get())
        })
    }
}

// ---- subscribing

struct Subscriber {
    name: String,
    has_session: bool,
    /// QoS 2 messages that it has, and whose PUBREL has not come.
    unreleased: HashSet<PacketId>,
    /// What it has got from each publisher, in order.
    got: BTreeMap<String, Vec<u64>>,
    /// Connects only in every so many lives of the broker.
    every: u64,
}

impl Subscriber {
    fn new(number: u64) -> Self {
        Self {
            name: format!("subscriber-{number}"),
            has_session: false,
            unreleased: HashSet::new(),
            got: BTreeMap::new(),
            every: number,
        }
    }

    /// Subscribes, so that everything that is published from here on is for it.
    fn begin(&mut self, stage: &Stage) {
        let Ok(mut line) = Line::open(stage, stage.address().1, &self.name) else {
            panic!("{}: cannot connect", self.name);
        };
        assert!(matches!(line.admitted(), Ok(false)), "{}", self.name);
        self.has_session = true;
        let options = SubscriptionOptions {
            qos: QoS::ExactlyOnce,
            ..SubscriptionOptions::default()
        };
        let subscribe = Packet::Subscribe(Subscribe {
            packet_id: PacketId::FIRST,
            subscription_identifier: None,
            user_properties: Vec::new(),
            filters: vec![SubscribeFilter {
                filter: "load/#".into(),
                options,
            }],
        });
        assert!(line.send(subscribe).is_ok() && matches!(line.next(), Ok(Packet::Suback(_))));
    }

    /// Takes messages until `expected` says that there are no more.
    fn run(mut self, stage: &Stage, expected: &Mutex<Option<BTreeMap<String, HashSet<u64>>>>) -> Self {
        loop {
            let (generation, address) = stage.address();
            if !stage.is_ending() && generation % self.every > 0 {
                stage.wait_for_next(generation);
                continue;
            }
            match self.connected(stage, address, expected) {
                Ok(()) => return self,
                Err(Gone) if stage.is_ending() && stage.address().0 == generation => {
                    panic!("{}: the last broker closed the connection", self.name)
                }
                Err(Gone) => stage.wait_for_next(generation),
            }
        }
    }

    fn connected(
        &mut self,
        stage: &Stage,
        address: SocketAddr,
        expected: &Mutex<Option<BTreeMap<String, HashSet<u64>>>>,
    ) -> Result<(), Gone> {
        let mut line = Line::open(stage, address, &self.name)?;
        assert!(line.admitted()?, "{}: the session is gone", self.name);
        loop {
            if locked(expected)
                .as_ref()
                .is_some_and(|expected| self.has_all(expected))
                && self.unreleased.is_empty()
            {
                return Ok(());
            }
            // A fence now and then, so that the end is noticed.
            line.send(Packet::Pingreq)?;
            loop {
                match line.next()? {
                    Packet::Pingresp => break,
                    Packet::Publish(publish) => self.take(&mut line, &publish)?,
                    Packet::Pubrel(Pubrel { packet_id, .. }) => {
                        self.unreleased.remove(&packet_id);
                        line.send(Packet::Pubcomp(Pubcomp::new(packet_id, PubrelReason::Success)))?;
                    }
                    other => panic!("{}: {other:?}", self.name),
                }
            }
        }
    }

    fn take(&mut self, line: &mut Line<'_>, publish: &Publish) -> Result<(), Gone> {
        match publish.delivery {
            Delivery::AtMostOnce => panic!("{}: QoS 0", self.name),
            Delivery::AtLeastOnce(id) => {
                self.note(publish);
                line.send(Packet::Puback(Puback::new(id, PublishReason::Success)))
            }
            Delivery::ExactlyOnce(id) => {
                // [MQTT-4.3.3-10]
                if self.unreleased.insert(id) {
                    self.note(publish);
                }
                line.send(Packet::Pubrec(Pubrec::new(id, PublishReason::Success)))
            }
        }
    }

    fn note(&mut self, publish: &Publish) {
        let text = String::from_utf8_lossy(&publish.payload).into_owned();
        let mut words = text.split(' ');
        let (publisher, number) = (words.next().expect("a name"), words.next().expect("a number"));
        let number = number.parse().expect("a number");
        self.got.entry(publisher.to_owned()).or_default().push(number);
    }

    fn has_all(&self, expected: &BTreeMap<String, HashSet<u64>>) -> bool {
        expected.iter().all(|(publisher, numbers)| {
            let got: HashSet<u64> = self.got.get(publisher).into_iter().flatten().copied().collect();
            numbers.is_subset(&got)
        })
    }

    fn check(&self, publisher: &Publisher) {
        let got = self.got.get(&publisher.name).map_or(&[][..], Vec::as_slice);
        let who = format!("{} of {}", self.name, publisher.name);
        let distinct: HashSet<u64> = got.iter().copied().collect();
        assert!(publisher.acked.is_subset(&distinct), "{who}: something is lost");
        if publisher.qos == QoS::ExactlyOnce {
            assert_eq!(distinct.len(), got.len(), "{who}: something came twice");
            assert!(got.is_sorted(), "{who}: out of order: {got:?}");
        } else {
            // What comes again comes in order from where it begins again.
            let mut first = Vec::new();
            let mut seen = HashSet::new();
            first.extend(got.iter().copied().filter(|number| seen.insert(*number)));
            assert!(first.is_sorted(), "{who}: out of order");
        }
    }
}

// ---- a value that is replaced again and again

/// Retains numbers, and tells the last one that was acknowledged and the last that was sent.
fn retain(stage: &Stage) -> (u64, u64) {
    let (mut acked, mut sent) = (0, 0);
    loop {
        let (generation, address) = stage.address();
        let mut publishing = || -> Result<(), Gone> {
            let mut line = Line::open(stage, address, "retainer")?;
            line.admitted()?;
            while !stage.is_ending() {
                sent += 1;
                let publish = publish("state", sent.to_string(), QoS::AtLeastOnce, 1);
                line.send(Packet::Publish(Publish {
                    retain: true,
                    ..publish
                }))?;
                match line.next()? {
                    Packet::Puback(puback) if !puback.reason.is_error() => acked = sent,
                    other => panic!("retainer: {other:?}"),
                }
            }
            Ok(())
        };
        match publishing() {
            Ok(()) => return (acked, sent),
            Err(Gone) => stage.wait_for_next(generation),
        }
    }
}

// ---- the story

/// Small and repeatable.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

fn number(name: &str) -> Option<u64> {
    env::var(name).ok()?.parse().ok()
}

#[test]
fn whatever_is_killed_what_was_acknowledged_arrives() {
    let crashes = number("HOOKWIRE_CRASHES").unwrap_or(CRASHES);
    let seed = number("HOOKWIRE_SEED").unwrap_or_else(|| {
        use std::hash::{BuildHasher, Hasher};
        std::hash::RandomState::new().build_hasher().finish()
    });
    println!("{crashes} crashes, HOOKWIRE_SEED={seed}");
    let mut random = Random(seed | 1);
    let mut broker = Broker::start(CONFIG);
    let stage = Stage {
        address: Mutex::new((0, broker.address())),
        moved: Condvar::new(),
        packets: AtomicU64::new(0),
        is_ending: AtomicBool::new(false),
    };
    let expected = Mutex::new(None);
    // The first is always there, the others now and then.
    let mut subscribers: Vec<_> = (1..=3).map(Subscriber::new).collect();
    subscribers
        .iter_mut()
        .for_each(|subscriber| subscriber.begin(&stage));
    thread::scope(|scope| {
        let (stage, expected) = (&stage, &expected);
        let publishing: Vec<_> = [QoS::AtLeastOnce, QoS::ExactlyOnce]
            .into_iter()
            .flat_map(|qos| (0..PUBLISHERS).map(move |number| Publisher::new(number, qos)))
            .map(|publisher| scope.spawn(move || publisher.run(stage)))
            .collect();
        let subscribing: Vec<_> = subscribers
            .into_iter()
            .map(|subscriber| scope.spawn(move || subscriber.run(stage, expected)))
            .collect();
        let retaining = scope.spawn(move || retain(stage));
        for _ in 0..crashes {
            let moment = stage.packets.load(Ordering::SeqCst) + 1 + random.below(3000);
            while stage.packets.load(Ordering::SeqCst) < moment {
                thread::yield_now();
            }
            broker.kill();
            // Sometimes it is killed again while it starts.
            for _ in 0..random.below(3) {
                broker.start_and_kill(Duration::from_micros(random.below(60_000)));
            }
            broker.restart();
            stage.move_to(broker.address());
        }
        stage.end();
        let publishers: Vec<_> = publishing
            .into_iter()
            .map(|publisher| publisher.join().expect("a publisher comes to its end"))
            .collect();
        let acked = publishers
            .iter()
            .map(|publisher| (publisher.name.clone(), publisher.acked.clone()));
        *locked(expected) = Some(acked.collect());
        for subscriber in subscribing {
            let subscriber = subscriber.join().expect("a subscriber gets everything");
            publishers
                .iter()
                .for_each(|publisher| subscriber.check(publisher));
        }
        let (acked, sent) = retaining.join().expect("the retainer comes to its end");
        broker.kill_and_restart();
        let mut reader = Client::connect(&broker, v5("reader"));
        reader.subscribe("state", QoS::AtMostOnce);
        let state: u64 = reader.receive().payload.parse().expect("a number");
        assert!((acked..=sent).contains(&state), "{acked} <= {state} <= {sent}");
        let messages: usize = publishers.iter().map(|publisher| publisher.acked.len()).sum();
        println!("{messages} messages acknowledged, all of them arrived");
    });
    broker.kill();
    let checked = broker.setup().store("check", "data");
    assert!(checked.success, "{}", checked.text);
}

/// Each start begins where the one before was cut off, whatever it had done by then.
#[test]
fn a_recovery_that_is_killed_again_and_again_comes_to_its_end() {
    let mut broker = Broker::start(CONFIG);
    let mut panel = Client::connect(&broker, lasting("panel"));
    panel.subscribe("t", QoS::ExactlyOnce);
    panel.lose();
    let mut lamp = Client::connect(&broker, v5("lamp"));
    for number in 0..200 {
        let filling = "x".repeat(if number % 3 == 0 { 600 } else { 0 });
        lamp.publish("t", format!("{number} {filling}"), QoS::AtLeastOnce);
        lamp.retain(&format!("state/{number}"), "on");
    }
    broker.kill();
    for times in 0..20 {
        // From before anything was opened until it listens.
        broker.start_and_kill(Duration::from_millis(times * 6));
    }
    broker.restart();
    let mut panel = Client::connect(&broker, lasting("panel"));
    assert!(panel.connack().session_present);
    for number in 0..200 {
        let payload = panel.receive().payload;
        assert!(payload.starts_with(&format!("{number} ")), "{number}: {payload}");
    }
    panel.expect_nothing();
    let mut reader = Client::connect(&broker, v5("reader"));
    reader.subscribe("state/#", QoS::AtMostOnce);
    assert_eq!(reader.receive_all(200).len(), 200);
    broker.kill();
    let checked = broker.setup().store("check", "data");
    assert!(checked.success, "{}", checked.text);
}
