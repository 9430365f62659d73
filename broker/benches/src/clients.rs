//! Clients as the broker sees them, and what they are sent.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use bytestring::ByteString;
use hookwire::config::Config;
use hookwire::session::{Admission, Delivered, Identity, Outbox, Session};
use hookwire_hooks::{ClientKey, Grant, Message, Source};
use hookwire_protocol::{Connect, ConnectProperties, PublishProperties, QoS, Version};

use crate::packets::topic;

/// A message of the client with the key 1.
pub fn message(qos: QoS, payload: usize) -> Message {
    Message {
        source: Source::Client(ClientKey(1)),
        topic: topic(),
        payload: Bytes::from(vec![b'7'; payload]),
        qos,
        retain: false,
        properties: PublishProperties::default(),
        expires_at: None,
    }
}

/// The session of a client of MQTT 5 that has just connected.
pub fn session(key: u64, now: Instant) -> Session {
    let config = Config::default();
    let client_id = ByteString::from(format!("client-{key}"));
    let connect = Connect {
        version: Version::V5,
        bridge: false,
        clean_start: true,
        keep_alive_secs: 0,
        client_id: client_id.clone(),
        username: None,
        password: None,
        will: None,
        properties: ConnectProperties::default(),
    };
    let identity = Identity {
        client_id: client_id.clone(),
        is_assigned: false,
    };
    let (key, grant) = (ClientKey(key), Grant::default());
    let admission = Admission::settle(key, &connect, &identity, &grant, &config.limits, &config.session)
        .expect("an acceptable CONNECT");
    let mut session = Session::new(admission.terms.clone());
    session.attach(now, admission.terms, &admission.connack);
    session
}

/// What one of many recipients of a message gets.
pub fn delivered(qos: QoS) -> Delivered {
    Delivered {
        message: Arc::new(message(qos, 64)),
        qos,
        retain: false,
        subscription_ids: Default::default(),
        shared: None,
        original: None,
    }
}

/// Takes what is to be written and throws it away, as a socket does that is never full.
pub fn write(session: &mut Session, now: Instant, out: &mut Outbox) {
    session.poll_output(now, out);
    out.clear();
}
