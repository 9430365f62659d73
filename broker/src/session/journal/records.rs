//! Records about sessions themselves.

use std::time::{Duration, Instant};

use bytes::Bytes;
use bytestring::ByteString;
use hookwire_hooks::{KeptEntry, Message, RuleAction, WillCause, WillDelays};
use hookwire_protocol::{RetainHandling, SubscriptionOptions, TopicName, Version};

use super::codec::{Decoder, Encoder, Unreadable};
use super::message;
use crate::clock;
use crate::session::RetainedOutline;

/// A session, as it is stored.
#[derive(Debug, Clone)]
pub struct SessionRecord {
    /// Whose it is.
    pub owner: Owner,
    /// How long it outlives its connection.
    pub expiry: Duration,
    /// When its connection ended, milliseconds since 1970; `None`: it had one when the broker stopped.
    pub gone_at_ms: Option<u64>,
    /// Messages up to this number were sent before.
    pub sent_to: u64,
    /// Prefix of all its topics.
    pub mount_point: Option<ByteString>,
    /// The will of the connection that it had, and its delay.
    pub will: Option<(Message, Duration)>,
}

/// Who a session belongs to, and what its grant said.
#[derive(Debug, Clone)]
pub struct Owner {
    /// Client id.
    pub client_id: ByteString,
    /// User name.
    pub username: Option<ByteString>,
    /// Remote address and port of the last connection.
    pub address: String,
    /// The listener that it came in at.
    pub listener: String,
    /// MQTT version.
    pub version: Version,
    /// When it came, milliseconds since 1970.
    pub connected_at_ms: u64,
    /// Facts that the admitting plugin attached.
    pub attributes: Vec<(ByteString, ByteString)>,
    /// Everything is allowed.
    pub superuser: bool,
    /// Topic rules, placeholders resolved.
    pub rules: Vec<(bool, RuleAction, ByteString)>,
}

/// A will that waits, as it is stored.
#[derive(Debug)]
pub struct WillRecord {
    /// Who left it.
    pub owner: Owner,
    /// What is to be published.
    pub message: Message,
    /// Why the connection ended.
    pub cause: WillCause,
    /// When it is due, milliseconds since 1970.
    pub due_at_ms: u64,
    /// How often and how long policies have held it back.
    pub delays: WillDelays,
}

impl SessionRecord {
    /// As it is stored.
    pub fn encode(&self) -> Vec<u8> {
        let mut record = Encoder::with_room(256);
        self.owner.encode(&mut record);
        record
            .u64(self.expiry.as_secs())
            .option(self.gone_at_ms, |record, at| {
                record.u64(at);
            })
            .u64(self.sent_to)
            .option(self.mount_point.as_ref(), |record, mount| {
                record.text(mount);
            })
            .option(self.will.as_ref(), |record, (message, delay)| {
                record.u64(delay.as_secs());
                put_message(record, message);
            });
        record.finish()
    }

    /// What [`SessionRecord::encode`] has written.
    pub fn decode(value: Vec<u8>) -> Result<Self, Unreadable> {
        let mut record = Decoder::new(value);
        let decoded = Self {
            owner: Owner::decode(&mut record)?,
            expiry: Duration::from_secs(record.u64()?),
            gone_at_ms: record.option(Decoder::u64)?,
            sent_to: record.u64()?,
            mount_point: record.option(Decoder::text)?,
            will: record.option(|record| {
                let delay = Duration::from_secs(record.u64()?);
                Ok((take_message(record)?, delay))
            })?,
        };
        record.finish()?;
        Ok(decoded)
    }
}

impl Owner {
    fn encode(&self, record: &mut Encoder) {
        record
            .text(&self.client_id)
            .option(self.username.as_ref(), |record, name| {
                record.text(name);
            })
            .text(&self.address)
            .text(&self.listener)
            .u8(self.version.level())
            .u64(self.connected_at_ms)
            .u32(count(self.attributes.len()));
        for (name, value) in &self.attributes {
            record.text(name).text(value);
        }
        record.u8(u8::from(self.superuser)).u32(count(self.rules.len()));
        for (allow, action, filter) in &self.rules {
            record.u8(u8::from(*allow)).u8(*action as u8).text(filter);
        }
    }

