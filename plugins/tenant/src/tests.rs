//! Tests of the plugin as the broker sees it.

use hookwire_plugin::clients::Client;
use hookwire_plugin::mock::{self, Mock};

use super::*;

fn plugin(config: &str) -> Tenant {
    mock::plugin(config).unwrap()
}

/// Clients 1 (ada@acme, with an attribute), 2 (bob@globex) and 3 (no name).
fn host() -> Mock {
    let host = Mock::new();
    let client = |id: &str, username: Option<&str>| Client {
        username: username.map(str::to_owned),
        ..Client::new(id)
    };
    let ada = Client {
        attributes: vec![UserProperty::new("org", "initech")],
        ..client("acme-lamp", Some("ada@acme"))
    };
    host.add_client(1, ada);
    host.add_client(2, client("globex-lamp", Some("bob@globex")));
    host.add_client(3, client("stranger", None));
    host
}

fn ask(plugin: &Tenant, client: ClientKey, action: Action, topic: &str) -> Decision {
    plugin.authorize(&Access::new(client, action, topic)).decision
}

const NEXT: Decision = Decision::Next;
const DENY: Decision = Decision::Deny(None);

#[test]
fn a_client_stays_within_its_tenant() {
    let _host = host();
    let plugin = plugin(r#"{"after": "@", "prefix": "tenants/{tenant}/"}"#);
    let actions = [Action::Publish, Action::Will, Action::Deliver, Action::Subscribe];
    for action in actions {
        assert_eq!(ask(&plugin, 1, action, "tenants/acme/a"), NEXT, "{action:?}");
        assert_eq!(ask(&plugin, 2, action, "tenants/globex/a/b"), NEXT, "{action:?}");
        for topic in [
            "tenants/globex/a",
            "tenants/acme",
            "tenants/acmex/a",
            "a",
            "tenants/",
            "$x/acme/a",
        ] {
            assert_eq!(ask(&plugin, 1, action, topic), DENY, "{action:?} {topic}");
        }
        assert_eq!(
            ask(&plugin, 3, action, "tenants/acme/a"),
            DENY,
            "{action:?}: nobody's"
        );
        assert_eq!(
            ask(&plugin, 9, action, "tenants/acme/a"),
            DENY,
            "{action:?}: unknown"
        );
    }
    for filter in ["tenants/acme/#", "tenants/acme/+/x"] {
        assert_eq!(ask(&plugin, 1, Action::Subscribe, filter), NEXT, "{filter}");
    }
    for filter in ["#", "tenants/#", "tenants/+/a", "+/acme/a", "tenants/acm+/a"] {
        assert_eq!(ask(&plugin, 1, Action::Subscribe, filter), DENY, "{filter}");
    }
}

#[test]
fn the_broker_keeps_a_no_and_no_opinion_is_no_answer() {
    let _host = host();
    let plugin = plugin(r#"{"after": "@"}"#);
    let answer = |topic| plugin.authorize(&Access::new(1, Action::Publish, topic));
    assert_eq!(
        (answer("acme/a").cache_ms, answer("globex/a").cache_ms),
        (0, CACHE_MS)
    );
}

#[test]
fn a_tenant_is_told_by_many_things() {
    let cases = [
        (r#"{"by": "username", "before": "@"}"#, 1, Some("ada/")),
        (r#"{"by": "client_id", "before": "-"}"#, 2, Some("globex/")),
        (r#"{"by": "client_id"}"#, 3, Some("stranger/")),
        (r#"{"by": "listener"}"#, 3, Some("default/")),
        (r#"{"by": "attribute.org"}"#, 1, Some("initech/")),
        (r#"{"by": "attribute.org"}"#, 2, None),
        (r#"{"by": "username", "after": ":"}"#, 1, None),
        (r#"{"members": {"ada@acme": "acme"}}"#, 1, Some("acme/")),
        (r#"{"members": {"ada@acme": "acme"}}"#, 2, Some("bob@globex/")),
        (
            r#"{"members": {"ada@acme": "acme"}, "only_members": true}"#,
            2,
            None,
        ),
    ];
    for (config, client, expected) in cases {
        let _host = host();
        let prefix = plugin(config).prefix_of(client);
        assert_eq!(prefix.as_deref(), expected, "{config} {client}");
    }
}

/// CVE-2017-7650 and its like: no name leads to other tenants.
#[test]
fn names_that_are_no_level_belong_to_nobody() {
    let host = host();
    let names = ["+", "#", "a/b", "", "$SYS", "/", "acme/"];
    for (key, name) in (10..).zip(names) {
        host.add_client(key, Client::new(name));
    }
    let plugin = plugin(r#"{"by": "client_id", "nobody": "deny"}"#);
    for (key, name) in (10..).zip(names) {
        assert_eq!(plugin.prefix_of(key), None, "{name:?}");
        assert_eq!(ask(&plugin, key, Action::Subscribe, "+/x"), DENY, "{name:?}");
        assert_eq!(ask(&plugin, key, Action::Publish, "a/b/x"), DENY, "{name:?}");
    }
}

#[test]
fn who_belongs_to_nobody_may_be_left_to_others() {
    let _host = host();
    let plugin = plugin(r#"{"after": "@", "nobody": "next"}"#);
    assert_eq!(ask(&plugin, 3, Action::Publish, "anywhere"), NEXT);
    assert_eq!(ask(&plugin, 1, Action::Publish, "anywhere"), DENY);
}

#[test]
fn some_topics_are_common() {
    let _host = host();
    let plugin = plugin(
        r#"{"after": "@", "common": [{"topic": "news/#", "allow": "subscribe"}, {"topic": "help", "allow": "publish"}, {"topic": "chat/+", "allow": "all"}]}"#,
    );
    let cases = [
        (Action::Subscribe, "news/+/x", NEXT),
        (Action::Deliver, "news/1", NEXT),
        (Action::Publish, "news/1", DENY),
        (Action::Publish, "help", NEXT),
        (Action::Will, "help", NEXT),
        (Action::Subscribe, "help", DENY),
        (Action::Subscribe, "chat/+", NEXT),
        (Action::Publish, "chat/1", NEXT),
        (Action::Subscribe, "chat/#", DENY),
        (Action::Subscribe, "#", DENY),
    ];
    for (action, topic, expected) in cases {
        assert_eq!(ask(&plugin, 1, action, topic), expected, "{action:?} {topic}");
    }
}

#[test]
fn deliveries_are_asked_about_only_where_it_is_wanted() {
    let wants =
        |config| plugin(config).interests().authorize & AccessInterest::DELIVER == AccessInterest::DELIVER;
    assert!(!wants("{}") && wants(r#"{"check_deliveries": true}"#));
}

fn hidden() -> Tenant {
    plugin(
        r#"{"after": "@", "prefix": "t/{tenant}/", "hide_prefix": true, "common": [{"topic": "news/#", "allow": "subscribe"}, {"topic": "help", "allow": "publish"}]}"#,
    )
}

#[test]
fn a_hidden_prefix_is_put_in_front_of_what_a_client_names() {
    let _host = host();
    let plugin = hidden();
    let published = |client, topic| match plugin
        .on_publish(&Message::new(topic, "x").with_source(Source::Client(client)))
    {
        Verdict::Replace(replacement) => replacement.topic.unwrap_or_else(|| topic.to_owned()),
        Verdict::Pass => topic.to_owned(),
        other => format!("{other:?}"),
    };
    assert_eq!(published(1, "a/b"), "t/acme/a/b");
    assert_eq!(published(2, "t/acme/a"), "t/globex/t/acme/a", "whatever it names");
    assert_eq!(published(1, "help"), "help");
    assert_eq!(
        published(1, "news/1"),
        "t/acme/news/1",
        "common for reading alone"
    );
    assert_eq!(published(3, "a"), "a", "nobody's");
    let subscribed = |filter: &str| match plugin.on_subscribe(1, &SubscribeRequest::new(filter)) {
        SubscribeDecision::Replace(made) => made.filter,
        _ => filter.to_owned(),
    };
    assert_eq!(subscribed("#"), "t/acme/#");
    assert_eq!(subscribed("+/x"), "t/acme/+/x");
    assert_eq!(subscribed("news/+"), "news/+");
}

#[test]
fn a_hidden_prefix_is_taken_off_what_a_client_is_sent() {
    let _host = host();
    let plugin = hidden();
    let told = |topic: &str| match plugin.deliver(1, &Message::new(topic, "x")) {
        DeliverDecision::Replace(replacement) => replacement.topic.unwrap(),
        DeliverDecision::Pass => topic.to_owned(),
        DeliverDecision::Drop => "dropped".to_owned(),
    };
    assert_eq!(told("t/acme/a/b"), "a/b");
    assert_eq!(told("news/1"), "news/1");
    for other in ["t/globex/a", "t/acme/", "help", "a"] {
        assert_eq!(told(other), "dropped", "{other}");
    }
}

#[test]
fn response_topics_are_hidden_alike() {
    let _host = host();
    let plugin = hidden();
    let asking = |topic: &str| PropertiesBuf {
        response_topic: Some(topic.to_owned()),
        content_type: Some("text/plain".to_owned()),
        ..PropertiesBuf::default()
    };
    let (own, mounted) = (asking("answers/1"), asking("t/acme/answers/1"));
    let message = Message::new("ask", "x").with_properties(&own);
    let expected = Replacement::topic("t/acme/ask").and_properties(mounted.clone());
    assert_eq!(plugin.on_publish(&message), expected.into());
    let message = Message::new("t/acme/ask", "x").with_properties(&mounted);
    let expected = Replacement::topic("ask").and_properties(own);
    assert_eq!(plugin.deliver(1, &message), expected.into());
}

#[test]
fn with_a_hidden_prefix_every_name_is_within() {
    let _host = host();
    let plugin = hidden();
    for topic in ["a", "t/globex/a", "#"] {
        assert_eq!(ask(&plugin, 1, Action::Subscribe, topic), NEXT, "{topic}");
    }
    for topic in ["$SYS/broker/uptime", "$x/y"] {
        assert_eq!(ask(&plugin, 1, Action::Subscribe, topic), DENY, "{topic}");
    }
    assert_eq!(ask(&plugin, 3, Action::Publish, "a"), DENY, "nobody's");
    assert_eq!(ask(&plugin, 1, Action::Deliver, "t/globex/a"), DENY);
}

#[test]
fn nobody_pays_for_a_prefix_that_is_not_hidden() {
    let interests = |config| plugin(config).interests();
    let open = interests("{}");
    assert_eq!(open.on_publish, MessageInterest::none());
    assert_eq!(open.deliver, MessageInterest::none());
    assert!(interests(r#"{"hide_prefix": true}"#).deliver.topics.is_none());
}

#[test]
fn mistakes_are_told() {
    let cases = [
        (r#"{"by": "color"}"#, "by"),
        (r#"{"by": "attribute."}"#, "by"),
        (r#"{"before": "@", "after": "@"}"#, "after"),
        (r#"{"before": ""}"#, "before"),
        (r#"{"prefix": "tenants/"}"#, "prefix"),
        (r#"{"prefix": "{tenant}"}"#, "prefix"),
        (r#"{"prefix": "{tenant}/{tenant}/"}"#, "prefix"),
        (r#"{"prefix": "+/{tenant}/"}"#, "prefix"),
        (r#"{"prefix": "$SYS/{tenant}/"}"#, "prefix"),
        (r#"{"members": {"ada": "a/b"}}"#, "members.ada"),
        (r#"{"only_members": true}"#, "only_members"),
        (
            r#"{"hide_prefix": true, "check_deliveries": true}"#,
            "check_deliveries",
        ),
        (
            r#"{"common": [{"topic": "a/#/b", "allow": "all"}]}"#,
            "common.0.topic",
        ),
    ];
    for (config, path) in cases {
        let Err(problems) = mock::plugin::<Tenant>(config) else {
            panic!("accepted: {config}")
        };
        assert_eq!(problems.0[0].path, path, "{config}: {problems}");
    }
}
