//! The page for persons, opened as a browser does.

use hookwire_protocol::PublishReason;
use hookwire_tests::{Broker, Client, QoS, RealClient, v5};

use crate::trapping;

#[test]
fn a_person_with_the_token_sees_the_plugin_that_traps() {
    const TOKEN: &str = "0123456789abcdef";
    let admin = format!("[admin]\naddress = \"127.0.0.1:0\"\ntoken = \"{TOKEN}\"\n");
    let broker = Broker::start(&(admin + &trapping()));
    let mut sender = Client::connect(&broker, v5("sender"));
    assert_eq!(
        sender.publish("t/fine", "", QoS::AtLeastOnce),
        PublishReason::NoMatchingSubscribers
    );
    for _ in 0..3 {
        let reason = sender.publish("t/evil", "", QoS::AtLeastOnce);
        assert_eq!(reason, PublishReason::ImplementationSpecific);
    }
    let address = broker.admin_address().to_string();
    let shown = RealClient::node(&broker, "dashboard.js", &[address.as_str(), TOKEN]).finish();
    for expected in [
        "stranger: a token is needed, 0 plugins",
        "figure: connected clients: 1",
        "plugin: trouble active",
        "| closed | pass 1 | trap 3",
        "error: on-publish: trap: panicked at",
        "script elements: 1",
    ] {
        assert!(shown.contains(expected), "{expected:?} in\n{shown}");
    }
}
