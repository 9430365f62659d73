//! A client that says exactly what a test wants it to say, and hears exactly what it is told.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;

use bytes::BytesMut;
use bytestring::ByteString;
use hookwire_protocol::{
    Auth, Connack, Connect, ConnectReason, DecodeLimits, Decoder, Delivery, Disconnect, DisconnectReason,
    Packet, PacketId, Puback, Pubcomp, Publish, PublishReason, Pubrec, Pubrel, PubrelReason, QoS, Suback,
    Subscribe, SubscribeFilter, SubscribeReason, SubscriptionOptions, TopicLimits, Unsuback, Unsubscribe,
    UnsubscribeReason, UserProperties, Version,
};

use crate::{Broker, Message, PATIENCE, publish};

/// Everything that the broker may send.
const LIMITS: DecodeLimits = DecodeLimits {
    packet_bytes_max: 256 << 20,
    user_properties_max: usize::MAX,
    user_property_bytes_max: usize::MAX,
    filters_max: usize::MAX,
    subscription_identifiers_max: usize::MAX,
    topic: TopicLimits {
        levels_max: usize::MAX,
        bytes_max: usize::MAX,
    },
};

/// One connection. A packet that was not expected fails the test.
#[derive(Debug)]
pub struct Client {
    name: String,
    stream: TcpStream,
    decoder: Decoder,
    received: BytesMut,
    /// Packets that came while another was waited for.
    deferred: VecDeque<Packet>,
    connack: Option<Connack>,
    next_id: PacketId,
}

/// A packet that can be waited for by its type: `client.expect::<Suback>()`.
pub trait Expected: Sized {
    /// The name of the packet.
    const NAME: &'static str;

    /// The packet, if it is of this type.
    fn from_packet(packet: &Packet) -> Option<Self>;
}

macro_rules! expected {
    ($($name:ident),+) => {$(
        impl Expected for $name {
            const NAME: &'static str = stringify!($name);

            fn from_packet(packet: &Packet) -> Option<Self> {
                match packet {
                    Packet::$name(packet) => Some($name::clone(packet)),
                    _ => None,
                }
            }
        }
    )+};
}
expected!(
    Auth, Connack, Publish, Puback, Pubrec, Pubrel, Pubcomp, Suback, Unsuback, Disconnect
);

impl Client {
    /// Opens a connection and says nothing yet.
    #[track_caller]
    pub fn open(broker: &Broker, version: Version) -> Self {
        let stream = TcpStream::connect(broker.address()).expect("the broker listens");
        stream
            .set_read_timeout(Some(PATIENCE))
            .expect("a time-out can be set");
        stream
            .set_write_timeout(Some(PATIENCE))
            .expect("a time-out can be set");
        stream.set_nodelay(true).expect("nagling can be turned off");
        Self {
            name: "unnamed".to_owned(),
            stream,
            decoder: Decoder {
                version,
                limits: LIMITS,
            },
            received: BytesMut::new(),
            deferred: VecDeque::new(),
            connack: None,
            next_id: PacketId::FIRST,
        }
    }

    /// Connects and is admitted.
    #[track_caller]
    pub fn connect(broker: &Broker, connect: Connect) -> Self {
        let mut client = Self::begin(broker, connect);
        client.admitted();
        client
    }

    /// Opens a connection and sends CONNECT, without waiting for the answer.
    #[track_caller]
    pub fn begin(broker: &Broker, connect: Connect) -> Self {
        let mut client = Self::open(broker, connect.version);
        client.name = connect.client_id.to_string();
        client.send(Packet::Connect(Box::new(connect)));
        client
    }

    /// Waits for the CONNACK that admits it.
    #[track_caller]
    pub fn admitted(&mut self) {
        let connack = self.expect::<Connack>();
        assert_eq!(
            connack.reason,
            ConnectReason::Success,
            "{}: refused: {connack:?}",
            self.name
        );
        self.connack = Some(connack);
    }

    /// Connects, is refused, sees the connection closed, and returns the answer.
    #[track_caller]
    pub fn refused(broker: &Broker, connect: Connect) -> Connack {
        let mut client = Self::begin(broker, connect);
        let connack = client.expect::<Connack>();
        assert_ne!(
            connack.reason,
            ConnectReason::Success,
            "{}: should have been refused",
            client.name
        );
        client.expect_closed();
        connack
    }

    /// The CONNACK that admitted it.
    pub fn connack(&self) -> &Connack {
        self.connack.as_ref().expect("admitted by connect()")
    }

    // ---- saying

    /// Sends a packet.
    #[track_caller]
    pub fn send(&mut self, packet: Packet) {
        let mut bytes = BytesMut::new();
        hookwire_protocol::encode(&packet, self.decoder.version, &mut bytes);
        self.send_bytes(&bytes);
    }

