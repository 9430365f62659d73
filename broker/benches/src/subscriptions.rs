//! Subscriptions of many, of each kind.

use hookwire::router::{Subscriber, Subscription};
use hookwire_protocol::{QoS, RetainHandling, SharedFilter, SubscriptionOptions, TopicName};

/// A subscriber that takes nothing.
#[derive(Clone)]
pub struct Nobody(u64);

impl Subscriber for Nobody {
    fn id(&self) -> u64 {
        self.0
    }

    fn is_online(&self) -> bool {
        true
    }

    fn backlog(&self) -> usize {
        0
    }
}

/// Of ten filters six are exact, two have a `+` and two a `#`.
fn filter(index: u64) -> String {
    let (building, device) = (index / 100, index % 100);
    match index % 10 {
        0..6 => format!("site/{building}/device/{device}/temperature"),
        6 | 7 => format!("site/{building}/+/{device}/temperature"),
        _ => format!("site/{building}/device/{device}/#"),
    }
}

/// One at QoS 0.
pub fn subscription(id: u64) -> Subscription<Nobody> {
    Subscription {
        subscriber: Nobody(id),
        options: SubscriptionOptions {
            qos: QoS::AtMostOnce,
            no_local: false,
            retain_as_published: false,
            retain_handling: RetainHandling::SendAtSubscribe,
        },
        id: None,
    }
}

/// So many of them, each by a subscriber of its own.
pub fn filled(count: u64) -> impl Iterator<Item = (SharedFilter, Subscription<Nobody>)> {
    (0..count).map(|index| {
        let filter = SharedFilter::parse(filter(index)).expect("a topic filter");
        (filter, subscription(index))
    })
}

/// Topics that they match.
pub fn names() -> Vec<TopicName> {
    (0..1000)
        .map(|index| {
            let name = format!("site/{}/device/{}/temperature", index % 10, index % 100);
            TopicName::new(name).expect("a topic name")
        })
        .collect()
}