    fn decode(record: &mut Decoder) -> Result<Self, Unreadable> {
        Ok(Self {
            client_id: record.text()?,
            username: record.option(Decoder::text)?,
            address: record.text()?.to_string(),
            listener: record.text()?.to_string(),
            version: version(record.u8()?)?,
            connected_at_ms: record.u64()?,
            attributes: many(record, |record| Ok((record.text()?, record.text()?)))?,
            superuser: record.bool()?,
            rules: many(record, |record| {
                Ok((record.bool()?, action(record.u8()?)?, record.text()?))
            })?,
        })
    }
}

impl WillRecord {
    /// As it is stored.
    pub fn encode(&self) -> Vec<u8> {
        let mut record = Encoder::with_room(256);
        self.owner.encode(&mut record);
        record
            .u8(self.cause as u8)
            .u64(self.due_at_ms)
            .u32(self.delays.times)
            .u64(self.delays.total.as_secs());
        put_message(&mut record, &self.message);
        record.finish()
    }

    /// What [`WillRecord::encode`] has written.
    pub fn decode(value: Vec<u8>) -> Result<Self, Unreadable> {
        let mut record = Decoder::new(value);
        let decoded = Self {
            owner: Owner::decode(&mut record)?,
            cause: cause(record.u8()?)?,
            due_at_ms: record.u64()?,
            delays: WillDelays {
                times: record.u32()?,
                total: Duration::from_secs(record.u64()?),
            },
            message: take_message(&mut record)?,
        };
        record.finish()?;
        Ok(decoded)
    }
}

/// A subscription, as it is stored.
pub fn encode_subscription(options: SubscriptionOptions, id: Option<u32>) -> Vec<u8> {
    let mut record = Encoder::with_room(8);
    let flags = options.qos as u8
        | u8::from(options.no_local) << 2
        | u8::from(options.retain_as_published) << 3
        | (options.retain_handling as u8) << 4;
    record.u8(flags).u32(id.unwrap_or(0));
    record.finish()
}

/// What [`encode_subscription`] has written.
pub fn decode_subscription(value: Vec<u8>) -> Result<(SubscriptionOptions, Option<u32>), Unreadable> {
    let mut record = Decoder::new(value);
    let flags = record.u8()?;
    let id = record.u32()?;
    record.finish()?;
    let options = SubscriptionOptions {
        qos: message::qos(flags & 3)?,
        no_local: flags & 4 > 0,
        retain_as_published: flags & 8 > 0,
        retain_handling: RetainHandling::from_u8(flags >> 4).ok_or(Unreadable)?,
    };
    Ok((options, Some(id).filter(|&id| id > 0)))
}

/// A retained message, as it is stored, and who published it where that is to be known.
pub fn encode_retained(message: &Message, source: Option<&Owner>) -> Vec<u8> {
    let mut record = Encoder::with_room(16 + message::encoded_len(message));
    record.u64(message::expiry(message));
    if let Some(source) = source {
        let mut owner = Encoder::with_room(256);
        source.encode(&mut owner);
        record.u8(SOURCE).bytes(&owner.finish());
    }
    message::encode(message, &mut record);
    record.finish()
}

/// Follows the expiry of a retained message whose publisher is known. No message begins with it.
const SOURCE: u8 = 8;

/// What [`encode_retained`] has written; who published it is still as it is stored.
fn take_retained(value: Vec<u8>, now: Instant) -> Result<(Message, Option<Bytes>), Unreadable> {
    let mut record = Decoder::new(value);
    let expires_ms = record.u64()?;
    let source = record.skip(SOURCE).then(|| record.bytes()).transpose()?;
    let mut message = message::decode(record)?;
    message.expires_at = message::expires_at(&message, expires_ms, now);
    Ok((message, source))
}

