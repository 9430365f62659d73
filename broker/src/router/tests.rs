//! The tree against the simplest thing that could be right, and the rules of overlapping and shared
//! subscriptions.

use std::time::Instant;

use bytes::Bytes;
use hookwire_hooks::Source;
use hookwire_protocol::{PublishProperties, QoS, RetainHandling, SubscriptionOptions};
use proptest::prelude::*;

use super::*;
use crate::clock;
use crate::config::SharedStrategy;
use crate::session::RetainedOutline;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Member {
    id: u64,
    online: bool,
    backlog: usize,
}

impl Subscriber for Member {
    fn id(&self) -> u64 {
        self.id
    }

    fn is_online(&self) -> bool {
        self.online
    }

    fn backlog(&self) -> usize {
        self.backlog
    }
}

fn subscription(id: u64, qos: QoS) -> Subscription<Member> {
    let options = SubscriptionOptions {
        qos,
        no_local: false,
        retain_as_published: false,
        retain_handling: RetainHandling::SendAtSubscribe,
    };
    Subscription {
        subscriber: Member {
            id,
            online: true,
            backlog: 0,
        },
        options,
        id: None,
    }
}

fn filter(text: &str) -> SharedFilter {
    SharedFilter::parse(text.to_owned()).expect("a filter")
}

fn name(text: &str) -> TopicName {
    TopicName::new(text.to_owned()).expect("a topic name")
}

fn matching(tree: &Subscriptions<Member>, name: &TopicName, publisher: Option<u64>) -> Matches<Member> {
    tree.matching(name, publisher, Overlapping::Once)
}

fn ids(matches: &Matches<Member>) -> Vec<u64> {
    let mut ids: Vec<_> = matches
        .recipients
        .iter()
        .map(|recipient| recipient.subscriber.id)
        .collect();
    ids.sort_unstable();
    ids
}

/// Levels from a small alphabet, so that filters and names meet.
fn level() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        Just("a"),
        Just("b"),
        Just("ab"),
        Just(""),
        Just("$x"),
        Just("a level that is long"),
        // Both begin with the same byte.
        Just("é"),
        Just("è"),
    ]
}

fn any_filter() -> impl Strategy<Value = String> {
    let level = prop_oneof![3 => level(), 2 => Just("+")];
    (prop::collection::vec(level, 1..5), any::<bool>()).prop_filter_map("not empty", |(levels, all_below)| {
        let mut text = levels.join("/");
        if all_below {
            text.push_str("/#");
        }
        (!text.is_empty()).then_some(text)
    })
}

fn any_name() -> impl Strategy<Value = String> {
    prop::collection::vec(level(), 1..6)
        .prop_map(|levels| levels.join("/"))
        .prop_filter("not empty", |text| !text.is_empty())
}

