//! What clients do and what happens to them. Each operation makes sense in every state (one that cannot be
//! carried out is left out), so that any list of them is a story, and any part of it a shorter one.

/// How many clients there are.
pub(super) const CLIENTS: usize = 4;

/// Topics that are published to.
pub(super) const TOPICS: [&str; 4] = ["a", "a/b", "a/c", "b"];

/// Filters that are subscribed to; they overlap on purpose.
pub(super) const FILTERS: [&str; 9] = [
    "a",
    "a/b",
    "a/+",
    "#",
    "+/b",
    "a/#",
    "$share/g/a/b",
    "$share/g/#",
    "$share/h/a/+",
];

/// Bytes that one operation is made of.
pub const OPERATION_BYTES: usize = 10;

/// A CONNECT.
#[derive(Debug, Clone)]
pub struct Connecting {
    /// MQTT 5, else 3.1.1.
    pub is_v5: bool,
    /// No session is to be resumed.
    pub clean: bool,
    /// Session expiry interval, MQTT 5 only.
    pub expiry_secs: u32,
    /// Receive maximum, MQTT 5 only.
    pub receive_maximum: Option<u16>,
    /// Takes no large packets, MQTT 5 only.
    pub is_small: bool,
    /// Its will.
    pub will: Option<Leaving>,
}

/// A will.
#[derive(Debug, Clone)]
pub struct Leaving {
    /// Its topic.
    pub topic: &'static str,
    /// Its QoS.
    pub qos: u8,
    /// Whether it is retained.
    pub retain: bool,
    /// Its delay, MQTT 5 only.
    pub delay_secs: u32,
}

/// A PUBLISH.
#[derive(Debug, Clone)]
pub struct Publishing {
    /// Its topic.
    pub topic: &'static str,
    /// Its QoS.
    pub qos: u8,
    /// Its RETAIN flag.
    pub retain: bool,
    /// It has no payload.
    pub is_empty: bool,
    /// It is more than small clients take.
    pub is_large: bool,
    /// Message expiry interval, MQTT 5 only.
    pub expiry_secs: Option<u32>,
}

/// A SUBSCRIBE. What MQTT 3 does not know is left out by its clients.
#[derive(Debug, Clone)]
pub struct Subscribing {
    /// Its filter.
    pub filter: &'static str,
    /// Its QoS.
    pub qos: u8,
    /// Not what the client itself publishes.
    pub no_local: bool,
    /// The RETAIN flag stays.
    pub retain_as_published: bool,
    /// Retain handling.
    pub retain_handling: u8,
    /// Subscription identifier.
    pub id: Option<u32>,
}

/// An acknowledgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ack {
    /// PUBACK.
    Puback,
    /// PUBREC.
    Pubrec,
    /// PUBREC with an error, MQTT 5 only.
    Refusal,
    /// PUBCOMP.
    Pubcomp,
}

/// What one client does.
#[derive(Debug, Clone)]
pub enum Action {
    /// Connects; takes over if it is connected.
    Connect(Connecting),
    /// Loses its connection, and with it all that it was sent and has not read.
    Lose,
    /// Disconnects.
    Disconnect {
        /// Its will is to be published all the same, MQTT 5 only.
        with_will: bool,
        /// A new session expiry interval, MQTT 5 only.
        expiry_secs: Option<u32>,
    },
    /// Publishes.
    Publish(Publishing),
    /// Subscribes.
    Subscribe(Subscribing),
    /// Unsubscribes.
    Unsubscribe(&'static str),
    /// Reads a packet and answers it; not always the first.
    Read {
        /// Which one.
        pick: u8,
        /// A message of QoS 2 is refused.
        refuse: bool,
    },
    /// Acknowledges something, sent to it or not.
    Stray(Ack, u16),
}

/// One step.
#[derive(Debug, Clone)]
pub enum Operation {
    /// A client does something.
    Client(usize, Action),
    /// So many seconds go by.
    Pass(u32),
}

impl Operation {
    /// The operations that these bytes stand for; any bytes stand for some.
    pub fn list(bytes: &[u8]) -> Vec<Self> {
        bytes
            .as_chunks::<OPERATION_BYTES>()
            .0
            .iter()
            .map(Self::of)
            .collect()
    }

    fn of(bytes: &[u8; OPERATION_BYTES]) -> Self {
        let [kind, client, rest @ ..] = *bytes;
        let action = match kind % 32 {
            0..=3 => Action::Connect(connecting(rest)),
            4 => Action::Lose,
            5 => Action::Disconnect {
                with_will: flag(rest[0], 2),
                expiry_secs: flag(rest[1], 2).then(|| secs(rest[2])),
            },
            6..=13 => Action::Publish(publishing(rest)),
            14..=17 => Action::Subscribe(subscribing(rest)),
            18 => Action::Unsubscribe(one_of(&FILTERS, rest[0])),
            19..=28 => Action::Read {
                pick: if flag(rest[0], 4) { rest[1] } else { 0 },
                refuse: flag(rest[2], 8),
            },
            29 => Action::Stray(
                one_of(&[Ack::Puback, Ack::Pubrec, Ack::Refusal, Ack::Pubcomp], rest[0]),
                u16::from(rest[1] % 8) + 1,
            ),
            _ => return Self::Pass(secs(rest[0])),
        };
        Self::Client(usize::from(client) % CLIENTS, action)
    }
}

fn connecting(bytes: [u8; OPERATION_BYTES - 2]) -> Connecting {
    let [version, clean, expiry, window, size, has_will, will, delay] = bytes;
    Connecting {
        is_v5: !flag(version, 3),
        clean: flag(clean, 4),
        expiry_secs: one_of(&[0, 5, 20, 1000], expiry),
        receive_maximum: one_of(&[None, Some(1), Some(2), Some(100)], window),
        is_small: flag(size, 6),
        will: flag(has_will, 2).then(|| Leaving {
            topic: one_of(&TOPICS, will),
            qos: will / 4 % 3,
            retain: flag(will / 16, 2),
            delay_secs: one_of(&[0, 3, 10, 50], delay),
        }),
    }
}

fn publishing(bytes: [u8; OPERATION_BYTES - 2]) -> Publishing {
    let [topic, qos, retain, empty, large, expires, expiry, _] = bytes;
    Publishing {
        topic: one_of(&TOPICS, topic),
        qos: qos % 3,
        retain: flag(retain, 4),
        is_empty: flag(empty, 8),
        is_large: flag(large, 8),
        expiry_secs: flag(expires, 4).then(|| secs(expiry)),
    }
}

fn subscribing(bytes: [u8; OPERATION_BYTES - 2]) -> Subscribing {
    let [filter, qos, no_local, retain, handling, has_id, id, _] = bytes;
    Subscribing {
        filter: one_of(&FILTERS, filter),
        qos: qos % 3,
        no_local: flag(no_local, 4),
        retain_as_published: flag(retain, 3),
        retain_handling: handling % 3,
        id: flag(has_id, 2).then(|| u32::from(id % 5) + 1),
    }
}

fn one_of<T: Copy>(choices: &[T], byte: u8) -> T {
    choices[usize::from(byte) % choices.len()]
}

/// True once in `n` times.
fn flag(byte: u8, n: u8) -> bool {
    byte.is_multiple_of(n)
}

fn secs(byte: u8) -> u32 {
    u32::from(byte % 16) + 1
}
