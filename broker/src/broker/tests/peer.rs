//! A client in the same process, at the other end of an in-memory stream.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use hookwire_protocol::{
    Connack, Connect, ConnectProperties, Decoder, Delivery, Disconnect, DisconnectReason, Packet, PacketId,
    Puback, Publish, PublishProperties, PublishReason, PublishTopic, QoS, RetainHandling, Subscribe,
    SubscribeFilter, SubscribeReason, SubscriptionOptions, TopicName, Version, Will,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use crate::broker::{Admits, Arrival, Broker};
use crate::net;

/// Long enough for anything that is to come; with the clock paused it costs nothing.
const SOON: Duration = Duration::from_secs(5);

/// What a connection takes that nobody reads from.
pub(super) const PIPE_BYTES: usize = 1 << 20;

pub(super) struct Peer {
    stream: DuplexStream,
    received: BytesMut,
    version: Version,
}

pub(super) fn connect_as(client_id: &str) -> Connect {
    Connect {
        version: Version::V5,
        bridge: false,
        clean_start: true,
        keep_alive_secs: 0,
        client_id: client_id.to_owned().into(),
        username: None,
        password: None,
        will: None,
        properties: ConnectProperties {
            request_problem_information: true,
            ..ConnectProperties::default()
        },
    }
}

pub(super) fn will(topic_name: &str) -> Will {
    Will {
        topic: topic(topic_name),
        payload: Bytes::from_static(b"gone"),
        qos: QoS::AtLeastOnce,
        retain: false,
        delay_interval_secs: 0,
        properties: PublishProperties::default(),
    }
}

pub(super) fn topic(name: &str) -> TopicName {
    TopicName::new(name.to_owned()).expect("a topic name")
}

impl Peer {
    /// Opens a connection and sends CONNECT; what comes back is the test's to look at.
    pub(super) async fn dial(broker: &Broker, connect: Connect) -> Self {
        let (near, far) = tokio::io::duplex(PIPE_BYTES);
        let arrival = Arrival {
            address: ([192, 0, 2, 1], 1234).into(),
            listener: "test".into(),
            admits_anonymous: Admits {
                without_authenticator: true,
                with_authenticator: false,
            },
        };
        tokio::spawn(net::serve(far, broker.clone(), arrival, None));
        let mut peer = Self {
            stream: near,
            received: BytesMut::new(),
            version: connect.version,
        };
        peer.send(Packet::Connect(Box::new(connect))).await;
        peer
    }

    pub(super) async fn connect(broker: &Broker, client_id: &str) -> Self {
        Self::connect_with(broker, connect_as(client_id)).await.0
    }

    pub(super) async fn connect_with(broker: &Broker, connect: Connect) -> (Self, Connack) {
        let mut peer = Self::dial(broker, connect).await;
        let connack = peer.connack().await;
        assert!(!connack.reason.is_error(), "refused: {connack:?}");
        (peer, connack)
    }

    pub(super) async fn send(&mut self, packet: Packet) {
        let mut bytes = BytesMut::new();
        hookwire_protocol::encode(&packet, self.version, &mut bytes);
        self.stream.write_all(&bytes).await.expect("the broker reads");
    }

    /// The next packet; `None` when the broker has closed.
    pub(super) async fn next(&mut self) -> Option<Packet> {
        let decoder = Decoder {
            version: self.version,
            limits: hookwire_protocol::DecodeLimits::default(),
        };
        loop {
            if let Some(packet) = decoder.decode(&mut self.received).expect("well-formed packets") {
                return Some(packet);
            }
            let read = tokio::time::timeout(SOON, self.stream.read_buf(&mut self.received)).await;
            if read.expect("something in time").unwrap_or(0) == 0 {
                return None;
            }
        }
    }

    pub(super) async fn connack(&mut self) -> Connack {
        match self.next().await {
            Some(Packet::Connack(connack)) => *connack,
            other => panic!("expected CONNACK, got {other:?}"),
        }
    }

    pub(super) async fn publish(&mut self, topic_name: &str, payload: &str, delivery: Delivery) {
        self.send(Packet::Publish(message(topic_name, payload, delivery)))
            .await;
    }

    /// Sends a message once more.
    pub(super) async fn publish_again(&mut self, topic_name: &str, payload: &str, delivery: Delivery) {
        self.send(Packet::Publish(Publish {
            dup: true,
            ..message(topic_name, payload, delivery)
        }))
        .await;
    }

    /// Publishes with QoS 1 and the RETAIN flag.
    pub(super) async fn retain(&mut self, topic_name: &str, payload: &str) {
        self.retain_with(topic_name, payload, PublishProperties::default())
            .await;
    }

