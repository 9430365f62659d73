//! What a session keeps, and for how long; keep alive.

use hookwire_protocol::{Connect, Disconnect, DisconnectReason, Packet, SubscribeReason, Version};
use hookwire_tests::{Client, QoS, v5};

use super::{BROKER, VERSIONS, client, lasting, let_pass};

#[test]
fn a_kept_session_has_its_subscriptions_and_its_messages() {
    for version in VERSIONS {
        let topic = format!("kept {}", version.as_str());
        let connect = lasting(version, "kept");
        let mut listener = Client::connect(&BROKER, connect.clone());
        listener.subscribe(&topic, QoS::ExactlyOnce);
        listener.lose();
        let mut sender = Client::connect(&BROKER, client(version, "kept by"));
        for (payload, qos) in [
            ("0", QoS::AtMostOnce),
            ("1", QoS::AtLeastOnce),
            ("2", QoS::ExactlyOnce),
        ] {
            sender.publish(&topic, payload, qos);
        }
        let mut back = Client::connect(&BROKER, connect);
        assert!(back.connack().session_present);
        assert_eq!(back.receive().payload, "1");
        assert_eq!(back.receive().payload, "2");
        sender.publish(&topic, "3", QoS::AtLeastOnce);
        assert_eq!(back.receive().payload, "3");
        back.disconnect();
    }
}

#[test]
fn a_clean_start_has_nothing_of_the_session_before() {
    for version in VERSIONS {
        let topic = format!("clean {}", version.as_str());
        let connect = lasting(version, "clean");
        let mut listener = Client::connect(&BROKER, connect.clone());
        listener.subscribe(&topic, QoS::ExactlyOnce);
        let mut sender = Client::connect(&BROKER, client(version, "clean by"));
        sender.retain(&format!("{topic} retained"), "stays");
        sender.publish(&topic, "unacknowledged", QoS::AtLeastOnce);
        listener.expect_publish();
        listener.lose();
        sender.publish(&topic, "queued", QoS::AtLeastOnce);
        let clean = Connect {
            clean_start: true,
            ..connect
        };
        let mut back = Client::connect(&BROKER, clean);
        assert!(!back.connack().session_present);
        sender.publish(&topic, "live", QoS::AtLeastOnce);
        back.expect_nothing();
        // What is retained belongs to no session.
        back.subscribe(&format!("{topic} retained"), QoS::AtMostOnce);
        assert_eq!(back.receive().payload, "stays");
    }
}

#[test]
fn a_session_ends_with_its_connection_or_with_its_expiry() {
    let with_expiry = |secs| {
        let mut connect = v5(&format!("expiring {secs:?}"));
        connect.clean_start = false;
        connect.properties.session_expiry_interval = secs;
        connect
    };
    for secs in [None, Some(0)] {
        for _ in 0..2 {
            let client = Client::connect(&BROKER, with_expiry(secs));
            assert!(!client.connack().session_present);
            client.disconnect();
        }
    }
    let brief = with_expiry(Some(1));
    Client::connect(&BROKER, brief.clone()).disconnect();
    assert!(Client::connect(&BROKER, brief.clone()).connack().session_present);
    // It stays as long as its connection, however long that is.
    let mut open = Client::connect(&BROKER, brief.clone());
    let_pass(2, "still open");
    open.expect_nothing();
    open.lose();
    assert!(Client::connect(&BROKER, brief.clone()).connack().session_present);
    let_pass(2, "expired");
    assert!(!Client::connect(&BROKER, brief).connack().session_present);
}

#[test]
fn a_disconnect_may_change_the_expiry_but_not_from_zero() {
    let mut goodbye = Disconnect::new(DisconnectReason::NormalDisconnection);
    goodbye.properties.session_expiry_interval = Some(0);
    let connect = lasting(Version::V5, "changed expiry");
    let mut leaving = Client::connect(&BROKER, connect.clone());
    leaving.send(Packet::Disconnect(goodbye.clone()));
    leaving.expect_closed();
    assert!(!Client::connect(&BROKER, connect).connack().session_present);

    goodbye.properties.session_expiry_interval = Some(60);
    let mut raising = Client::connect(&BROKER, client(Version::V5, "raised expiry"));
    raising.send(Packet::Disconnect(goodbye));
    raising.expect_disconnect(DisconnectReason::ProtocolError);
}

#[test]
fn silence_for_one_and_a_half_keep_alives_ends_the_connection() {
    for version in VERSIONS {
        let mut connect = client(version, "silent");
        connect.keep_alive_secs = 1;
        let mut silent = Client::connect(&BROKER, connect);
        silent.expect_disconnect(DisconnectReason::KeepAliveTimeout);
    }
}

/// So far ahead it is no timer of its own that tells.
#[test]
fn silence_for_one_and_a_half_longer_keep_alives_ends_the_connection() {
    let mut connect = client(Version::V5, "silent for longer");
    connect.keep_alive_secs = 8;
    let mut silent = Client::connect(&BROKER, connect);
    silent.expect_disconnect(DisconnectReason::KeepAliveTimeout);
}

#[test]
fn a_client_is_known_by_its_id_alone() {
    for version in VERSIONS {
        let connect = lasting(version, "case");
        let mut one = Client::connect(&BROKER, connect.clone());
        assert_eq!(
            one.try_subscribe("ids", QoS::AtLeastOnce),
            SubscribeReason::GrantedQos1
        );
        one.disconnect();
        for other in ["CASE", "case ", "cas\u{e9}"] {
            let mut other_case = connect.clone();
            other_case.client_id = connect.client_id.replace("case", other).into();
            let other = Client::connect(&BROKER, other_case);
            assert!(!other.connack().session_present);
            other.disconnect();
        }
        assert!(Client::connect(&BROKER, connect).connack().session_present);
    }
}
