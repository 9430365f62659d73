//! PUBLISH on its way through the broker: properties, retained messages, aliases, sizes, expiry.

use std::num::{NonZeroU16, NonZeroU32};

use bytes::Bytes;
use hookwire_protocol::{
    ConnectProperties, Packet, PublishPropertyValues, PublishReason, PublishTopic, RetainHandling,
    SubscriptionOptions, TopicName, Version,
};
use hookwire_tests::{Client, QoS, publish, v5};

use super::{BROKER, VERSIONS, client, lasting};

fn options(qos: QoS) -> SubscriptionOptions {
    SubscriptionOptions {
        qos,
        ..SubscriptionOptions::default()
    }
}

#[test]
fn properties_are_passed_on_as_they_are_and_in_order() {
    let values = PublishPropertyValues {
        payload_format_utf8: Some(true),
        response_topic: TopicName::new("answers/here").ok(),
        correlation_data: Some(Bytes::from_static(&[0, 1, 255])),
        content_type: Some("text/plain".into()),
        user_properties: [("b", "2"), ("a", "1"), ("b", "1"), ("", "")]
            .map(|(name, value)| (name.into(), value.into()))
            .to_vec(),
        ..PublishPropertyValues::default()
    };
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
        let topic = format!("properties {}", qos.as_u8());
        let mut listener = Client::connect(&BROKER, client(Version::V5, "properties listener"));
        listener.subscribe(&topic, QoS::ExactlyOnce);
        let mut sender = Client::connect(&BROKER, client(Version::V5, "properties"));
        let mut packet = publish(&topic, "x", qos, 7);
        packet.properties = values.clone().into();
        packet.retain = true;
        sender.publish_packet(packet);
        assert_eq!(listener.receive().properties.values(), Some(&values), "live");
        let mut late = Client::connect(&BROKER, client(Version::V5, "late to properties"));
        late.subscribe(&topic, QoS::AtMostOnce);
        assert_eq!(late.receive().properties.values(), Some(&values), "retained");
        // To a client of MQTT 3.1.1 the same message has none.
        let mut old = Client::connect(&BROKER, client(Version::V3_1_1, "old properties"));
        old.subscribe(&topic, QoS::AtMostOnce);
        assert_eq!(old.receive().properties.values(), None);
    }
}

#[test]
fn a_retained_message_is_kept_replaced_and_removed() {
    for version in VERSIONS {
        let topic = format!("retained {}", version.as_str());
        let mut live = Client::connect(&BROKER, client(version, "live"));
        live.subscribe(&topic, QoS::ExactlyOnce);
        let mut sender = Client::connect(&BROKER, client(version, "retainer"));
        let hears = |expected: Option<&str>| {
            let mut late = Client::connect(&BROKER, client(version, "late"));
            late.subscribe(&topic, QoS::ExactlyOnce);
            if let Some(payload) = expected {
                let message = late.receive();
                assert_eq!((message.payload.as_str(), message.retain), (payload, true));
            }
            late.expect_nothing();
        };
        hears(None);
        sender.retain(&topic, "first");
        hears(Some("first"));
        sender.publish(&topic, "not retained", QoS::AtLeastOnce);
        hears(Some("first"));
        let mut second = publish(&topic, "second", QoS::AtMostOnce, 1);
        second.retain = true;
        sender.publish_packet(second);
        sender.expect_nothing();
        hears(Some("second"));
        sender.retain(&topic, "");
        hears(None);
        for payload in ["first", "not retained", "second", ""] {
            let message = live.receive();
            assert_eq!((message.payload.as_str(), message.retain), (payload, false));
        }
    }
}

#[test]
fn a_subscription_says_which_retained_messages_it_wants() {
    let mut sender = Client::connect(&BROKER, client(Version::V5, "handled"));
    sender.retain("handling", "kept");
    for (handling, first, again) in [
        (RetainHandling::SendAtSubscribe, true, true),
        (RetainHandling::SendIfNew, true, false),
        (RetainHandling::DoNotSend, false, false),
    ] {
        let mut listener = Client::connect(&BROKER, client(Version::V5, "handling"));
        for is_sent in [first, again] {
            let options = SubscriptionOptions {
                retain_handling: handling,
                ..options(QoS::AtMostOnce)
            };
            listener.subscribe_with("handling", options);
            if is_sent {
                assert_eq!(listener.receive().payload, "kept");
            }
            listener.expect_nothing();
        }
    }
}