proptest! {
    #[test]
    fn matching_agrees_with_asking_every_filter(
        filters in prop::collection::vec(any_filter(), 0..40),
        names in prop::collection::vec(any_name(), 1..20),
        gone in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
    ) {
        let mut tree = Subscriptions::default();
        let mut naive: Vec<Option<SharedFilter>> = Vec::new();
        for (id, text) in filters.iter().enumerate() {
            tree.subscribe(&filter(text), subscription(id as u64, QoS::AtMostOnce));
            naive.push(Some(filter(text)));
        }
        for index in gone.iter().filter(|_| !filters.is_empty()) {
            let id = index.index(filters.len());
            tree.unsubscribe(&filter(&filters[id]), id as u64);
            naive[id] = None;
        }
        for text in names {
            let name = name(&text);
            let expected: Vec<u64> = (0..).zip(&naive)
                .filter(|(_, filter)| filter.as_ref().is_some_and(|filter| filter.filter.matches(&name)))
                .map(|(id, _)| id)
                .collect();
            prop_assert_eq!(ids(&matching(&tree, &name, None)), expected);
        }
        for (id, text) in filters.iter().enumerate() {
            tree.unsubscribe(&filter(text), id as u64);
        }
        prop_assert_eq!(tree.node_count(), 1, "no empty node is kept");
    }

    #[test]
    fn retained_messages_agree_with_asking_every_name(
        names in prop::collection::vec(any_name(), 0..30),
        aways in prop::collection::vec(any::<bool>(), 1..5),
        filters in prop::collection::vec(any_filter(), 1..10),
    ) {
        let mut retained = Retained::default();
        for (text, is_away) in names.iter().zip(aways.iter().cycle()) {
            let message = message(text, "x");
            if *is_away {
                retained.keep_outline(&message.topic, RetainedOutline::of(&message));
            } else {
                retained.keep(&message, &LIMITS).expect("room");
            }
        }
        let mut distinct = names.clone();
        distinct.sort();
        distinct.dedup();
        prop_assert_eq!(retained.len(), distinct.len());
        for text in filters {
            let filter = filter(&text).filter;
            let mut found: Vec<_> = retained.matching(&filter, clock::now())
                .iter().map(|copy| topic_of(&retained, copy)).collect();
            found.sort();
            let expected: Vec<_> = distinct.iter().filter(|text| filter.matches(&name(text))).cloned().collect();
            prop_assert_eq!(found, expected);
        }
        let before = retained.matching(&filter("#").filter, clock::now());
        for text in &names {
            retained.keep(&message(text, ""), &LIMITS).expect("clearing is always possible");
        }
        prop_assert!(before.iter().all(|copy| copy.is_superseded() && retained.topic_of(copy).is_none()));
        prop_assert!(retained.is_empty());
        prop_assert_eq!((retained.bytes(), retained.node_count()), (0, 1));
    }

    /// A copy is told from another one in its place, wherever nodes are used again.
    #[test]
    fn a_retained_message_knows_its_topic_for_as_long_as_it_is_retained(
        steps in prop::collection::vec((any_name(), any::<bool>()), 0..60),
    ) {
        let mut retained = Retained::default();
        let mut model = std::collections::HashMap::new();
        let mut ever = Vec::new();
        for (text, is_kept) in steps {
            let payload = if is_kept { "x" } else { "" };
            let replacement = retained.keep(&message(&text, payload), &LIMITS).expect("room");
            prop_assert_eq!(replacement.now.is_some(), is_kept);
            prop_assert_eq!(replacement.before.is_some(), model.remove(&text).is_some());
            if let Some(copy) = replacement.now {
                model.insert(text.clone(), Arc::clone(&copy));
                ever.push((text, copy));
            }
            for (text, copy) in &ever {
                let is_it = model.get(text).is_some_and(|kept| Arc::ptr_eq(kept, copy));
                let topic = retained.topic_of(copy);
                prop_assert_eq!(topic.as_ref().map(|topic| topic.as_str()), is_it.then_some(&**text));
                prop_assert_eq!(copy.is_superseded(), !is_it);
            }
        }
    }
}

fn topic_of(retained: &Retained, copy: &RetainedCopy) -> String {
    let topic = retained.topic_of(copy).expect("it is retained");
    topic.as_str().to_owned()
}

const LIMITS: RetainedLimits = RetainedLimits {
    messages_max: 1000,
    bytes_max: 1 << 20,
};

fn message(topic: &str, payload: &str) -> Arc<Message> {
    Arc::new(Message {
        source: Source::Plugin { hops: 1 },
        topic: name(topic),
        payload: Bytes::from(payload.to_owned()),
        qos: QoS::AtMostOnce,
        retain: true,
        properties: PublishProperties::default(),
        expires_at: None,
    })
}

#[test]
fn overlapping_subscriptions_make_one_copy_with_the_highest_qos_and_all_identifiers() {
    let mut tree = Subscriptions::default();
    for (text, qos, id) in [
        ("a/#", QoS::AtMostOnce, Some(1)),
        ("a/+", QoS::ExactlyOnce, None),
        ("a/b", QoS::AtLeastOnce, Some(3)),
    ] {
        tree.subscribe(
            &filter(text),
            Subscription {
                id,
                ..subscription(7, qos)
            },
        );
    }
    tree.subscribe(&filter("#"), subscription(8, QoS::AtMostOnce));
    let matches = matching(&tree, &name("a/b"), None);
    assert_eq!(ids(&matches), [7, 8]);
    let merged = matches
        .recipients
        .iter()
        .find(|recipient| recipient.subscriber.id == 7)
        .expect("it matches");
    assert_eq!(merged.qos, QoS::ExactlyOnce);
    let mut found = merged.subscription_ids.to_vec();
    found.sort_unstable();
    assert_eq!(found, [1, 3]);
}

