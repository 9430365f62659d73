//! Chains of plugins, and the messages that they are asked about.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use hookwire_hooks::{Chain, Defaults, Message, NoHost, Plugin, Publication};
use hookwire_plugin_host::{HostLimits, PluginHost, PluginSource, PluginSpec};
use hookwire_protocol::{
    DecodeLimits, Decoder, Delivery, FrameHeader, Packet, Publish, PublishTopic, QoS, Version,
};
use hookwire_tests::guest;

use crate::clients::message;
use crate::packets::publish;

/// Messages that the broker judges in one go under load, or half of them; of QoS 0 it can be eight times as many.
pub const RUN: usize = 128;

/// A plugin host that plugins are loaded into.
pub struct Policies {
    host: PluginHost,
}

impl Policies {
    /// The engine, and no plugin yet.
    pub fn start() -> Self {
        let host = PluginHost::new(HostLimits::default(), Arc::new(NoHost)).expect("the engine starts");
        Self { host }
    }

    /// So many plugins of one guest.
    pub fn chain(&self, name: &str, plugins: usize, change: impl Fn(&mut PluginSpec)) -> Chain {
        let plugins = (0..plugins)
            .map(|index| {
                let mut spec = PluginSpec::new(format!("{name}-{index}"), PluginSource::Path(guest(name)));
                change(&mut spec);
                self.host.load(&spec).expect("it loads") as Arc<dyn Plugin>
            })
            .collect();
        Chain::new(1, plugins, Defaults::default())
    }
}

/// A run of messages as they come to the chain, and what they were read as.
#[derive(Clone)]
pub struct Run {
    packets: Bytes,
    messages: Vec<Publication>,
}

impl Run {
    /// So many messages, with so many bytes of payload.
    pub fn new(length: usize, payload: usize) -> Self {
        let mut packets = BytesMut::new();
        let publish = publish(Delivery::AtMostOnce, payload);
        (0..length).for_each(|_| publish.encode(Version::V3_1_1, &mut packets));
        let packets = packets.freeze();
        let messages = published(&packets).map(as_message).map(Publication::new);
        Self {
            messages: messages.collect(),
            packets,
        }
    }

    /// Asks a chain about all of them.
    pub fn judge(&mut self, chain: &Chain) {
        chain.on_publish_as_read(&mut self.messages, &self.packets);
    }

    /// How many they are.
    pub fn len(&self) -> usize {
        self.messages.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }
}

/// The messages of some packets, as pieces of them.
fn published(packets: &Bytes) -> impl Iterator<Item = Publish> {
    let decoder = Decoder {
        version: Version::V3_1_1,
        limits: DecodeLimits::default(),
    };
    let mut at = 0;
    std::iter::from_fn(move || {
        let header = FrameHeader::peek(&packets[at..]).expect("a packet")?;
        let packet = decoder.decode_frame(packets, at, header).expect("a packet");
        at += header.total_len();
        match packet {
            Packet::Publish(publish) => Some(publish),
            _ => None,
        }
    })
}

fn as_message(publish: Publish) -> Message {
    let message = message(QoS::AtMostOnce, 0);
    match publish.topic {
        PublishTopic::Name { topic, .. } => Message {
            topic,
            payload: publish.payload,
            ..message
        },
        PublishTopic::Alias(_) => message,
    }
}