    /// Sends packets in one piece, so that the broker reads them together.
    #[track_caller]
    pub fn send_together(&mut self, packets: impl IntoIterator<Item = Packet>) {
        let mut bytes = BytesMut::new();
        for packet in packets {
            hookwire_protocol::encode(&packet, self.decoder.version, &mut bytes);
        }
        self.send_bytes(&bytes);
    }

    /// Sends bytes as they are.
    #[track_caller]
    pub fn send_bytes(&mut self, bytes: &[u8]) {
        self.stream
            .write_all(bytes)
            .unwrap_or_else(|error| panic!("{}: cannot send: {error}", self.name));
    }

    /// Sends bytes that the broker may no longer want: it may close the connection while they are on their way.
    pub fn try_send_bytes(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// Sends a packet that the broker may no longer want.
    pub fn send_if_open(&mut self, packet: Packet) {
        let mut bytes = BytesMut::new();
        hookwire_protocol::encode(&packet, self.decoder.version, &mut bytes);
        self.try_send_bytes(&bytes);
    }

    /// A packet identifier that it has not used of late.
    pub fn fresh_id(&mut self) -> PacketId {
        let id = self.next_id;
        self.next_id = id.next();
        id
    }

    /// Subscribes to one filter and is granted the QoS.
    #[track_caller]
    pub fn subscribe(&mut self, filter: &str, qos: QoS) {
        let reason = self.try_subscribe(filter, qos);
        assert_eq!(
            reason,
            SubscribeReason::granted(qos),
            "{}: subscription to {filter}",
            self.name
        );
    }

    /// Subscribes to one filter and returns what the SUBACK says.
    #[track_caller]
    pub fn try_subscribe(&mut self, filter: &str, qos: QoS) -> SubscribeReason {
        self.subscribe_with(
            filter,
            SubscriptionOptions {
                qos,
                ..SubscriptionOptions::default()
            },
        )
    }

    /// Subscribes to one filter with options and returns what the SUBACK says.
    #[track_caller]
    pub fn subscribe_with(&mut self, filter: &str, options: SubscriptionOptions) -> SubscribeReason {
        let packet_id = self.fresh_id();
        self.send(Packet::Subscribe(Subscribe {
            packet_id,
            subscription_identifier: None,
            user_properties: UserProperties::new(),
            filters: vec![SubscribeFilter {
                filter: ByteString::from(filter),
                options,
            }],
        }));
        let suback: Suback = self.answer(|suback: &Suback| suback.packet_id == packet_id);
        suback.reasons[0]
    }

    /// Unsubscribes from one filter and returns what the UNSUBACK says.
    #[track_caller]
    pub fn unsubscribe(&mut self, filter: &str) -> UnsubscribeReason {
        let packet_id = self.fresh_id();
        self.send(Packet::Unsubscribe(Unsubscribe {
            packet_id,
            user_properties: UserProperties::new(),
            filters: vec![ByteString::from(filter)],
        }));
        let unsuback: Unsuback = self.answer(|unsuback: &Unsuback| unsuback.packet_id == packet_id);
        unsuback
            .reasons
            .first()
            .copied()
            .unwrap_or(UnsubscribeReason::Success)
    }

    /// Publishes, sees the exchange of its QoS through, and returns the reason of the acknowledgement; success with QoS 0.
    #[track_caller]
    pub fn publish(&mut self, topic: &str, payload: impl AsRef<[u8]>, qos: QoS) -> PublishReason {
        let packet_id = self.fresh_id();
        self.publish_packet(publish(topic, payload, qos, packet_id.get()))
    }

    /// Publishes with the retain flag.
    #[track_caller]
    pub fn retain(&mut self, topic: &str, payload: &str) -> PublishReason {
        let packet_id = self.fresh_id();
        self.publish_packet(Publish {
            retain: true,
            ..publish(topic, payload, QoS::AtLeastOnce, packet_id.get())
        })
    }

    /// Publishes any packet and sees the exchange through.
    #[track_caller]
    pub fn publish_packet(&mut self, publish: Publish) -> PublishReason {
        let delivery = publish.delivery;
        self.send(Packet::Publish(publish));
        match delivery {
            Delivery::AtMostOnce => PublishReason::Success,
            Delivery::AtLeastOnce(id) => self.answer(|puback: &Puback| puback.packet_id == id).reason,
            Delivery::ExactlyOnce(id) => {
                let reason = self.answer(|pubrec: &Pubrec| pubrec.packet_id == id).reason;
                if !reason.is_error() {
                    self.send(Packet::Pubrel(Pubrel::new(id, PubrelReason::Success)));
                    self.answer(|pubcomp: &Pubcomp| pubcomp.packet_id == id);
                }
                reason
            }
        }
    }

    /// Says goodbye in the normal way and sees the connection closed.
    #[track_caller]
    pub fn disconnect(mut self) {
        self.send(Packet::Disconnect(Disconnect::new(
            DisconnectReason::NormalDisconnection,
        )));
        self.expect_closed();
    }

    /// Loses the connection without a word.
    pub fn lose(self) {
        drop(self);
    }

    // ---- hearing

    /// The next packet, whatever it is; none when the connection is closed.
    #[track_caller]
    pub fn next_packet(&mut self) -> Option<Packet> {
        self.deferred.pop_front().or_else(|| self.read_packet())
    }

    #[track_caller]
    fn read_packet(&mut self) -> Option<Packet> {
        loop {
            match self.decoder.decode(&mut self.received) {
                Ok(Some(packet)) => return Some(packet),
                Ok(None) => {}
                Err(error) => panic!(
                    "{}: the broker sent no packet: {error}, {:?}",
                    self.name, self.received
                ),
            }
            let mut chunk = [0; 16 * 1024];
            match self.stream.read(&mut chunk) {
                Ok(0) => return None,
                Ok(n) => self.received.extend_from_slice(&chunk[..n]),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return None,
                Err(error) => panic!("{}: nothing came: {error}", self.name),
            }
        }
    }

    /// The next packet, which must be of this type.
    #[track_caller]
    pub fn expect<P: Expected>(&mut self) -> P {
        let packet = self.next_packet();
        packet
            .as_ref()
            .and_then(P::from_packet)
            .unwrap_or_else(|| panic!("{}: expected {}, got {packet:?}", self.name, P::NAME))
    }

    /// The next packet, which must be a PUBLISH. It is not acknowledged; see [`Client::receive`].
    #[track_caller]
    pub fn expect_publish(&mut self) -> Publish {
        self.expect()
    }

    /// The next message, acknowledged as its QoS wants it.
    #[track_caller]
    pub fn receive(&mut self) -> Message {
        let publish = self.expect_publish();
        self.acknowledge(publish.delivery);
        Message::from(&publish)
    }

    /// So many messages, acknowledged.
    #[track_caller]
    pub fn receive_all(&mut self, count: usize) -> Vec<Message> {
        (0..count).map(|_| self.receive()).collect()
    }

    /// Acknowledges a message to the end.
    #[track_caller]
    pub fn acknowledge(&mut self, delivery: Delivery) {
        match delivery {
            Delivery::AtMostOnce => {}
            Delivery::AtLeastOnce(id) => self.send(Packet::Puback(Puback::new(id, PublishReason::Success))),
            Delivery::ExactlyOnce(id) => {
                self.send(Packet::Pubrec(Pubrec::new(id, PublishReason::Success)));
                self.answer(|pubrel: &Pubrel| pubrel.packet_id == id);
                self.send(Packet::Pubcomp(Pubcomp::new(id, PubrelReason::Success)));
            }
        }
    }

    /// The answer that fits; what comes before it is kept for later.
    #[track_caller]
    pub fn answer<P: Expected>(&mut self, fits: impl Fn(&P) -> bool) -> P {
        if let Some(at) = self
            .deferred
            .iter()
            .position(|packet| P::from_packet(packet).is_some_and(|p| fits(&p)))
        {
            return self
                .deferred
                .remove(at)
                .as_ref()
                .and_then(P::from_packet)
                .expect("found above");
        }
        loop {
            let Some(packet) = self.read_packet() else {
                panic!(
                    "{}: closed while waiting for {}, after {:?}",
                    self.name,
                    P::NAME,
                    self.deferred
                );
            };
            match P::from_packet(&packet).filter(&fits) {
                Some(answer) => return answer,
                None => self.deferred.push_back(packet),
            }
        }
    }

    /// The connection is closed, and nothing was said before.
    #[track_caller]
    pub fn expect_closed(&mut self) {
        let packet = self.next_packet();
        assert!(
            packet.is_none(),
            "{}: expected the end of the connection, got {packet:?}",
            self.name
        );
    }

    /// The connection is closed for this reason. MQTT 5 clients are told, others are not.
    #[track_caller]
    pub fn expect_disconnect(&mut self, reason: DisconnectReason) {
        if self.decoder.version == Version::V5 {
            assert_eq!(
                self.expect::<Disconnect>().reason,
                reason,
                "{}: reason of the DISCONNECT",
                self.name
            );
        }
        self.expect_closed();
    }

    /// A fence: nothing has come, and nothing that others have been promised is still on its way to us.
    #[track_caller]
    pub fn expect_nothing(&mut self) {
        self.send(Packet::Pingreq);
        let packet = self.next_packet();
        assert_eq!(packet, Some(Packet::Pingresp), "{}: expected nothing", self.name);
    }

    /// Everything until the connection is closed, as bytes.
    #[track_caller]
    pub fn hear_out(&mut self) -> Vec<u8> {
        let mut heard = self.received.split().to_vec();
        match self.stream.read_to_end(&mut heard) {
            Err(error) if error.kind() != ErrorKind::ConnectionReset => {
                panic!("{}: not closed: {error}", self.name)
            }
            _ => heard,
        }
    }
}
