//! Questions and answers of the on-subscribe and on-unsubscribe hooks, and how the chain combines them.

use hookwire_protocol::{
    RetainHandling, SharedFilter, SubscribeReason, SubscriptionOptions, UnsubscribeReason,
};

use crate::{Chain, ClientKey, Hook, OnFailure};

/// One filter of a SUBSCRIBE, and how it is subscribed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscribeRequest {
    /// The filter, mount point included.
    pub filter: SharedFilter,
    /// Its options.
    pub options: SubscriptionOptions,
}

impl SubscribeRequest {
    /// The same, and it brings no retained messages.
    #[must_use]
    pub(crate) fn without_retained(mut self) -> Self {
        self.options.retain_handling = RetainHandling::DoNotSend;
        self
    }
}

/// One plugin's answer about a filter of a SUBSCRIBE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubscribeDecision {
    /// No objection.
    Pass,
    /// The subscription is made as changed.
    Replace(Box<SubscribeRequest>),
    /// No objection, but it brings no retained messages.
    WithoutRetained,
    /// No subscription is made.
    Reject(SubscribeReason),
}

/// What becomes of a filter of a SUBSCRIBE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubscribeOutcome {
    /// This subscription is made.
    Accept(SubscribeRequest),
    /// None is made.
    Reject(SubscribeReason),
    /// None is made, and the connection is closed.
    Disconnect,
}

/// One plugin's answer about a filter of an UNSUBSCRIBE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UnsubscribeDecision {
    /// No objection.
    Pass,
    /// Another subscription is meant.
    Replace(SharedFilter),
    /// The subscription stays.
    Reject(UnsubscribeReason),
}

/// What becomes of a filter of an UNSUBSCRIBE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UnsubscribeOutcome {
    /// This subscription ends.
    Remove(SharedFilter),
    /// None ends.
    Reject(UnsubscribeReason),
    /// None ends, and the connection is closed.
    Disconnect,
}

impl Chain {
    /// Whether and how a subscription is made.
    pub fn on_subscribe(&self, client: ClientKey, request: SubscribeRequest) -> SubscribeOutcome {
        let before = self.has_shadow(Hook::OnSubscribe).then(|| request.clone());
        let outcome = self.decide_subscription(client, request);
        if let Some(before) = before {
            self.shadow_subscription(client, &before, &outcome);
        }
        outcome
    }

    fn decide_subscription(&self, client: ClientKey, mut request: SubscribeRequest) -> SubscribeOutcome {
        for plugin in self.asked(Hook::OnSubscribe) {
            match plugin.on_subscribe(client, &request) {
                Ok(SubscribeDecision::Pass) => {}
                Ok(SubscribeDecision::Replace(changed)) => request = *changed,
                Ok(SubscribeDecision::WithoutRetained) => request = request.without_retained(),
                Ok(SubscribeDecision::Reject(reason)) => return SubscribeOutcome::Reject(reason),
                Err(_) => match plugin.on_failure(Hook::OnSubscribe) {
                    OnFailure::Pass => {}
                    OnFailure::Deny => {
                        return SubscribeOutcome::Reject(SubscribeReason::ImplementationSpecific);
                    }
                    OnFailure::Disconnect => return SubscribeOutcome::Disconnect,
                },
            }
        }
        SubscribeOutcome::Accept(request)
    }

    /// Which subscription ends, if any does.
    pub fn on_unsubscribe(&self, client: ClientKey, filter: SharedFilter) -> UnsubscribeOutcome {
        let before = self.has_shadow(Hook::OnUnsubscribe).then(|| filter.clone());
        let outcome = self.decide_unsubscription(client, filter);
        if let Some(before) = before {
            self.shadow_unsubscription(client, &before, &outcome);
        }
        outcome
    }

    fn decide_unsubscription(&self, client: ClientKey, mut filter: SharedFilter) -> UnsubscribeOutcome {
        for plugin in self.asked(Hook::OnUnsubscribe) {
            match plugin.on_unsubscribe(client, &filter) {
                Ok(UnsubscribeDecision::Pass) => {}
                Ok(UnsubscribeDecision::Replace(changed)) => filter = changed,
                Ok(UnsubscribeDecision::Reject(reason)) => return UnsubscribeOutcome::Reject(reason),
                Err(_) => match plugin.on_failure(Hook::OnUnsubscribe) {
                    OnFailure::Pass => {}
                    OnFailure::Deny => {
                        return UnsubscribeOutcome::Reject(UnsubscribeReason::ImplementationSpecific);
                    }
                    OnFailure::Disconnect => return UnsubscribeOutcome::Disconnect,
                },
            }
        }
        UnsubscribeOutcome::Remove(filter)
    }
}