#[test]
fn the_retain_flag_is_kept_where_the_subscription_says_so() {
    for (keeps, retain) in [(false, true), (true, true), (true, false)] {
        let mut listener = Client::connect(&BROKER, client(Version::V5, "as published"));
        let options = SubscriptionOptions {
            retain_as_published: keeps,
            retain_handling: RetainHandling::DoNotSend,
            ..options(QoS::AtLeastOnce)
        };
        listener.subscribe_with("as published", options);
        let mut sender = Client::connect(&BROKER, client(Version::V5, "as published by"));
        let mut packet = publish("as published", "x", QoS::AtLeastOnce, 1);
        packet.retain = retain;
        sender.publish_packet(packet);
        assert_eq!(listener.receive().retain, keeps && retain);
    }
}

#[test]
fn aliases_of_a_client_hold_for_its_connection() {
    let mut listener = Client::connect(&BROKER, client(Version::V5, "alias listener"));
    listener.subscribe("alias/+", QoS::AtMostOnce);
    let connect = lasting(Version::V5, "alias");
    let mut sender = Client::connect(&BROKER, connect.clone());
    let most = sender.connack().properties.topic_alias_maximum.expect("aliases");
    let alias = |number: u16| NonZeroU16::new(number).expect("not zero");
    let named = |name: &str, number| PublishTopic::Name {
        topic: TopicName::new(name).expect("a topic"),
        alias: Some(alias(number)),
    };
    for (topic, arrives_at) in [
        (named("alias/one", 1), "alias/one"),
        (named("alias/last", most), "alias/last"),
        (PublishTopic::Alias(alias(1)), "alias/one"),
        (PublishTopic::Alias(alias(most)), "alias/last"),
        (named("alias/other", 1), "alias/other"),
        (PublishTopic::Alias(alias(1)), "alias/other"),
    ] {
        let mut packet = publish("unused", "x", QoS::AtMostOnce, 1);
        packet.topic = topic;
        sender.publish_packet(packet);
        assert_eq!(listener.receive().topic, arrives_at);
    }
    sender.lose();
    let mut back = Client::connect(&BROKER, connect);
    assert!(back.connack().session_present);
    let mut packet = publish("unused", "x", QoS::AtMostOnce, 1);
    packet.topic = PublishTopic::Alias(alias(1));
    back.send(Packet::Publish(packet));
    back.expect_disconnect(hookwire_protocol::DisconnectReason::ProtocolError);
}

#[test]
fn aliases_to_a_client_are_within_what_it_takes() {
    for most in [0, 1, 3] {
        let mut connect = client(Version::V5, "aliases taken");
        connect.properties.topic_alias_maximum = most;
        let mut listener = Client::connect(&BROKER, connect);
        let name = format!("aliases taken/{most}");
        listener.subscribe(&format!("{name}/+"), QoS::AtMostOnce);
        let mut sender = Client::connect(&BROKER, client(Version::V5, "aliases given"));
        let mut meant = std::collections::HashMap::new();
        for n in 0..20 {
            let topic = format!("{name}/{}", n % 5);
            sender.publish(&topic, "x", QoS::AtLeastOnce);
            let arrived = match listener.expect_publish().topic {
                PublishTopic::Name { topic, alias } => {
                    if let Some(alias) = alias {
                        assert!(alias.get() <= most, "{alias} of {most}");
                        meant.insert(alias, topic.as_str().to_owned());
                    }
                    topic.as_str().to_owned()
                }
                PublishTopic::Alias(alias) => meant[&alias].clone(),
            };
            assert_eq!(arrived, topic);
        }
        assert_eq!(meant.is_empty(), most == 0);
    }
}

#[test]
fn what_is_too_large_for_a_client_is_not_sent_to_it() {
    let mut connect = client(Version::V5, "small");
    connect.properties = ConnectProperties {
        maximum_packet_size: NonZeroU32::new(40),
        request_problem_information: true,
        ..ConnectProperties::default()
    };
    let mut small = Client::connect(&BROKER, connect);
    small.subscribe("size", QoS::AtLeastOnce);
    let mut sender = Client::connect(&BROKER, client(Version::V5, "large"));
    // "size" at QoS 1 takes 11 bytes beside its payload.
    for (len, arrives) in [(29, true), (30, false), (1000, false), (1, true)] {
        sender.publish("size", "x".repeat(len), QoS::AtLeastOnce);
        if arrives {
            assert_eq!(small.receive().payload.len(), len);
        }
        small.expect_nothing();
    }
    // Its acknowledgements leave out what makes them too large.
    let reason = small.publish("$SYS/mine", "x", QoS::AtLeastOnce);
    assert_eq!(reason, PublishReason::NotAuthorized);
}

