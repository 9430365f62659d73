//! Shadows: plugins that are asked beside the chain, to see what they would do.
//!
//! A shadow is asked the question as it came in, before any plugin changed it, whatever its place in the configuration,
//! and after the chain has decided. So a new version of a plugin can stand beside the old one and is asked the same.
//! Its answer agrees when it is what the chain did without it: the same kind of answer, and the same change where both
//! change something. Nothing else comes of it. An exchange of challenges has one partner only, so shadows take no
//! part in enhanced authentication.

use std::sync::Arc;

use hookwire_protocol::{ConnectReason, SharedFilter, TopicName};

use crate::deliver::wanted as wanted_deliveries;
use crate::{
    Access, AccessAnswer, AccessDecision, AccessOutcome, Action, Authentication, AuthenticationOutcome,
    Chain, ClientKey, Credentials, DeliverDecision, Failure, Fate, Hook, Message, Parcel, Plugin,
    Publication, Recipients, Replacement, Routing, SubscribeDecision, SubscribeOutcome, SubscribeRequest,
    UnsubscribeDecision, UnsubscribeOutcome, Verdict, Verdicts, WillCause, WillDecision, WillDelays,
    WillOutcome,
};

/// One question: what the chain did, and what a shadow would have done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Comparison {
    /// The chain's answer, as the contract names it.
    pub chain: &'static str,
    /// The shadow's.
    pub shadow: &'static str,
    /// Whether they come to the same.
    pub agrees: bool,
}

impl Comparison {
    fn of_kinds(chain: &'static str, shadow: &'static str) -> Self {
        Self {
            chain,
            shadow,
            agrees: chain == shadow,
        }
    }

    /// The same kind of answer may still be another answer.
    fn and(self, same: bool) -> Self {
        Self {
            agrees: self.agrees && same,
            ..self
        }
    }
}

/// A shadow's failure is an answer that no chain gives.
const FAILURE: &str = "failure";

impl Chain {
    /// The shadows that have a hook.
    fn shadows(&self, hook: Hook) -> impl Iterator<Item = &Arc<dyn Plugin>> {
        let any = self.has_shadow(hook);
        let shadows = self.plugins().iter().filter(move |_| any);
        shadows.filter(move |plugin| plugin.is_shadow() && plugin.hooks().contains(hook))
    }

    pub(crate) async fn shadow_authentication(
        &self,
        who: &Arc<Credentials>,
        outcome: &AuthenticationOutcome,
    ) {
        for shadow in self.shadows(Hook::Authenticate) {
            let own = Arc::clone(shadow).authenticate(Arc::clone(who)).await;
            let own = own.as_ref().map_or(FAILURE, authentication_kind);
            let comparison = Comparison::of_kinds(authentication_outcome_kind(outcome), own);
            shadow.compared(Hook::Authenticate, comparison);
        }
    }

    fn access_shadows(&self, action: Action) -> impl Iterator<Item = &Arc<dyn Plugin>> {
        let shadows = self.shadows(Hook::Authorize);
        shadows.filter(move |shadow| shadow.wants_access(action))
    }

    pub(crate) fn shadow_access(&self, access: &Access<'_>, outcome: &mut AccessOutcome) {
        for shadow in self.access_shadows(access.action) {
            compare_access(&**shadow, shadow.authorize(access), outcome);
        }
    }

    pub(crate) async fn shadow_access_waiting(&self, access: &Access<'_>, outcome: &mut AccessOutcome) {
        for shadow in self.access_shadows(access.action) {
            let own = if shadow.waits_for_access(access.action) {
                Arc::clone(shadow).authorize_waiting(access.into()).await
            } else {
                shadow.authorize(access)
            };
            compare_access(&**shadow, own, outcome);
        }
    }

    pub(crate) fn shadow_subscription(
        &self,
        client: ClientKey,
        before: &SubscribeRequest,
        outcome: &SubscribeOutcome,
    ) {
        for shadow in self.shadows(Hook::OnSubscribe) {
            let own = shadow.on_subscribe(client, before);
            shadow.compared(Hook::OnSubscribe, compare_subscription(before, outcome, own.ok()));
        }
    }