#[test]
fn subscribing_again_replaces() {
    let mut tree = Subscriptions::default();
    tree.subscribe(&filter("a"), subscription(1, QoS::AtMostOnce));
    tree.subscribe(&filter("a"), subscription(1, QoS::ExactlyOnce));
    let matches = matching(&tree, &name("a"), None);
    assert_eq!(matches.recipients.len(), 1);
    assert_eq!(matches.recipients[0].qos, QoS::ExactlyOnce);
}

#[test]
fn no_local_leaves_out_the_publisher_only() {
    let mut tree = Subscriptions::default();
    let mut own = subscription(1, QoS::AtMostOnce);
    own.options.no_local = true;
    tree.subscribe(&filter("a"), own.clone());
    tree.subscribe(&filter("a"), subscription(2, QoS::AtMostOnce));
    assert_eq!(ids(&matching(&tree, &name("a"), Some(1))), [2]);
    assert_eq!(ids(&matching(&tree, &name("a"), Some(2))), [1, 2]);
    tree.subscribe(&filter("+"), subscription(1, QoS::AtMostOnce));
    assert_eq!(
        ids(&matching(&tree, &name("a"), Some(1))),
        [1, 2],
        "another subscription of its own has not said so"
    );
}

#[test]
fn overlapping_subscriptions_can_each_have_their_own_copy() {
    let mut tree = Subscriptions::default();
    for (id, text) in [(1, "a/b"), (2, "a/+"), (3, "other")] {
        tree.subscribe(
            &filter(text),
            Subscription {
                id: Some(id),
                ..subscription(7, QoS::AtMostOnce)
            },
        );
    }
    let matches = tree.matching(&name("a/b"), None, Overlapping::Each);
    let mut found: Vec<_> = matches
        .recipients
        .iter()
        .map(|recipient| recipient.subscription_ids.to_vec())
        .collect();
    found.sort();
    assert_eq!(found, [[1], [2]]);
}

/// A group of members that are connected or not, each with a backlog.
fn group(members: &[(u64, bool, usize)]) -> Arc<Group<Member>> {
    let mut tree = Subscriptions::default();
    for &(id, online, backlog) in members {
        let mut member = subscription(id, QoS::AtMostOnce);
        member.subscriber.online = online;
        member.subscriber.backlog = backlog;
        tree.subscribe(&filter("$share/g/a/+"), member);
    }
    tree.subscribe(&filter("a/+"), subscription(99, QoS::AtMostOnce));
    let matches = matching(&tree, &name("a/b"), None);
    assert_eq!(ids(&matches), [99], "ordinary subscribers get theirs as well");
    Arc::clone(&matches.groups[0])
}

fn choose(group: &Group<Member>, strategy: SharedStrategy, publisher: u64, topic: &str) -> u64 {
    let choice = Choice {
        strategy,
        publisher: Some(publisher),
        topic,
    };
    group.choose(choice).expect("a group has members").subscriber.id
}

const STRATEGIES: [SharedStrategy; 6] = [
    SharedStrategy::RoundRobin,
    SharedStrategy::Random,
    SharedStrategy::Sticky,
    SharedStrategy::HashClient,
    SharedStrategy::HashTopic,
    SharedStrategy::LeastInflight,
];

#[test]
fn no_strategy_chooses_one_who_is_away_while_another_is_there() {
    let group = group(&[(1, false, 0), (2, true, 9), (3, false, 0), (4, true, 9)]);
    for strategy in STRATEGIES {
        for n in 0..50 {
            let chosen = choose(&group, strategy, n, &n.to_string());
            assert!([2, 4].contains(&chosen), "{strategy:?}");
        }
    }
}

#[test]
fn with_nobody_there_a_shared_subscription_waits_with_one_of_them() {
    let group = group(&[(1, false, 0)]);
    for strategy in STRATEGIES {
        assert_eq!(choose(&group, strategy, 5, "t"), 1, "{strategy:?}");
    }
}

