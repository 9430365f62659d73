//! Enhanced authentication: what the chain and the broker make of the steps of a plugin.

use std::sync::mpsc;

use bytestring::ByteString;
use hookwire_hooks::EnhancedStep;
use hookwire_protocol::{Auth, AuthProperties, AuthReason};

use super::*;
use crate::metrics::Limit;

const METHOD: &str = "test";

type Asked = (Option<Vec<u8>>, Option<Vec<u8>>);

/// A policy that answers each step of an exchange.
fn steps(step: impl Fn(Asked) -> EnhancedStep + Send + Sync + 'static) -> Policy {
    Policy {
        name: "steps",
        exchange: Some(Box::new(move |asked| Ok(step(asked)))),
        ..Policy::default()
    }
}

fn challenge(data: &'static str, state: &str) -> EnhancedStep {
    EnhancedStep::Challenge {
        data: Bytes::from_static(data.as_bytes()),
        state: state.into(),
    }
}

fn allow(grant: Grant) -> EnhancedStep {
    EnhancedStep::Allow {
        grant: Box::new(grant),
        data: Some(Bytes::from_static(b"welcome")),
    }
}

/// Asks once, and admits with `grant` whoever says the word.
fn asks_for(word: &'static str, grant: Grant) -> Policy {
    steps(move |(data, state)| match state.as_deref() {
        None => challenge("word?", "asked"),
        Some(b"asked") if data.as_deref() == Some(word.as_bytes()) => allow(grant.clone()),
        Some(_) => EnhancedStep::Deny(Denial::new(ConnectReason::NotAuthorized)),
    })
}

fn with_method(client_id: &str) -> hookwire_protocol::Connect {
    let mut connect = connect_as(client_id);
    connect.properties.authentication_method = Some(ByteString::from_static(METHOD));
    connect
}

impl Peer {
    async fn say(&mut self, reason: AuthReason, data: &'static str) {
        self.send(Packet::Auth(Box::new(Auth {
            reason,
            properties: AuthProperties {
                authentication_method: Some(ByteString::from_static(METHOD)),
                authentication_data: Some(Bytes::from_static(data.as_bytes())),
                ..AuthProperties::default()
            },
        })))
        .await;
    }

    async fn answer(&mut self, data: &'static str) {
        self.say(AuthReason::ContinueAuthentication, data).await;
    }

    /// Reason and data of the next packet, an AUTH.
    async fn auth(&mut self) -> (AuthReason, Option<Bytes>) {
        match self.next().await {
            Some(Packet::Auth(auth)) => (auth.reason, auth.properties.authentication_data),
            other => panic!("expected AUTH, got {other:?}"),
        }
    }

    async fn admitted(broker: &Broker, word: &'static str) -> Self {
        let mut peer = Self::dial(broker, with_method("c")).await;
        peer.auth().await;
        peer.answer(word).await;
        assert_eq!(peer.connack().await.reason, ConnectReason::Success);
        peer
    }
}

#[tokio::test(start_paused = true)]
async fn the_plugin_that_asked_hears_the_answer() {
    let broker = broker();
    install(
        &broker,
        vec![
            steps(|_| EnhancedStep::Next),
            asks_for("friend", Grant::default()),
            steps(|_| panic!("asked after somebody has begun")),
        ],
    );
    let mut peer = Peer::dial(&broker, with_method("c")).await;
    let question = (AuthReason::ContinueAuthentication, Some("word?".into()));
    assert_eq!(peer.auth().await, question);
    peer.answer("friend").await;
    let connack = peer.connack().await;
    assert_eq!(connack.reason, ConnectReason::Success);
    assert_eq!(connack.properties.authentication_method.as_deref(), Some(METHOD));
    assert_eq!(
        connack.properties.authentication_data.as_deref(),
        Some(&b"welcome"[..])
    );
}

