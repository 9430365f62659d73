//! Who has subscribed to what.

use std::sync::Arc;

use hookwire_protocol::{QoS, SharedFilter, SubscriptionOptions, TopicName};
use smallvec::SmallVec;
use thin_vec::ThinVec;

use super::group::Group;
use super::level_tree::{LevelTree, Slot};
use crate::config::Overlapping;
use crate::session::SubscriptionIds;

/// Somebody who can be sent messages, as the router sees them.
pub trait Subscriber: Clone {
    /// Which session it is; never the same for two.
    fn id(&self) -> u64;
    /// Whether a client is connected to it.
    fn is_online(&self) -> bool;
    /// Messages on their way to it and waiting for it.
    fn backlog(&self) -> usize;
}

/// One subscription.
#[derive(Debug, Clone)]
pub struct Subscription<S> {
    /// Whose it is.
    pub subscriber: S,
    /// QoS, no-local, retain-as-published.
    pub options: SubscriptionOptions,
    /// Subscription identifier.
    pub id: Option<u32>,
}

/// One who receives a message, once, whatever number of subscriptions match.
#[derive(Debug, Clone)]
pub struct Recipient<S> {
    /// Who.
    pub subscriber: S,
    /// The highest QoS of the matching subscriptions. [MQTT-3.3.4-2]
    pub qos: QoS,
    /// Whether the RETAIN flag stays as published. [MQTT-3.3.1-13]
    pub retain_as_published: bool,
    /// The identifiers of all matching subscriptions. [MQTT-3.3.4-3]
    pub subscription_ids: SubscriptionIds,
}

impl<S: Clone> Recipient<S> {
    /// The recipient that one subscription makes.
    pub fn of(subscription: &Subscription<S>) -> Self {
        Self {
            subscriber: subscription.subscriber.clone(),
            qos: subscription.options.qos,
            retain_as_published: subscription.options.retain_as_published,
            subscription_ids: subscription.id.into_iter().collect(),
        }
    }

    fn merge(&mut self, subscription: &Subscription<S>) {
        self.qos = self.qos.max(subscription.options.qos);
        self.retain_as_published |= subscription.options.retain_as_published;
        self.subscription_ids.extend(subscription.id);
    }
}

/// All whom a message concerns.
#[derive(Debug)]
pub struct Matches<S> {
    /// Ordinary subscribers.
    pub recipients: Vec<Recipient<S>>,
    /// Shared subscriptions.
    pub groups: Vec<Arc<Group<S>>>,
    /// Subscriptions of the publisher that want no message of its own.
    pub withheld: usize,
    /// One client may be among the recipients several times, since each of its subscriptions is to bring the message.
    pub is_repeating: bool,
}

impl<S> Matches<S> {
    /// Whether nobody is to get it.
    pub fn is_empty(&self) -> bool {
        self.recipients.is_empty() && self.groups.is_empty()
    }
}

/// Those of one filter. Most filters have one subscription, and it lies in the node of the tree then; few have groups.
#[derive(Debug)]
struct Subscribers<S> {
    plain: Plain<S>,
    groups: ThinVec<Arc<Group<S>>>,
}

type Plain<S> = SmallVec<[Subscription<S>; 1]>;

impl<S> Default for Subscribers<S> {
    fn default() -> Self {
        Self {
            plain: Plain::new(),
            groups: ThinVec::new(),
        }
    }
}

impl<S> Slot for Subscribers<S> {
    fn is_vacant(&self) -> bool {
        self.plain.is_empty() && self.groups.is_empty()
    }
}

/// All subscriptions.
#[derive(Debug)]
pub struct Subscriptions<S> {
    tree: LevelTree<Subscribers<S>>,
    plain: usize,
    shared: usize,
}

impl<S> Default for Subscriptions<S> {
    fn default() -> Self {
        Self {
            tree: LevelTree::default(),
            plain: 0,
            shared: 0,
        }
    }
}