    pub(crate) fn shadow_unsubscription(
        &self,
        client: ClientKey,
        before: &SharedFilter,
        outcome: &UnsubscribeOutcome,
    ) {
        for shadow in self.shadows(Hook::OnUnsubscribe) {
            let own = shadow.on_unsubscribe(client, before);
            let comparison = compare_unsubscription(before, outcome, own.ok());
            shadow.compared(Hook::OnUnsubscribe, comparison);
        }
    }

    /// The run as it comes in, if any shadow will want to know.
    pub(crate) fn shadow_copy(&self, run: &[Publication]) -> Vec<Arc<Message>> {
        if self.has_shadow(Hook::OnPublish) {
            run.iter()
                .map(|publication| Arc::clone(&publication.message))
                .collect()
        } else {
            Vec::new()
        }
    }

    pub(crate) fn shadow_publish(&self, before: &[Arc<Message>], run: &[Publication]) {
        for shadow in self.shadows(Hook::OnPublish) {
            let wanted = wanted_publications(&**shadow, before, run);
            if !wanted.is_empty() {
                let messages: Vec<&Message> = wanted.iter().map(|(message, _)| *message).collect();
                compare_publications(&**shadow, &wanted, shadow.on_publish(&messages));
            }
        }
    }

    pub(crate) async fn shadow_publish_waiting(&self, before: &[Arc<Message>], run: &[Publication]) {
        for shadow in self.shadows(Hook::OnPublish) {
            let wanted = wanted_publications(&**shadow, before, run);
            if wanted.is_empty() {
                continue;
            }
            let verdicts = if shadow.waits_for_messages(Hook::OnPublish) {
                let messages = wanted
                    .iter()
                    .map(|(message, _)| Message::clone(message))
                    .collect();
                Arc::clone(shadow).on_publish_waiting(messages).await
            } else {
                let messages: Vec<&Message> = wanted.iter().map(|(message, _)| *message).collect();
                shadow.on_publish(&messages)
            };
            compare_publications(&**shadow, &wanted, verdicts);
        }
    }

    fn route_shadows(&self, topic: &TopicName) -> impl Iterator<Item = &Arc<dyn Plugin>> {
        let shadows = self.shadows(Hook::Route);
        shadows.filter(move |shadow| shadow.wants_topic(Hook::Route, topic))
    }

    pub(crate) fn shadow_route(&self, message: &Message, recipients: &Recipients, routing: &Routing) {
        for shadow in self.route_shadows(&message.topic) {
            compare_route(&**shadow, shadow.route(message, recipients), routing);
        }
    }

    pub(crate) async fn shadow_route_waiting(
        &self,
        message: &Message,
        recipients: &Recipients,
        routing: &Routing,
    ) {
        for shadow in self.route_shadows(&message.topic) {
            let own = if shadow.waits_for_messages(Hook::Route) {
                let (message, recipients) = (message.clone(), recipients.clone());
                Arc::clone(shadow).route_waiting(message, recipients).await
            } else {
                shadow.route(message, recipients)
            };
            compare_route(&**shadow, own, routing);
        }
    }

    /// The deliveries as they come in, if any shadow will want to know.
    pub(crate) fn shadow_parcels(&self, parcels: &[Parcel]) -> Vec<Parcel> {
        if self.has_shadow(Hook::Deliver) {
            parcels.to_vec()
        } else {
            Vec::new()
        }
    }

    pub(crate) fn shadow_deliveries(&self, before: &[Parcel], after: &[Parcel]) {
        for shadow in self.shadows(Hook::Deliver) {
            let places = wanted_deliveries(&**shadow, before);
            let pairs = places.into_iter();
            let pairs: Vec<_> = pairs.filter_map(|at| before.get(at).zip(after.get(at))).collect();
            if pairs.is_empty() {
                continue;
            }
            let asked: Vec<&Parcel> = pairs.iter().map(|(before, _)| *before).collect();
            for ((before, after), own) in pairs.into_iter().zip(shadow.deliver(&asked)) {
                shadow.compared(Hook::Deliver, compare_delivery(before, after, own.ok()));
            }
        }
    }

    pub(crate) fn shadow_will(
        &self,
        (client, cause, delays): (ClientKey, WillCause, WillDelays),
        before: &Message,
        after: &Message,
        outcome: &WillOutcome,
    ) {
        for shadow in self.shadows(Hook::OnWill) {
            let own = shadow.on_will(client, cause, delays, before);
            shadow.compared(Hook::OnWill, compare_will(before, after, outcome, own.ok()));
        }
    }
}