#[test]
fn round_robin_and_random_give_to_everybody() {
    let group = group(&[(1, true, 0), (2, true, 0), (3, true, 0)]);
    let turns: Vec<_> = (0..6)
        .map(|_| choose(&group, SharedStrategy::RoundRobin, 5, "t"))
        .collect();
    assert_eq!(turns[..3], turns[3..]);
    let random: std::collections::BTreeSet<_> = (0..1000)
        .map(|_| choose(&group, SharedStrategy::Random, 5, "t"))
        .collect();
    assert_eq!(random.len(), 3);
}

#[test]
fn sticky_stays_with_one_until_it_is_away() {
    let group = group(&[(1, true, 0), (2, true, 0), (3, true, 0)]);
    let first = choose(&group, SharedStrategy::Sticky, 5, "t");
    assert!((0..10).all(|n| choose(&group, SharedStrategy::Sticky, n, "u") == first));
    let without = group.with(
        group
            .members
            .iter()
            .filter(|member| member.subscriber.id != first)
            .cloned()
            .collect(),
    );
    let second = choose(&without, SharedStrategy::Sticky, 5, "t");
    assert_ne!(second, first);
    assert_eq!(
        choose(&group, SharedStrategy::Sticky, 5, "t"),
        second,
        "it does not go back"
    );
}

#[test]
fn hashes_keep_what_belongs_together_together_and_move_little() {
    let members: Vec<_> = (1..=8).map(|id| (id, true, 0)).collect();
    let group = group(&members);
    let by_topic = |group: &Group<Member>, n: u64| {
        choose(group, SharedStrategy::HashTopic, n, &format!("topic/{}", n % 100))
    };
    let by_client =
        |group: &Group<Member>, n: u64| choose(group, SharedStrategy::HashClient, n % 100, &n.to_string());
    let without_8 = group.with(group.members[..7].to_vec());
    for n in 0..100 {
        for choose in [&by_topic as &dyn Fn(&Group<Member>, u64) -> u64, &by_client] {
            let chosen = choose(&group, n);
            assert_eq!(choose(&group, n + 100), chosen);
            assert!(
                chosen == 8 || choose(&without_8, n) == chosen,
                "only what 8 had moves"
            );
        }
    }
    let all: std::collections::BTreeSet<_> = (0..100).map(|n| by_topic(&group, n)).collect();
    assert_eq!(all.len(), 8, "each has its share of a hundred topics");
}

#[test]
fn the_one_with_the_least_to_do_gets_more() {
    let group = group(&[(1, true, 7), (2, true, 3), (3, true, 5), (4, false, 0)]);
    assert!((0..10).all(|n| choose(&group, SharedStrategy::LeastInflight, n, "t") == 2));
}

#[test]
fn shares_of_different_names_are_different_groups() {
    let mut tree = Subscriptions::default();
    tree.subscribe(&filter("$share/g/a"), subscription(1, QoS::AtMostOnce));
    tree.subscribe(&filter("$share/h/a"), subscription(1, QoS::AtMostOnce));
    assert_eq!(matching(&tree, &name("a"), None).groups.len(), 2);
    tree.unsubscribe(&filter("$share/g/a"), 1);
    assert_eq!(matching(&tree, &name("a"), None).groups.len(), 1);
}

#[test]
fn a_memo_is_forgotten_when_subscriptions_change() {
    let router = Router::default();
    let mut memo = Memo::default();
    let here = name("a/b");
    assert!(router.matching(&mut memo, &here, None).1.is_empty());
    router.subscribe(&filter("a/+"), subscription(1, QoS::AtMostOnce));
    assert_eq!(ids(&router.matching(&mut memo, &here, None).1), [1]);
    assert_eq!(ids(&router.matching(&mut memo, &name("a/c"), None).1), [1]);
    router.unsubscribe(&filter("a/+"), 1);
    assert!(router.matching(&mut memo, &here, None).1.is_empty());
}