#[tokio::test(start_paused = true)]
async fn a_method_that_every_plugin_leaves_to_others_is_bad() {
    let broker = broker();
    for policies in [vec![], vec![steps(|_| EnhancedStep::Next)]] {
        install(&broker, policies);
        let mut peer = Peer::dial(&broker, with_method("c")).await;
        assert_eq!(
            peer.connack().await.reason,
            ConnectReason::BadAuthenticationMethod
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_plugin_that_fails_admits_nobody() {
    for (on_failure, reason) in [
        (None, ConnectReason::ServerUnavailable),
        (Some(OnFailure::Pass), ConnectReason::BadAuthenticationMethod),
    ] {
        let broker = broker();
        let failing = Policy {
            exchange: Some(Box::new(|_| Err(failure()))),
            on_failure,
            ..Policy::default()
        };
        install(&broker, vec![failing]);
        let mut peer = Peer::dial(&broker, with_method("c")).await;
        assert_eq!(peer.connack().await.reason, reason);
    }
}

/// In the middle nobody else can go on, whatever a failure means otherwise.
#[tokio::test(start_paused = true)]
async fn a_plugin_that_fails_in_the_middle_admits_nobody() {
    let broker = broker();
    let failing = Policy {
        exchange: Some(Box::new(|(_, state)| match state {
            None => Ok(challenge("?", "")),
            Some(_) => Err(failure()),
        })),
        on_failure: Some(OnFailure::Pass),
        ..Policy::default()
    };
    install(&broker, vec![failing, asks_for("friend", Grant::default())]);
    let mut peer = Peer::dial(&broker, with_method("c")).await;
    peer.auth().await;
    peer.answer("friend").await;
    assert_eq!(peer.connack().await.reason, ConnectReason::ServerUnavailable);
}

#[tokio::test(start_paused = true)]
async fn an_exchange_is_ended_by_the_chain_that_began_it() {
    let broker = broker();
    install(&broker, vec![asks_for("old", Grant::default())]);
    let mut peer = Peer::dial(&broker, with_method("c")).await;
    peer.auth().await;
    install(&broker, vec![asks_for("new", Grant::default())]);
    peer.answer("old").await;
    assert_eq!(peer.connack().await.reason, ConnectReason::Success);
    Peer::admitted(&broker, "new").await.hears_nothing().await;
}

#[tokio::test(start_paused = true)]
async fn rounds_are_bounded() {
    let broker = broker_with(|config| config.limits.authentication_rounds_max = 3);
    install(&broker, vec![steps(|_| challenge("more", ""))]);
    let mut peer = Peer::dial(&broker, with_method("c")).await;
    for _ in 0..3 {
        peer.auth().await;
        peer.answer("").await;
    }
    assert_eq!(peer.connack().await.reason, ConnectReason::QuotaExceeded);
    assert_eq!(broker.metrics().limits.get(Limit::AuthenticationRoundsMax), 1);
}

#[tokio::test(start_paused = true)]
async fn so_are_those_of_a_live_connection() {
    let broker = broker_with(|config| config.limits.authentication_rounds_max = 3);
    install(&broker, vec![asks_for("friend", Grant::default())]);
    let mut peer = Peer::admitted(&broker, "friend").await;
    install(&broker, vec![steps(|_| challenge("more", ""))]);
    peer.say(AuthReason::ReAuthenticate, "").await;
    for _ in 0..3 {
        peer.auth().await;
        peer.answer("").await;
    }
    assert_eq!(peer.closed_with().await, DisconnectReason::QuotaExceeded);
    assert_eq!(broker.metrics().limits.get(Limit::AuthenticationRoundsMax), 1);
}

#[tokio::test(start_paused = true)]
async fn authenticating_again_changes_the_rights() {
    let broker = broker();
    let lets_publish_to = |topic: &'static str| Grant {
        rules: vec![
            (true, RuleAction::Publish, ByteString::from_static(topic)),
            (false, RuleAction::Publish, ByteString::from_static("#")),
        ],
        ..Grant::default()
    };
    install(&broker, vec![asks_for("first", lets_publish_to("a"))]);
    let mut peer = Peer::admitted(&broker, "first").await;
    let denied = PublishReason::NotAuthorized.code();
    assert_ne!(peer.publish_acked("a", "").await, denied);
    assert_eq!(peer.publish_acked("b", "").await, denied);

    install(&broker, vec![asks_for("second", lets_publish_to("b"))]);
    peer.say(AuthReason::ReAuthenticate, "").await;
    assert_eq!(peer.auth().await.0, AuthReason::ContinueAuthentication);
    assert_eq!(peer.publish_acked("b", "").await, denied, "not yet");
    peer.answer("second").await;
    assert_eq!(peer.auth().await, (AuthReason::Success, Some("welcome".into())));
    assert_eq!(peer.publish_acked("a", "").await, denied);
    assert_ne!(peer.publish_acked("b", "").await, denied);
}

/// The plugin thinks, on a thread of its own, and the connection goes on.
#[tokio::test(start_paused = true)]
async fn a_slow_plugin_does_not_hold_up_the_connection() {
    let broker = broker();
    install(&broker, vec![asks_for("friend", Grant::default())]);
    let mut peer = Peer::admitted(&broker, "friend").await;
    let (release, released) = mpsc::channel();
    let released = Mutex::new(released);
    install(
        &broker,
        vec![steps(move |_| {
            released.lock().recv().expect("the test goes on");
            allow(Grant::default())
        })],
    );
    peer.say(AuthReason::ReAuthenticate, "").await;
    for _ in 0..3 {
        peer.publish_acked("t", "meanwhile").await;
    }
    release.send(()).expect("the plugin waits");
    assert_eq!(peer.auth().await.0, AuthReason::Success);
}

#[tokio::test(start_paused = true)]
async fn a_silent_client_is_given_up() {
    let broker = broker();
    install(&broker, vec![asks_for("friend", Grant::default())]);
    let mut connecting = Peer::dial(&broker, with_method("silent")).await;
    connecting.auth().await;
    tokio::time::sleep(broker.settings().limits.connect_timeout).await;
    assert_eq!(connecting.connack().await.reason, ConnectReason::NotAuthorized);
}

#[tokio::test(start_paused = true)]
async fn a_session_does_not_change_hands() {
    let broker = broker();
    let named = |name: &'static str| Grant {
        username: Some(ByteString::from_static(name)),
        ..Grant::default()
    };
    install(&broker, vec![asks_for("alice's", named("alice"))]);
    let mut peer = Peer::admitted(&broker, "alice's").await;
    install(&broker, vec![asks_for("bob's", named("bob"))]);
    peer.say(AuthReason::ReAuthenticate, "").await;
    peer.auth().await;
    peer.answer("bob's").await;
    assert_eq!(peer.closed_with().await, DisconnectReason::NotAuthorized);
}
