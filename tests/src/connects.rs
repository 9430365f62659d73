//! CONNECT packets to begin with; tests change the fields that they are about.

use bytes::Bytes;
use bytestring::ByteString;
use hookwire_protocol::{Connect, ConnectProperties, PublishProperties, QoS, TopicName, Version, Will};

/// MQTT 5, clean start, no keep alive.
pub fn v5(client_id: &str) -> Connect {
    connect(Version::V5, client_id)
}

/// MQTT 3.1.1, clean session, no keep alive.
pub fn v311(client_id: &str) -> Connect {
    connect(Version::V3_1_1, client_id)
}

/// MQTT 3.1, clean session, no keep alive.
pub fn v31(client_id: &str) -> Connect {
    connect(Version::V3_1, client_id)
}

fn connect(version: Version, client_id: &str) -> Connect {
    Connect {
        version,
        bridge: false,
        clean_start: true,
        keep_alive_secs: 0,
        client_id: ByteString::from(client_id),
        username: None,
        password: None,
        will: None,
        properties: ConnectProperties::default(),
    }
}

/// A will with QoS 1, neither retained nor delayed.
pub fn will(topic: &str, payload: &str) -> Will {
    Will {
        topic: TopicName::new(topic).expect("a valid topic"),
        payload: Bytes::copy_from_slice(payload.as_bytes()),
        qos: QoS::AtLeastOnce,
        retain: false,
        delay_interval_secs: 0,
        properties: PublishProperties::NONE,
    }
}