#[test]
fn a_packet_too_large_for_the_broker_ends_the_connection() {
    let mut sender = Client::connect(&BROKER, v5("too large"));
    let most = sender
        .connack()
        .properties
        .maximum_packet_size
        .expect("a maximum");
    let mut header = vec![0x30];
    let mut rest = most.get();
    while rest > 0 {
        let more = if rest > 127 { 0x80 } else { 0 };
        header.push(u8::try_from(rest % 128).expect("seven bits") | more);
        rest /= 128;
    }
    sender.send_bytes(&header);
    sender.expect_disconnect(hookwire_protocol::DisconnectReason::PacketTooLarge);
}

#[test]
fn a_message_expires_and_says_how_long_it_still_has() {
    let connect = lasting(Version::V5, "expiry listener");
    let mut listener = Client::connect(&BROKER, connect.clone());
    listener.subscribe("expiry", QoS::ExactlyOnce);
    listener.lose();
    let mut sender = Client::connect(&BROKER, client(Version::V5, "expiry"));
    for (payload, secs, qos) in [
        ("short", 1, QoS::AtLeastOnce),
        ("long", 100, QoS::AtLeastOnce),
        ("short", 1, QoS::ExactlyOnce),
        ("longer", 1000, QoS::ExactlyOnce),
    ] {
        let id = sender.fresh_id().get();
        let mut packet = publish("expiry", payload, qos, id);
        packet.properties = PublishPropertyValues {
            message_expiry_interval_secs: Some(secs),
            ..PublishPropertyValues::default()
        }
        .into();
        sender.publish_packet(packet);
    }
    super::let_pass(2, "expiry");
    let mut back = Client::connect(&BROKER, connect);
    for (payload, secs) in [("long", 100), ("longer", 1000)] {
        let message = back.receive();
        assert_eq!(message.payload, payload);
        let left = message
            .properties
            .values()
            .and_then(|values| values.message_expiry_interval_secs)
            .expect("an expiry interval");
        assert!(left < secs && left + 60 > secs, "{left} of {secs}");
    }
    back.expect_nothing();
}

#[test]
fn topics_are_compared_byte_by_byte() {
    for version in VERSIONS {
        let topics = [
            "norm/a",
            "norm/A",
            "norm/a/",
            "norm//a",
            "/norm/a",
            "norm/ a",
            "norm/\u{e9}",
            "norm/e\u{301}",
            "norm/\u{1}",
            "norm/*",
            "norm/a.b",
            "norm/a>b",
        ];
        let mut sender = Client::connect(&BROKER, client(version, "norm"));
        for filter in topics {
            let mut listener = Client::connect(&BROKER, client(version, "norm listener"));
            listener.subscribe(filter, QoS::AtMostOnce);
            for topic in topics {
                sender.publish(topic, topic, QoS::AtLeastOnce);
            }
            assert_eq!(listener.receive().topic, filter);
            listener.expect_nothing();
        }
    }
}

#[test]
fn wildcards_do_not_reach_topics_with_a_dollar() {
    for version in VERSIONS {
        let mut listener = Client::connect(&BROKER, client(version, "dollar listener"));
        listener.subscribe("#", QoS::AtMostOnce);
        listener.subscribe("+/dollar", QoS::AtMostOnce);
        let mut own = Client::connect(&BROKER, client(version, "dollar owner"));
        let topic = format!("$own{}/dollar", version.as_str());
        own.subscribe(&topic, QoS::AtMostOnce);
        let mut sender = Client::connect(&BROKER, client(version, "dollar"));
        sender.publish(&topic, "x", QoS::AtLeastOnce);
        assert_eq!(own.receive().topic, topic);
        let fence = format!("fence {}", version.as_str());
        sender.publish(&fence, "x", QoS::AtLeastOnce);
        loop {
            let heard = listener.receive().topic;
            assert!(!heard.starts_with('$'), "{heard}");
            if heard == fence {
                break;
            }
        }
    }
}

#[test]
fn reason_strings_are_for_those_who_want_them_and_have_room() {
    let rules = "rules = [{ topic = \"#\", reject = \"nothing pleases\" }]\n";
    let broker = hookwire_tests::Broker::start(&hookwire_tests::bundled("content-router", "", rules));
    for (wants, most, told) in [
        (true, None, Some("nothing pleases")),
        (false, None, None),
        (true, NonZeroU32::new(20), None),
    ] {
        for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
            let mut connect = v5("refused");
            connect.properties.request_problem_information = wants;
            connect.properties.maximum_packet_size = most;
            let mut sender = Client::connect(&broker, connect);
            sender.send(Packet::Publish(publish("t", "x", qos, 1)));
            let properties = match sender.next_packet() {
                Some(Packet::Puback(puback)) => puback.properties,
                Some(Packet::Pubrec(pubrec)) => pubrec.properties,
                other => panic!("expected an acknowledgement, got {other:?}"),
            };
            assert_eq!(properties.reason_string.as_deref(), told);
            sender.disconnect();
        }
    }
}