    pub(super) async fn retain_with(
        &mut self,
        topic_name: &str,
        payload: &str,
        properties: PublishProperties,
    ) {
        self.send(Packet::Publish(Publish {
            retain: true,
            properties,
            ..message(topic_name, payload, Delivery::AtLeastOnce(id(1)))
        }))
        .await;
        let answer = self.next().await;
        assert!(matches!(answer, Some(Packet::Puback(_))), "{answer:?}");
    }

    pub(super) async fn send_bytes(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.expect("the broker reads");
    }

    /// Publishes with QoS 1 and tells the reason code of the answer.
    pub(super) async fn publish_acked(&mut self, topic_name: &str, payload: &str) -> u8 {
        self.publish(topic_name, payload, Delivery::AtLeastOnce(id(1)))
            .await;
        match self.next().await {
            Some(Packet::Puback(puback)) => puback.reason.code(),
            other => panic!("expected PUBACK, got {other:?}"),
        }
    }

    pub(super) async fn subscribe(&mut self, filter: &str) -> SubscribeReason {
        self.subscribe_at(filter, QoS::AtLeastOnce).await
    }

    pub(super) async fn subscribe_at(&mut self, filter: &str, qos: QoS) -> SubscribeReason {
        self.ask_to_subscribe(filter, qos).await;
        match self.next().await {
            Some(Packet::Suback(suback)) => suback.reasons[0],
            other => panic!("expected SUBACK, got {other:?}"),
        }
    }

    /// Sends SUBSCRIBE; what comes back is the test's to look at.
    pub(super) async fn ask_to_subscribe(&mut self, filter: &str, qos: QoS) {
        let options = SubscriptionOptions {
            qos,
            no_local: false,
            retain_as_published: false,
            retain_handling: RetainHandling::SendAtSubscribe,
        };
        self.send(Packet::Subscribe(Subscribe {
            packet_id: id(9),
            subscription_identifier: None,
            user_properties: Vec::new(),
            filters: vec![SubscribeFilter {
                filter: filter.to_owned().into(),
                options,
            }],
        }))
        .await;
    }

    /// The next PUBLISH as it came.
    pub(super) async fn publish_packet(&mut self) -> Publish {
        match self.next().await {
            Some(Packet::Publish(publish)) => publish,
            other => panic!("expected PUBLISH, got {other:?}"),
        }
    }

    /// Acknowledges a QoS 1 message.
    pub(super) async fn acknowledge(&mut self, publish: &Publish) {
        let packet_id = publish.delivery.packet_id().expect("QoS 1");
        self.send(Packet::Puback(Puback::new(packet_id, PublishReason::Success)))
            .await;
    }

    /// The topic and payload of the next PUBLISH.
    pub(super) async fn message(&mut self) -> (String, String) {
        match self.next().await {
            Some(Packet::Publish(Publish {
                topic: PublishTopic::Name { topic, .. },
                payload,
                ..
            })) => (topic.to_string(), String::from_utf8_lossy(&payload).into_owned()),
            other => panic!("expected PUBLISH, got {other:?}"),
        }
    }

    /// Nothing has come, as an answered ping shows.
    pub(super) async fn hears_nothing(&mut self) {
        self.send(Packet::Pingreq).await;
        let next = self.next().await;
        assert!(
            matches!(next, Some(Packet::Pingresp)),
            "expected nothing, got {next:?}"
        );
    }

    /// The broker says DISCONNECT and closes.
    pub(super) async fn closed_with(&mut self) -> DisconnectReason {
        let reason = match self.next().await {
            Some(Packet::Disconnect(disconnect)) => disconnect.reason,
            other => panic!("expected DISCONNECT, got {other:?}"),
        };
        assert!(self.next().await.is_none(), "closed after DISCONNECT");
        reason
    }

    pub(super) async fn disconnect(mut self, reason: DisconnectReason) {
        self.send(Packet::Disconnect(Disconnect {
            reason,
            properties: Default::default(),
        }))
        .await;
        while self.next().await.is_some() {}
    }
}

pub(super) fn message(topic_name: &str, payload: &str, delivery: Delivery) -> Publish {
    Publish {
        dup: false,
        retain: false,
        delivery,
        topic: PublishTopic::Name {
            topic: topic(topic_name),
            alias: None,
        },
        payload: Bytes::from(payload.to_owned()),
        properties: PublishProperties::default(),
    }
}

pub(super) fn id(n: u16) -> PacketId {
    PacketId::new(n).expect("not zero")
}