/// A shadow is asked as seldom as the chain is: an answer that is remembered is not asked for again. So it is remembered
/// no longer than the shadow would have its own remembered.
fn compare_access(shadow: &dyn Plugin, own: Result<AccessAnswer, Failure>, outcome: &mut AccessOutcome) {
    let kind = own
        .as_ref()
        .map_or(FAILURE, |answer| access_kind(&answer.decision));
    let cache_for = own.map(|answer| answer.cache_for).unwrap_or_default();
    outcome.cache_for = outcome.cache_for.min(cache_for);
    let comparison = Comparison::of_kinds(access_kind(&outcome.decision), kind);
    shadow.compared(Hook::Authorize, comparison);
}

fn compare_subscription(
    before: &SubscribeRequest,
    outcome: &SubscribeOutcome,
    own: Option<SubscribeDecision>,
) -> Comparison {
    let chain = match outcome {
        SubscribeOutcome::Accept(after) if after == before => "pass",
        SubscribeOutcome::Accept(after) if *after == before.clone().without_retained() => "without-retained",
        SubscribeOutcome::Accept(_) => "replace",
        SubscribeOutcome::Reject(_) => "reject",
        SubscribeOutcome::Disconnect => "disconnect",
    };
    match own {
        None => Comparison::of_kinds(chain, FAILURE),
        Some(SubscribeDecision::Pass) => Comparison::of_kinds(chain, "pass"),
        Some(SubscribeDecision::WithoutRetained) => Comparison::of_kinds(chain, "without-retained"),
        Some(SubscribeDecision::Reject(_)) => Comparison::of_kinds(chain, "reject"),
        Some(SubscribeDecision::Replace(own)) => {
            let same = matches!(outcome, SubscribeOutcome::Accept(after) if *after == *own);
            Comparison::of_kinds(chain, "replace").and(same)
        }
    }
}

fn compare_unsubscription(
    before: &SharedFilter,
    outcome: &UnsubscribeOutcome,
    own: Option<UnsubscribeDecision>,
) -> Comparison {
    let chain = match outcome {
        UnsubscribeOutcome::Remove(after) if after == before => "pass",
        UnsubscribeOutcome::Remove(_) => "replace",
        UnsubscribeOutcome::Reject(_) => "reject",
        UnsubscribeOutcome::Disconnect => "disconnect",
    };
    match own {
        None => Comparison::of_kinds(chain, FAILURE),
        Some(UnsubscribeDecision::Pass) => Comparison::of_kinds(chain, "pass"),
        Some(UnsubscribeDecision::Reject(_)) => Comparison::of_kinds(chain, "reject"),
        Some(UnsubscribeDecision::Replace(own)) => {
            let same = matches!(outcome, UnsubscribeOutcome::Remove(after) if *after == own);
            Comparison::of_kinds(chain, "replace").and(same)
        }
    }
}

/// A message as it came in, and what became of it, for each that a shadow wants to see.
type Judged<'r> = Vec<(&'r Message, &'r Publication)>;

fn wanted_publications<'r>(
    shadow: &dyn Plugin,
    before: &'r [Arc<Message>],
    run: &'r [Publication],
) -> Judged<'r> {
    let is_wanted = |(message, publication): &(&Message, &Publication)| {
        publication.origin.as_deref() != Some(shadow.name())
            && shadow.wants_topic(Hook::OnPublish, &message.topic)
    };
    let before = before.iter().map(Arc::as_ref);
    before.zip(run).filter(is_wanted).collect()
}

fn compare_publications(shadow: &dyn Plugin, judged: &[(&Message, &Publication)], verdicts: Verdicts) {
    for ((before, publication), verdict) in judged.iter().zip(verdicts.iter()) {
        let comparison = match verdict {
            Ok(verdict) => compare_publish(before, publication, verdict),
            Err(_) => Comparison::of_kinds(publication_kind(before, publication), FAILURE),
        };
        shadow.compared(Hook::OnPublish, comparison);
    }
}

fn compare_route(shadow: &dyn Plugin, own: Result<Routing, Failure>, routing: &Routing) {
    let kind = own.as_ref().map_or(FAILURE, routing_kind);
    let same = own.is_ok_and(|own| own == *routing);
    let comparison = Comparison::of_kinds(routing_kind(routing), kind).and(same);
    shadow.compared(Hook::Route, comparison);
}