/// The message that [`encode_retained`] has written.
pub fn decode_retained(value: Vec<u8>, now: Instant) -> Result<Message, Unreadable> {
    take_retained(value, now).map(|(message, _)| message)
}

/// What [`encode_retained`] has written, but for the content.
#[derive(Debug)]
pub struct StoredRetained {
    /// Its topic.
    pub topic: TopicName,
    /// What need not be read of it.
    pub outline: RetainedOutline,
    /// Who published it, for [`decode_source`].
    pub source: Option<Bytes>,
}

/// What [`encode_retained`] has written, but for the content.
pub fn outline_retained(value: Vec<u8>, now: Instant) -> Result<StoredRetained, Unreadable> {
    let (message, source) = take_retained(value, now)?;
    Ok(StoredRetained {
        outline: RetainedOutline::of(&message),
        topic: message.topic,
        source,
    })
}

/// Who published a retained message.
pub fn decode_source(source: &[u8]) -> Result<Owner, Unreadable> {
    let mut record = Decoder::new(source.to_vec());
    let owner = Owner::decode(&mut record)?;
    record.finish()?;
    Ok(owner)
}

/// An entry of a plugin's store, as it is stored.
pub fn encode_entry(entry: &KeptEntry) -> Vec<u8> {
    let mut record = Encoder::with_room(10 + entry.value.len());
    record
        .u8(u8::from(entry.is_number))
        .option(entry.ends, |record, ends| {
            record.u64(clock::unix_ms_at(ends));
        })
        .rest(&entry.value);
    record.finish()
}

/// What [`encode_entry`] has written; `None` if its time is over.
pub fn decode_entry(value: Vec<u8>, now: Instant) -> Result<Option<KeptEntry>, Unreadable> {
    let mut record = Decoder::new(value);
    let is_number = record.bool()?;
    let ends = record.option(Decoder::u64)?;
    let ends = ends.map(|ends_ms| clock::instant_of(ends_ms, now));
    Ok(Some(KeptEntry {
        is_number,
        ends,
        value: record.rest().to_vec(),
    })
    .filter(|_| ends.is_none_or(|ends| ends > now)))
}

/// A single number, as it is stored.
pub fn encode_number(number: u64) -> Vec<u8> {
    number.to_be_bytes().to_vec()
}

/// What [`encode_number`] has written.
pub fn decode_number(value: Vec<u8>) -> Result<u64, Unreadable> {
    let mut record = Decoder::new(value);
    let number = record.u64()?;
    record.finish()?;
    Ok(number)
}

fn put_message(record: &mut Encoder, message: &Message) {
    let mut content = Encoder::default();
    message::encode(message, &mut content);
    record.bytes(&content.finish());
}

fn take_message(record: &mut Decoder) -> Result<Message, Unreadable> {
    message::decode(Decoder::new(record.bytes()?.to_vec()))
}

fn count(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

fn many<T>(
    record: &mut Decoder,
    read: impl Fn(&mut Decoder) -> Result<T, Unreadable>,
) -> Result<Vec<T>, Unreadable> {
    (0..record.u32()?).map(|_| read(record)).collect()
}

fn version(level: u8) -> Result<Version, Unreadable> {
    [Version::V3_1, Version::V3_1_1, Version::V5]
        .into_iter()
        .find(|version| version.level() == level)
        .ok_or(Unreadable)
}

fn action(number: u8) -> Result<RuleAction, Unreadable> {
    [RuleAction::Publish, RuleAction::Subscribe, RuleAction::Both]
        .into_iter()
        .find(|action| *action as u8 == number)
        .ok_or(Unreadable)
}

fn cause(number: u8) -> Result<WillCause, Unreadable> {
    [
        WillCause::ConnectionLost,
        WillCause::KeepAliveTimeout,
        WillCause::ProtocolError,
        WillCause::Requested,
        WillCause::TakenOver,
        WillCause::Kicked,
        WillCause::ServerShutdown,
    ]
    .into_iter()
    .find(|cause| *cause as u8 == number)
    .ok_or(Unreadable)
}
