//! What a publisher sends, whatever it is, reaches subscribers as valid packets of their version or not at all.

use std::io;

use bytes::BytesMut;
use bytestring::ByteString;
use hookwire::broker::{Admits, Arrival, Broker, Settings};
use hookwire::config::Config;
use hookwire::net;
use hookwire_protocol::{
    AckProperties, Connect, ConnectProperties, DecodeLimits, Decoder, Delivery, Packet, PacketId, Puback,
    Pubcomp, PublishReason, Pubrec, PubrelReason, QoS, Subscribe, SubscribeFilter, SubscriptionOptions,
    UserProperties, Version,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

const VERSIONS: [Version; 3] = [Version::V3_1, Version::V3_1_1, Version::V5];

/// A client whose packets are decoded strictly.
struct Party {
    stream: DuplexStream,
    decoder: Decoder,
    received: BytesMut,
}

impl Party {
    async fn connect(broker: &Broker, name: &str, version: Version) -> Result<Self, String> {
        let (near, far) = tokio::io::duplex(1 << 20);
        let arrival = Arrival {
            address: ([192, 0, 2, 1], 1234).into(),
            listener: "checks".into(),
            admits_anonymous: Admits {
                without_authenticator: true,
                with_authenticator: true,
            },
        };
        tokio::spawn(net::serve(far, broker.clone(), arrival, None));
        let mut party = Self {
            stream: near,
            decoder: Decoder::new(version, DecodeLimits::default()),
            received: BytesMut::new(),
        };
        let connect = Connect {
            version,
            bridge: false,
            clean_start: true,
            keep_alive_secs: 0,
            client_id: ByteString::from(name),
            username: None,
            password: None,
            will: None,
            properties: ConnectProperties::default(),
        };
        party.send(&Packet::Connect(Box::new(connect))).await;
        match party.next().await? {
            Some(Packet::Connack(_)) => Ok(party),
            other => Err(format!("not admitted: {other:?}")),
        }
    }

    /// The broker may have closed the connection.
    async fn send(&mut self, packet: &Packet) {
        let mut bytes = BytesMut::new();
        hookwire_protocol::encode(packet, self.decoder.version, &mut bytes);
        let _ = self.stream.write_all(&bytes).await;
    }

    async fn next(&mut self) -> Result<Option<Packet>, String> {
        loop {
            let decoded = self.decoder.decode(&mut self.received);
            if let Some(packet) = decoded.map_err(|error| format!("{error} in {:?}", self.received))? {
                return Ok(Some(packet));
            }
            let read: io::Result<usize> = self.stream.read_buf(&mut self.received).await;
            if read.unwrap_or(0) == 0 {
                return Ok(None);
            }
        }
    }

    /// Reads, and acknowledges, until its ping is answered.
    async fn hear_out(&mut self) -> Result<(), String> {
        self.send(&Packet::Pingreq).await;
        loop {
            match self.next().await? {
                None => return Err("a subscriber was disconnected".into()),
                Some(Packet::Pingresp) => return Ok(()),
                Some(Packet::Publish(publish)) => match publish.delivery {
                    Delivery::AtMostOnce => {}
                    Delivery::AtLeastOnce(id) => {
                        self.send(&Packet::Puback(Puback::new(id, PublishReason::Success)))
                            .await;
                    }
                    Delivery::ExactlyOnce(id) => {
                        self.send(&Packet::Pubrec(Pubrec::new(id, PublishReason::Success)))
                            .await;
                    }
                },
                Some(Packet::Pubrel(pubrel)) => {
                    self.send(&Packet::Pubcomp(Pubcomp {
                        packet_id: pubrel.packet_id,
                        reason: PubrelReason::Success,
                        properties: AckProperties::default(),
                    }))
                    .await;
                }
                Some(_) => {}
            }
        }
    }
}

/// The first byte chooses the publisher's version; the rest is what it sends behind its CONNECT.
///
/// # Errors
/// What a subscriber was sent that it must not be sent.
pub fn two_party(bytes: &[u8]) -> Result<(), String> {
    let Some((choice, sent)) = bytes.split_first() else {
        return Ok(());
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .map_err(|error| error.to_string())?;
    runtime.block_on(async {
        let broker = Broker::new(Settings::from(&Config::default())).map_err(|error| error.to_string())?;
        let mut subscribers = Vec::new();
        for version in VERSIONS {
            let mut subscriber = Party::connect(&broker, version.as_str(), version).await?;
            subscriber.send(&subscribe()).await;
            subscriber.hear_out().await?;
            subscribers.push(subscriber);
        }
        let version = VERSIONS[usize::from(*choice) % VERSIONS.len()];
        let mut publisher = Party::connect(&broker, "publisher", version).await?;
        let _ = publisher.stream.write_all(sent).await;
        // Its answers are packets, too, up to the end of the connection if it comes to that.
        publisher.send(&Packet::Pingreq).await;
        drop(publisher.stream.shutdown().await);
        while publisher.next().await?.is_some() {}
        for subscriber in &mut subscribers {
            subscriber.hear_out().await?;
        }
        Ok(())
    })
}

fn subscribe() -> Packet {
    Packet::Subscribe(Subscribe {
        packet_id: PacketId::FIRST,
        subscription_identifier: None,
        user_properties: UserProperties::new(),
        filters: vec![SubscribeFilter {
            filter: ByteString::from_static("#"),
            options: SubscriptionOptions {
                qos: QoS::ExactlyOnce,
                ..SubscriptionOptions::default()
            },
        }],
    })
}