fn compare_delivery(before: &Parcel, after: &Parcel, own: Option<DeliverDecision>) -> Comparison {
    let chain = match after {
        Parcel { is_dropped: true, .. } => "drop",
        after if is_same(&before.message, &after.message) => "pass",
        _ => "replace",
    };
    match own {
        None => Comparison::of_kinds(chain, FAILURE),
        Some(DeliverDecision::Pass) => Comparison::of_kinds(chain, "pass"),
        Some(DeliverDecision::Drop) => Comparison::of_kinds(chain, "drop"),
        Some(DeliverDecision::Replace(replacement)) => {
            let mut own = Message::clone(&before.message);
            replacement.apply(&mut own);
            Comparison::of_kinds(chain, "replace").and(is_same(&own, &after.message))
        }
    }
}

fn authentication_kind(answer: &Authentication) -> &'static str {
    match answer {
        Authentication::Next => "next",
        Authentication::Allow(_) => "allow",
        Authentication::Deny(_) => "deny",
        Authentication::Unavailable => "unavailable",
    }
}

fn authentication_outcome_kind(outcome: &AuthenticationOutcome) -> &'static str {
    match outcome {
        AuthenticationOutcome::Undecided => "next",
        AuthenticationOutcome::Allow(_) => "allow",
        AuthenticationOutcome::Deny(denial) if denial.reason == ConnectReason::ServerUnavailable => {
            "unavailable"
        }
        AuthenticationOutcome::Deny(_) => "deny",
    }
}

fn access_kind(decision: &AccessDecision) -> &'static str {
    match decision {
        AccessDecision::Next => "next",
        AccessDecision::Allow => "allow",
        AccessDecision::Deny(_) => "deny",
        AccessDecision::Disconnect(_) => "disconnect",
    }
}

fn verdict_kind(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "pass",
        Verdict::Replace(_) => "replace",
        Verdict::Drop => "drop",
        Verdict::Reject(_) => "reject",
        Verdict::Disconnect(_) => "disconnect",
        Verdict::Throttle(_) => "throttle",
    }
}

fn publication_kind(before: &Message, publication: &Publication) -> &'static str {
    match publication.fate {
        Fate::Drop => "drop",
        Fate::Reject(_) => "reject",
        Fate::Disconnect(_) => "disconnect",
        Fate::Pass if !is_same(before, &publication.message) => "replace",
        Fate::Pass if publication.throttle_ms > 0 => "throttle",
        Fate::Pass => "pass",
    }
}

fn compare_publish(before: &Message, publication: &Publication, verdict: &Verdict) -> Comparison {
    let chain = publication_kind(before, publication);
    let comparison = Comparison::of_kinds(chain, verdict_kind(verdict));
    match verdict {
        Verdict::Replace(replacement) => {
            let mut own = before.clone();
            Replacement::clone(replacement).apply(&mut own);
            comparison.and(is_same(&own, &publication.message))
        }
        _ => comparison,
    }
}

fn routing_kind(routing: &Routing) -> &'static str {
    if *routing == Routing::default() {
        "default"
    } else {
        "change"
    }
}

fn compare_will(
    before: &Message,
    after: &Message,
    outcome: &WillOutcome,
    own: Option<WillDecision>,
) -> Comparison {
    let chain = match outcome {
        WillOutcome::Publish if is_same(before, after) => "publish",
        WillOutcome::Publish => "replace",
        WillOutcome::Suppress => "suppress",
        WillOutcome::Delay(_) => "delay",
    };
    match own {
        None => Comparison::of_kinds(chain, FAILURE),
        Some(WillDecision::Publish) => Comparison::of_kinds(chain, "publish"),
        Some(WillDecision::Suppress) => Comparison::of_kinds(chain, "suppress"),
        Some(WillDecision::Delay(_)) => Comparison::of_kinds(chain, "delay"),
        Some(WillDecision::Replace(replacement)) => {
            let mut own = before.clone();
            replacement.apply(&mut own);
            Comparison::of_kinds(chain, "replace").and(is_same(&own, after))
        }
    }
}

/// Whether two messages would look the same to whoever receives them.
fn is_same(one: &Message, other: &Message) -> bool {
    one.topic == other.topic
        && one.payload == other.payload
        && one.qos == other.qos
        && one.retain == other.retain
        && one.properties == other.properties
}