impl<S: Subscriber> Subscriptions<S> {
    /// Adds a subscription, or replaces the same client's with the same filter. [MQTT-3.8.4-3]
    pub fn subscribe(&mut self, filter: &SharedFilter, subscription: Subscription<S>) {
        let is_new = self
            .tree
            .update(filter.filter.as_str(), |_, subscribers| match &filter.share {
                None => {
                    let added = replace(&mut subscribers.plain, subscription);
                    let is_new = added.is_some();
                    subscribers.plain.extend(added);
                    is_new
                }
                Some(share) => {
                    let at = subscribers.groups.iter().position(|group| group.is_of(share));
                    let (group, is_new) = match at.map(|at| subscribers.groups.swap_remove(at)) {
                        Some(group) => {
                            let mut members = group.members.clone();
                            let added = replace(&mut members, subscription);
                            let is_new = added.is_some();
                            members.extend(added);
                            (group.with(members), is_new)
                        }
                        None => (Group::new(Arc::new(filter.clone()), vec![subscription]), true),
                    };
                    subscribers.groups.push(Arc::new(group));
                    is_new
                }
            });
        *self.count(filter) += usize::from(is_new);
    }

    fn count(&mut self, filter: &SharedFilter) -> &mut usize {
        match filter.share {
            None => &mut self.plain,
            Some(_) => &mut self.shared,
        }
    }

    /// How many there are, and how many of them are members of shared ones.
    pub fn counts(&self) -> (usize, usize) {
        (self.plain + self.shared, self.shared)
    }

    /// Removes a subscription.
    pub fn unsubscribe(&mut self, filter: &SharedFilter, subscriber: u64) {
        let others = |subscription: &Subscription<S>| subscription.subscriber.id() != subscriber;
        let removed = self
            .tree
            .update(filter.filter.as_str(), |_, subscribers| match &filter.share {
                None => {
                    let before = subscribers.plain.len();
                    subscribers.plain.retain(|subscription| others(subscription));
                    before - subscribers.plain.len()
                }
                Some(share) => {
                    let Some(at) = subscribers.groups.iter().position(|group| group.is_of(share)) else {
                        return 0;
                    };
                    let group = subscribers.groups.swap_remove(at);
                    let members: Vec<_> = group
                        .members
                        .iter()
                        .filter(|member| others(member))
                        .cloned()
                        .collect();
                    let removed = group.members.len() - members.len();
                    if !members.is_empty() {
                        subscribers.groups.push(Arc::new(group.with(members)));
                    }
                    removed
                }
            });
        *self.count(filter) -= removed;
    }

    /// The shared subscription with this filter, if it has members.
    pub fn group(&self, filter: &SharedFilter) -> Option<Arc<Group<S>>> {
        let subscribers = self.tree.get(filter.filter.as_str())?;
        let share = filter.share.as_ref()?;
        subscribers
            .groups
            .iter()
            .find(|group| group.is_of(share))
            .cloned()
    }

    /// All whom a message concerns that `publisher` published under `name`; no-local subscriptions of the
    /// publisher are left out. [MQTT-3.8.3-3]
    pub fn matching(&self, name: &TopicName, publisher: Option<u64>, overlapping: Overlapping) -> Matches<S> {
        let mut found = SmallVec::<[&Subscription<S>; 8]>::new();
        let mut groups = Vec::new();
        let mut lists = 0;
        self.tree.matching(name.as_str(), |subscribers| {
            lists += usize::from(!subscribers.plain.is_empty());
            found.extend(&subscribers.plain);
            groups.extend(subscribers.groups.iter().cloned());
        });
        let matching = found.len();
        found.retain(|subscription| {
            !(subscription.options.no_local && Some(subscription.subscriber.id()) == publisher)
        });
        let withheld = matching - found.len();
        // Within one list a client stands once; only several lists can overlap.
        if lists > 1 {
            found.sort_by_key(|subscription| subscription.subscriber.id());
        }
        let mut recipients: Vec<Recipient<S>> = Vec::with_capacity(found.len());
        for subscription in found {
            match recipients.last_mut() {
                Some(last)
                    if overlapping == Overlapping::Once
                        && last.subscriber.id() == subscription.subscriber.id() =>
                {
                    last.merge(subscription)
                }
                _ => recipients.push(Recipient::of(subscription)),
            }
        }
        Matches {
            recipients,
            groups,
            withheld,
            is_repeating: lists > 1 && overlapping == Overlapping::Each,
        }
    }

    #[cfg(test)]
    pub(super) fn node_count(&self) -> usize {
        self.tree.node_count()
    }
}

/// Puts a subscription in the place of the same subscriber's, or gives it back when there is none.
fn replace<S: Subscriber>(
    list: &mut [Subscription<S>],
    subscription: Subscription<S>,
) -> Option<Subscription<S>> {
    match list
        .iter_mut()
        .find(|other| other.subscriber.id() == subscription.subscriber.id())
    {
        Some(other) => {
            *other = subscription;
            None
        }
        None => Some(subscription),
    }
}