/// Asks a memo for topics, and counts how often it had to look one up.
fn look_ups(memo: &mut Memo<String>, topics: impl IntoIterator<Item = String>) -> usize {
    let mut count = 0;
    for topic in topics {
        let (found, value) = memo.recall(1, &name(&topic), || {
            count += 1;
            topic.clone()
        });
        assert_eq!((found.as_str(), value), (&*topic, &topic));
    }
    count
}

#[test]
fn a_memo_takes_a_few_topics_at_once_and_of_many_those_that_come_again() {
    let mut memo = Memo::default();
    let few = || (0..64).map(|number| format!("few/{number}"));
    assert_eq!(look_ups(&mut memo, few()), 64);
    assert_eq!(look_ups(&mut memo, few()), 0);

    let passing_by = (0..500).map(|number| format!("once/{number}"));
    let with_a_regular = passing_by.flat_map(|once| ["regular".to_owned(), once]);
    let count = look_ups(&mut memo, with_a_regular);
    // By chance: that it takes more than two hundred is less likely than a fault of the machine.
    assert!((501..=700).contains(&count), "{count}");
    assert_eq!(look_ups(&mut memo, few()), 0, "nobody is pushed out");
}

#[test]
fn a_memo_begins_anew_when_it_is_full() {
    let mut memo = Memo::default();
    look_ups(&mut memo, (0..20_000).map(|number| format!("once/{number}")));
    assert_eq!(look_ups(&mut memo, ["once/0".to_owned()]), 1);
}

#[test]
fn retained_messages_are_bounded_and_replaced() {
    let limits = RetainedLimits {
        messages_max: 2,
        bytes_max: 1 << 20,
    };
    let mut retained = Retained::default();
    retained.keep(&message("a", "1"), &limits).expect("room");
    retained.keep(&message("b", "1"), &limits).expect("room");
    let too_many = retained.keep(&message("c", "1"), &limits);
    assert_eq!(too_many.err(), Some(RetainedFull::Messages));
    assert_eq!(retained.node_count(), 3, "of what is refused, nothing is left");
    let before = retained.matching(&filter("a").filter, clock::now());
    retained
        .keep(&message("a", "2"), &limits)
        .expect("replacing needs no room");
    assert!(before[0].is_superseded());
    let bytes = RetainedLimits {
        messages_max: 10,
        bytes_max: 1000,
    };
    let too_large = retained.keep(&message("d", &"x".repeat(900)), &bytes);
    assert_eq!(too_large.err(), Some(RetainedFull::Bytes));
}

#[test]
fn an_expired_retained_message_is_not_found() {
    let mut retained = Retained::default();
    let now: Instant = clock::now();
    let mut expiring = message("a", "1");
    Arc::make_mut(&mut expiring).expires_at = Some(now);
    retained.keep(&expiring, &LIMITS).expect("room");
    assert!(retained.matching(&filter("a").filter, now).is_empty());
}

#[test]
fn retained_messages_come_in_pages_in_the_order_of_their_topics() {
    let mut retained = Retained::default();
    for topic in ["a/3", "a/1", "b", "a/2/x", "a", "$x"] {
        retained.keep(&message(topic, "x"), &LIMITS).expect("room");
    }
    let now = clock::now();
    let page = |filter_text: &str, after: Option<&str>, count| -> Vec<String> {
        let found = retained.page(&filter(filter_text).filter, after, count, now);
        let named = |(topic, copy): (TopicName, Arc<RetainedCopy>)| {
            assert_eq!(topic_of(&retained, &copy), topic.as_str());
            topic.to_string()
        };
        found.into_iter().map(named).collect()
    };
    assert_eq!(page("#", None, 9), ["a", "a/1", "a/2/x", "a/3", "b"]);
    assert_eq!(page("#", None, 2), ["a", "a/1"]);
    assert_eq!(page("#", Some("a/1"), 2), ["a/2/x", "a/3"]);
    assert_eq!(
        page("a/+", Some("a/11"), 9),
        ["a/3"],
        "where a topic was is a place too"
    );
    assert!(page("a/#", Some("b"), 9).is_empty());
    assert!(retained.of_topic(&name("a/1"), now).is_some());
    assert!(retained.of_topic(&name("a/2"), now).is_none());
}
