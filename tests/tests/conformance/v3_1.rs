//! What MQTT 3.1 says otherwise than 3.1.1.

use hookwire_protocol::{Connect, ConnectReason};
use hookwire_tests::{Broker, Client, QoS, bundled, v5, v31};

use super::BROKER;

#[test]
fn client_ids_have_1_to_23_characters() {
    Client::connect(&BROKER, v31(&"x".repeat(23))).disconnect();
    for id in [String::new(), "x".repeat(24)] {
        assert_eq!(
            Client::refused(&BROKER, v31(&id)).reason,
            ConnectReason::ClientIdentifierNotValid
        );
    }
}

#[test]
fn longer_client_ids_can_be_allowed() {
    let broker = Broker::start("[limits]\nmqtt_3_1_client_id_bytes_max = 30\n");
    Client::connect(&broker, v31(&"x".repeat(30))).disconnect();
    Client::refused(&broker, v31(&"x".repeat(31)));
}

/// There is no code for a subscription that failed: it is answered like any other, and brings nothing.
#[test]
fn a_refused_subscription_brings_nothing() {
    let rules = "rules = [{ allow = \"publish\", topic = \"#\" }]\n";
    let broker = Broker::start(&bundled("acl", "grant = { clients = true }", rules));
    let mut old = Client::connect(&broker, v31("old"));
    old.subscribe("secret", QoS::AtLeastOnce);
    Client::connect(&broker, v5("sender")).publish("secret", "x", QoS::AtLeastOnce);
    old.expect_nothing();
}

#[test]
fn a_kept_session_goes_on_without_a_word_of_it() {
    let connect = Connect {
        clean_start: false,
        ..v31("kept 3.1")
    };
    let mut first = Client::connect(&BROKER, connect.clone());
    first.subscribe("kept 3.1", QoS::AtLeastOnce);
    first.disconnect();
    Client::connect(&BROKER, v5("kept 3.1 by")).publish("kept 3.1", "x", QoS::AtLeastOnce);
    let mut second = Client::connect(&BROKER, connect);
    assert!(!second.connack().session_present, "the flag is not MQTT 3.1's");
    assert_eq!(second.receive().payload, "x");
}
