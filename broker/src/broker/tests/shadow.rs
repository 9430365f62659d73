//! Shadows: asked, compared, not obeyed.

use hookwire_hooks::{Hook, Message};

use super::policy::Compared;
use super::*;

/// The same policy as a shadow, and what will be found out about it.
fn as_shadow(policy: Policy) -> (Policy, Compared) {
    let compared = Compared::default();
    let shadow = Policy {
        name: "shadow",
        shadow: Some(Arc::clone(&compared)),
        ..policy
    };
    (shadow, compared)
}

/// What the chain did, what the shadow would have done, and whether that comes to the same, once for each question.
fn told(compared: &Compared, hook: Hook) -> Vec<(&'static str, &'static str, bool)> {
    let compared = std::mem::take(&mut *compared.lock());
    let of_hook = compared.into_iter().filter(|(of, _)| *of == hook);
    of_hook
        .map(|(_, told)| (told.chain, told.shadow, told.agrees))
        .collect()
}

fn by_topic_replacing(payload: &'static str) -> impl Fn(&Message) -> Verdict {
    move |message| match message.topic.as_str() {
        "replace" => Verdict::Replace(Box::new(Replacement {
            payload: Some(Bytes::from_static(payload.as_bytes())),
            ..Replacement::default()
        })),
        _ => by_topic(message),
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_shadow_says_about_a_message_is_compared_and_not_applied() {
    let broker = broker();
    let (shadow, compared) = as_shadow(judge(by_topic));
    install(&broker, vec![shadow]);
    let mut watcher = Peer::connect(&broker, "w").await;
    watcher.subscribe("#").await;
    let mut sender = Peer::connect(&broker, "s").await;
    for (topic, own) in [
        ("pass", "pass"),
        ("drop", "drop"),
        ("reject", "reject"),
        ("disconnect", "disconnect"),
        ("replace", "replace"),
    ] {
        assert_eq!(sender.publish_acked(topic, "as sent").await, 0, "{topic}");
        assert_eq!(watcher.message().await, (topic.into(), "as sent".into()));
        assert_eq!(
            told(&compared, Hook::OnPublish),
            [("pass", own, own == "pass")],
            "{topic}"
        );
    }
}

/// That is how a new version of a plugin stands beside the old one, on either side of it.
#[tokio::test(start_paused = true)]
async fn a_shadow_sees_what_the_chain_sees_and_agrees_when_it_does_the_same() {
    for shadow_first in [true, false] {
        let broker = broker();
        let (shadow, compared) = as_shadow(judge(by_topic_replacing("new")));
        let mut plugins = vec![judge(by_topic_replacing("new"))];
        plugins.insert(usize::from(!shadow_first), shadow);
        install(&broker, plugins);
        let mut sender = Peer::connect(&broker, "s").await;
        for topic in ["pass", "drop", "reject", "replace"] {
            sender.publish_acked(topic, "x").await;
            let kind = topic;
            assert_eq!(told(&compared, Hook::OnPublish), [(kind, kind, true)], "{topic}");
        }
    }
    let broker = broker();
    let (shadow, compared) = as_shadow(judge(by_topic_replacing("another")));
    install(&broker, vec![judge(by_topic_replacing("one")), shadow]);
    Peer::connect(&broker, "s")
        .await
        .publish_acked("replace", "x")
        .await;
    assert_eq!(
        told(&compared, Hook::OnPublish),
        [("replace", "replace", false)],
        "the same kind of answer, and another one"
    );
}

#[tokio::test(start_paused = true)]
async fn a_shadow_that_fails_harms_nobody() {
    let broker = broker();
    let (shadow, compared) = as_shadow(Policy {
        on_publish: Some(Box::new(|_| Err(failure()))),
        authorize: Some(Box::new(|_| Err(failure()))),
        ..Policy::default()
    });
    install(&broker, vec![shadow]);
    let mut sender = Peer::connect(&broker, "s").await;
    assert_eq!(
        sender.publish_acked("t", "").await,
        PublishReason::NoMatchingSubscribers.code()
    );
    assert_eq!(told(&compared, Hook::OnPublish), [("pass", "failure", false)]);
    sender.publish_acked("t", "").await;
    assert_eq!(told(&compared, Hook::Authorize), [("allow", "failure", false)]);
}

#[tokio::test(start_paused = true)]
async fn a_shadow_admits_and_refuses_nobody() {
    let broker = broker();
    let (shadow, compared) = as_shadow(authenticator(|_| {
        Authentication::Deny(Denial::new(ConnectReason::Banned))
    }));
    install(&broker, vec![shadow]);
    assert!(!broker.chain().authenticates());
    Peer::connect(&broker, "anonymous").await;
    assert_eq!(told(&compared, Hook::Authenticate), [("next", "deny", false)]);
}

#[tokio::test(start_paused = true)]
async fn a_shadow_beside_an_authenticator_is_asked_about_the_same_clients() {
    let broker = broker();
    let known = |name: &'static str| {
        authenticator(move |who| match who.username.as_deref() {
            Some(username) if username == name => Authentication::Allow(Box::default()),
            _ => Authentication::Deny(Denial::new(ConnectReason::BadUserNameOrPassword)),
        })
    };
    let (shadow, compared) = as_shadow(known("bob"));
    install(&broker, vec![known("alice"), shadow]);
    let mut connect = connect_as("c");
    connect.username = Some("alice".into());
    let (_peer, connack) = Peer::connect_with(&broker, connect.clone()).await;
    assert_eq!(connack.reason, ConnectReason::Success);
    connect.username = Some("carol".into());
    let refused = Peer::dial(&broker, connect).await.connack().await;
    assert_eq!(refused.reason, ConnectReason::BadUserNameOrPassword);
    assert_eq!(
        told(&compared, Hook::Authenticate),
        [("allow", "deny", false), ("deny", "deny", true)]
    );
}

#[tokio::test(start_paused = true)]
async fn a_shadow_allows_and_denies_nothing() {
    let broker = broker();
    let (shadow, compared) = as_shadow(authorizer(|_, topic| match topic {
        "secret" => AccessDecision::Deny(None),
        _ => AccessDecision::Allow,
    }));
    install(&broker, vec![shadow]);
    let mut peer = Peer::connect(&broker, "c").await;
    assert_eq!(peer.subscribe("secret").await, SubscribeReason::GrantedQos1);
    assert_eq!(
        peer.publish_acked("open", "").await,
        PublishReason::NoMatchingSubscribers.code()
    );
    assert_eq!(
        told(&compared, Hook::Authorize),
        [("allow", "deny", false), ("allow", "allow", true)]
    );

    // What nobody decides is refused once somebody authorizes; a shadow is nobody, here too.
    let (shadow, _) = as_shadow(authorizer(|_, _| AccessDecision::Allow));
    install(&broker, vec![authorizer(|_, _| AccessDecision::Next), shadow]);
    assert_eq!(
        peer.publish_acked("open", "").await,
        PublishReason::NotAuthorized.code()
    );
}

#[tokio::test(start_paused = true)]
async fn a_shadow_routes_nothing_and_holds_no_will_back() {
    let broker = broker();
    let (shadow, compared) = as_shadow(Policy {
        route: Some(Box::new(|_| {
            Ok(Routing {
                only: Some(Vec::new()),
                ..Routing::default()
            })
        })),
        on_will: Some(Box::new(|_| Ok(WillDecision::Suppress))),
        ..Policy::default()
    });
    install(&broker, vec![shadow]);
    let mut watcher = Peer::connect(&broker, "w").await;
    watcher.subscribe("#").await;
    let connect = hookwire_protocol::Connect {
        will: Some(will("last/words")),
        ..connect_as("dying")
    };
    let (dying, _) = Peer::connect_with(&broker, connect).await;
    dying.disconnect(DisconnectReason::DisconnectWithWill).await;
    assert_eq!(watcher.message().await.0, "last/words");
    assert_eq!(told(&compared, Hook::OnWill), [("publish", "suppress", false)]);
    Peer::connect(&broker, "s").await.publish_acked("t", "").await;
    assert_eq!(watcher.message().await.0, "t");
    assert!(told(&compared, Hook::Route).contains(&("default", "change", false)));
}
