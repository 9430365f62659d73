//! Wills.

use hookwire_protocol::{Disconnect, DisconnectReason, Packet, Version, Will};
use hookwire_tests::{Client, QoS, will};

use super::{BROKER, VERSIONS, client, lasting};

fn topic(name: &str, version: Version) -> String {
    format!("will/{name}/{}", version.as_str())
}

#[test]
fn a_will_is_published_when_the_connection_is_lost_and_once() {
    for version in VERSIONS {
        let topic = topic("lost", version);
        let mut listener = Client::connect(&BROKER, client(version, "will listener"));
        listener.subscribe(&topic, QoS::AtLeastOnce);
        let mut connect = client(version, "will lost");
        connect.will = Some(will(&topic, "gone"));
        Client::connect(&BROKER, connect).lose();
        let message = listener.receive();
        assert_eq!(message.brief(), (topic.as_str(), "gone"));
        assert!(!message.retain);
        // It was the will of that connection, and of no other.
        Client::connect(&BROKER, client(version, "will lost")).lose();
        Client::connect(&BROKER, client(version, "will lost")).disconnect();
        listener.expect_nothing();
    }
}

#[test]
fn a_disconnect_takes_the_will_away() {
    for version in VERSIONS {
        let topic = topic("taken away", version);
        let mut listener = Client::connect(&BROKER, client(version, "no will listener"));
        listener.subscribe(&topic, QoS::AtLeastOnce);
        let mut connect = client(version, "no will");
        connect.will = Some(will(&topic, "gone"));
        Client::connect(&BROKER, connect).disconnect();
        Client::connect(&BROKER, client(version, "no will")).disconnect();
        listener.expect_nothing();
    }
}

#[test]
fn a_disconnect_with_will_leaves_it() {
    let mut listener = Client::connect(&BROKER, client(Version::V5, "asked listener"));
    listener.subscribe("will/asked", QoS::AtLeastOnce);
    let mut connect = client(Version::V5, "asked");
    connect.will = Some(will("will/asked", "gone"));
    let mut asker = Client::connect(&BROKER, connect);
    asker.send(Packet::Disconnect(Disconnect::new(
        DisconnectReason::DisconnectWithWill,
    )));
    asker.expect_closed();
    assert_eq!(listener.receive().payload, "gone");
}

#[test]
fn a_will_is_retained_if_it_says_so_and_has_its_qos() {
    for version in VERSIONS {
        for (retain, qos) in [
            (false, QoS::AtMostOnce),
            (true, QoS::AtLeastOnce),
            (true, QoS::ExactlyOnce),
        ] {
            let topic = topic(&format!("retained {retain} {}", qos.as_u8()), version);
            let mut listener = Client::connect(&BROKER, client(version, "retained will listener"));
            listener.subscribe(&topic, QoS::ExactlyOnce);
            let mut connect = client(version, "retained will");
            connect.will = Some(Will {
                retain,
                qos,
                ..will(&topic, "gone")
            });
            Client::connect(&BROKER, connect).lose();
            assert_eq!(listener.receive().qos, qos);
            let mut late = Client::connect(&BROKER, client(version, "late to the will"));
            late.subscribe(&topic, QoS::AtMostOnce);
            if retain {
                assert!(late.receive().retain);
            }
            late.expect_nothing();
        }
    }
}

#[test]
fn a_client_that_is_back_in_time_takes_its_will_back() {
    let mut listener = Client::connect(&BROKER, client(Version::V5, "delay listener"));
    listener.subscribe("will/delay", QoS::AtLeastOnce);
    let mut connect = lasting(Version::V5, "delay");
    connect.will = Some(Will {
        delay_interval_secs: 1,
        ..will("will/delay", "gone")
    });
    Client::connect(&BROKER, connect.clone()).lose();
    let back = Client::connect(&BROKER, connect.clone());
    back.disconnect();
    // The second one is not taken back: it comes when its second is over, and it is the only one.
    Client::connect(&BROKER, connect).lose();
    assert_eq!(listener.receive().payload, "gone");
    listener.expect_nothing();
}

#[test]
fn a_will_keeps_its_properties_in_order() {
    let properties = hookwire_protocol::PublishPropertyValues {
        payload_format_utf8: Some(true),
        content_type: Some("text/plain".into()),
        user_properties: [("b", "2"), ("a", "1"), ("b", "1")]
            .map(|(name, value)| (name.into(), value.into()))
            .to_vec(),
        ..Default::default()
    };
    let mut listener = Client::connect(&BROKER, client(Version::V5, "will properties listener"));
    listener.subscribe("will/properties", QoS::AtLeastOnce);
    let mut connect = client(Version::V5, "will properties");
    connect.will = Some(Will {
        properties: properties.clone().into(),
        ..will("will/properties", "gone")
    });
    Client::connect(&BROKER, connect).lose();
    assert_eq!(listener.receive().properties.values(), Some(&properties));
}
