//! Who is not let in, and where they are sent.

use std::time::Duration;

use hookwire_protocol::{
    Connect, ConnectReason, Disconnect, DisconnectReason, Packet, SubscribeReason, Version,
};

use super::peer::{Peer, connect_as, will};
use super::{Broker, Settings, broker_with};
use crate::config::{BanSettings, Config, Features, Redirect};
use crate::metrics::Limit;

/// Reason and server reference of the CONNACK.
async fn answer(broker: &Broker, connect: Connect) -> (ConnectReason, Option<String>) {
    let connack = Peer::dial(broker, connect).await.connack().await;
    let reference = connack.properties.server_reference;
    (connack.reason, reference.map(|reference| reference.to_string()))
}

fn ban() -> BanSettings {
    BanSettings {
        client_ids: ["eve".to_owned()].into(),
        usernames: ["mallory".to_owned()].into(),
        addresses: Vec::new(),
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_banned_is_refused() {
    let broker = broker_with(|config| config.ban = ban());
    let mut by_name = connect_as("x");
    by_name.username = Some("mallory".into());
    for connect in [connect_as("eve"), by_name] {
        assert_eq!(answer(&broker, connect).await, (ConnectReason::Banned, None));
    }
    let mut old = connect_as("eve");
    old.version = Version::V3_1_1;
    assert_eq!(answer(&broker, old).await, (ConnectReason::NotAuthorized, None));
    Peer::connect(&broker, "alice").await;
    assert_eq!(broker.metrics().limits.get(Limit::Ban), 3);
}

#[tokio::test(start_paused = true)]
async fn an_address_is_banned_for_all_who_come_from_it() {
    let network = "192.0.2.0/24".parse().expect("a network");
    let broker = broker_with(|config| config.ban.addresses = vec![network]);
    assert_eq!(
        answer(&broker, connect_as("alice")).await,
        (ConnectReason::Banned, None)
    );
}

#[tokio::test(start_paused = true)]
async fn who_is_connected_when_the_ban_comes_is_thrown_out() {
    let broker = broker_with(|_| {});
    let mut eve = Peer::connect(&broker, "eve").await;
    let mut alice = Peer::connect(&broker, "alice").await;
    broker.reconfigure(Settings::from(&Config {
        ban: ban(),
        ..Config::default()
    }));
    assert_eq!(eve.closed_with().await, DisconnectReason::AdministrativeAction);
    alice.hears_nothing().await;
}

#[tokio::test(start_paused = true)]
async fn one_who_comes_and_goes_too_often_is_refused_for_a_while() {
    let broker = broker_with(|config| config.flapping.connects_max = 3);
    for _ in 0..3 {
        Peer::connect(&broker, "flap")
            .await
            .disconnect(DisconnectReason::NormalDisconnection)
            .await;
    }
    assert_eq!(answer(&broker, connect_as("flap")).await.0, ConnectReason::Banned);
    assert_eq!(broker.metrics().limits.get(Limit::Flapping), 1);
    Peer::connect(&broker, "steady").await;
}

fn with_other_server(config: &mut Config) {
    config.session.sessions_max = 1;
    config.redirect = Some(Redirect {
        server: "other.example:1883".to_owned(),
        permanent: false,
    });
}

#[tokio::test(start_paused = true)]
async fn whoever_finds_no_room_is_sent_elsewhere() {
    let broker = broker_with(with_other_server);
    let _first = Peer::connect(&broker, "first").await;
    assert_eq!(
        answer(&broker, connect_as("second")).await,
        (
            ConnectReason::UseAnotherServer,
            Some("other.example:1883".to_owned())
        )
    );
    assert_eq!(broker.metrics().limits.get(Limit::SessionsMax), 1);
}

#[tokio::test(start_paused = true)]
async fn when_the_broker_stops_its_clients_are_sent_elsewhere() {
    let broker = broker_with(with_other_server);
    let mut peer = Peer::connect(&broker, "first").await;
    broker.close_all();
    let Some(Packet::Disconnect(Disconnect { reason, properties })) = peer.next().await else {
        panic!("expected DISCONNECT");
    };
    assert_eq!(reason, DisconnectReason::UseAnotherServer);
    assert_eq!(properties.server_reference.as_deref(), Some("other.example:1883"));
}

#[tokio::test(start_paused = true)]
async fn response_information_is_for_those_who_ask_and_whose_name_is_no_pattern() {
    let broker = broker_with(|config| config.session.response_information = Some("answers/%c/".to_owned()));
    for (client_id, asks, told) in [
        ("me", true, Some("answers/me/")),
        ("me", false, None),
        ("#", true, None),
        ("a/b", true, None),
    ] {
        let mut connect = connect_as(client_id);
        connect.properties.request_response_information = asks;
        let (_peer, connack) = Peer::connect_with(&broker, connect).await;
        assert_eq!(
            connack.properties.response_information.as_deref(),
            told,
            "{client_id}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_will_that_is_not_the_text_it_says_it_is_is_refused_if_somebody_looks() {
    for (looks, reason) in [
        (true, ConnectReason::PayloadFormatInvalid),
        (false, ConnectReason::Success),
    ] {
        let broker = broker_with(|config| config.limits.payload_format_check = looks);
        let mut bad = will("w");
        bad.payload = bytes::Bytes::from_static(b"\xFF");
        bad.properties.get_or_insert().payload_format_utf8 = Some(true);
        let connect = Connect {
            will: Some(bad),
            ..connect_as("c")
        };
        assert_eq!(answer(&broker, connect).await.0, reason);
    }
}

/// MQTT 3.1 has no code for a subscription that failed.
#[tokio::test(start_paused = true)]
async fn a_client_of_mqtt_3_1_is_granted_what_it_does_not_get() {
    for (version, reason) in [
        (Version::V3_1, SubscribeReason::GrantedQos1),
        (Version::V3_1_1, SubscribeReason::Unspecified),
        (Version::V5, SubscribeReason::QuotaExceeded),
    ] {
        let broker = broker_with(|config| config.session.subscriptions_max = 1);
        let mut connect = connect_as("c");
        connect.version = version;
        let mut peer = Peer::connect_with(&broker, connect).await.0;
        peer.subscribe("a").await;
        assert_eq!(peer.subscribe("b").await, reason, "{version:?}");
        let mut publisher = Peer::connect(&broker, "p").await;
        publisher.publish_acked("b", "not for it").await;
        peer.hears_nothing().await;
        assert_eq!(broker.metrics().limits.get(Limit::SubscriptionsMax), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn new_sessions_wait_until_there_is_memory() {
    let broker = broker_with(|config| config.limits.memory_max = Some(1));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(
        answer(&broker, connect_as("late")).await.0,
        ConnectReason::QuotaExceeded
    );
    broker.reconfigure(Settings::from(&Config::default()));
    tokio::time::sleep(Duration::from_secs(1)).await;
    Peer::connect(&broker, "late").await;
}

#[tokio::test(start_paused = true)]
async fn what_is_not_available_is_told_and_refused() {
    let none = Features {
        retain: false,
        wildcard_subscriptions: false,
        shared_subscriptions: false,
        subscription_identifiers: false,
    };
    let broker = broker_with(|config| config.limits.features = none);
    let (mut peer, connack) = Peer::connect_with(&broker, connect_as("c")).await;
    let told = connack.properties;
    for available in [
        told.retain_available,
        told.wildcard_subscription_available,
        told.shared_subscription_available,
        told.subscription_identifiers_available,
    ] {
        assert_eq!(available, Some(false));
    }
    assert_eq!(peer.subscribe("plain").await, SubscribeReason::GrantedQos1);

    for (filter, reason) in [
        ("a/+", DisconnectReason::WildcardSubscriptionsNotSupported),
        ("$share/g/a", DisconnectReason::SharedSubscriptionsNotSupported),
    ] {
        let mut peer = Peer::connect(&broker, "c").await;
        peer.ask_to_subscribe(filter, hookwire_protocol::QoS::AtMostOnce)
            .await;
        assert_eq!(peer.closed_with().await, reason);
    }
    let mut retained = will("w");
    retained.retain = true;
    let connect = Connect {
        will: Some(retained),
        ..connect_as("c")
    };
    assert_eq!(
        answer(&broker, connect).await.0,
        ConnectReason::RetainNotSupported
    );
}
