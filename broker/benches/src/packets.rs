//! Packets of the usual size.

use bytes::{Bytes, BytesMut};
use hookwire_protocol::{
    Delivery, Packet, PacketId, Puback, Publish, PublishProperties, PublishReason, PublishTopic, TopicName,
    Version, encode,
};

/// The topic of everything that is about one topic only.
pub const TOPIC: &str = "plant/7/line/3/temperature";

/// The same as a name.
pub fn topic() -> TopicName {
    TopicName::new(TOPIC).expect("a topic name")
}

/// The identifier of all that has one.
pub fn packet_id() -> PacketId {
    PacketId::new(7).expect("not zero")
}

/// A message of a client with so many bytes of payload.
pub fn publish(delivery: Delivery, payload: usize) -> Publish {
    Publish {
        dup: false,
        retain: false,
        delivery,
        topic: PublishTopic::Name {
            topic: topic(),
            alias: None,
        },
        payload: Bytes::from(vec![b'7'; payload]),
        properties: PublishProperties::default(),
    }
}

/// What answers a message of QoS 1.
pub fn puback() -> Packet {
    Packet::Puback(Puback::new(packet_id(), PublishReason::Success))
}

/// A packet as it goes over the wire.
pub fn bytes_of(packet: &Packet, version: Version) -> BytesMut {
    let mut bytes = BytesMut::new();
    encode(packet, version, &mut bytes);
    bytes
}
