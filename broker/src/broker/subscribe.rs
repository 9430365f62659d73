//! SUBSCRIBE and UNSUBSCRIBE.

use std::future::Future;
use std::sync::Arc;
use std::time::Instant;

use bytestring::ByteString;
use hookwire_hooks::{
    Access, AccessDecision, Action, Chain, EventKind, Hook, Message, SubscribeOutcome, SubscribeRequest,
    UnsubscribeOutcome,
};
use hookwire_protocol::{
    AckProperties, DisconnectReason, QoS, RetainHandling, SharedFilter, Suback, Subscribe, SubscribeFilter,
    SubscribeReason, SubscriptionOptions, TopicFilter, Unsuback, Unsubscribe, UnsubscribeReason, Version,
};

use super::access::{self, AccessMemo};
use super::client::{Client, Standing};
use super::publish::Stop;
use super::{Broker, Connected, Rights};
use crate::clock;
use crate::config::Features;
use crate::metrics::Limit;
use crate::router::{Subscriber, Subscription};
use crate::session::{Replayed, RetainedCopy, SubscriptionIds, Unsubscribed, Violation};

/// A subscription that was made, and the retained messages that it brings.
struct Made {
    filter: ByteString,
    qos: QoS,
    retained: Vec<Replayed>,
    /// It is one of several members'.
    shared: Option<SharedFilter>,
}

/// One filter of a SUBSCRIBE.
struct Wanted<'a> {
    asked: &'a SubscribeFilter,
    id: Option<u32>,
    /// Retained messages that the filters before it have brought.
    waiting: usize,
}

/// What policies that had to be waited for said about the filters of one SUBSCRIBE.
#[derive(Debug, Default)]
pub struct Consulted(AccessMemo);

impl Broker {
    /// Whether policies may wait when they are asked about subscriptions of this client.
    pub fn waits_to_subscribe(&self, connected: &Connected) -> bool {
        let chain = self.chain();
        chain.waits_for_access(Action::Subscribe)
            && !access::is_free(&chain, &connected.standing.rights, Action::Subscribe)
    }

    /// Asks the policies about the filters of a SUBSCRIBE, one after the other; what they say is for
    /// [`Broker::subscribe_consulted`].
    pub fn consult(
        &self,
        connected: &Connected,
        subscribe: &Subscribe,
    ) -> impl Future<Output = Consulted> + Send + use<> {
        let broker = self.clone();
        let (client, rights) = (
            Arc::clone(&connected.client),
            Arc::clone(&connected.standing.rights),
        );
        let filters = subscribe.filters.clone();
        async move {
            loop {
                let chain = broker.0.chain.load_full();
                let memo = broker.ask_about(&chain, &client, &rights, &filters).await;
                // What an earlier policy said is worth nothing.
                if broker.chain().generation() == chain.generation() {
                    return Consulted(memo);
                }
            }
        }
    }

    async fn ask_about(
        &self,
        chain: &Chain,
        client: &Client,
        rights: &Rights,
        filters: &[SubscribeFilter],
    ) -> AccessMemo {
        let mut memo = AccessMemo::of(chain);
        for asked in filters {
            let Some(parsed) = self.mounted(client, &asked.filter) else {
                continue;
            };
            let qos = asked.options.qos.min(client.session().terms().qos_max);
            let access = access_of(client, parsed.filter.as_str(), qos);
            let decision = access::decide_once(chain, rights, &access).await;
            memo.remember(&access, decision, clock::now());
        }
        memo
    }

    /// Makes the subscriptions of one SUBSCRIBE, answers it, and starts to send retained messages.
    ///
    /// # Errors
    /// The connection has to be closed.
    pub fn subscribe(&self, connected: &Connected, now: Instant, subscribe: &Subscribe) -> Result<(), Stop> {
        self.subscribe_consulted(connected, now, subscribe, Consulted::default())
    }

    /// The same, when policies have been asked already.
    ///
    /// # Errors
    /// The connection has to be closed.
    pub fn subscribe_consulted(
        &self,
        connected: &Connected,
        now: Instant,
        subscribe: &Subscribe,
        mut consulted: Consulted,
    ) -> Result<(), Stop> {
        let Connected {
            client,
            key,
            standing: Standing { rights, .. },
            version,
            ..
        } = connected;
        // A request that a connection had not read when another took over is nobody's.
        if client.session_of(*key).is_none() {
            return Ok(());
        }
        check_form(subscribe.filters.iter().map(|asked| &asked.filter))?;
        let chain = self.chain();
        let id = subscribe.subscription_identifier.map(std::num::NonZero::get);
        let mut reasons = Vec::with_capacity(subscribe.filters.len());
        let mut made = Vec::new();
        let mut joined = Vec::new();
        let mut waiting = 0;
        for asked in &subscribe.filters {
            let wanted = Wanted { asked, id, waiting };
            match self.subscribe_one(&chain, client, rights, now, wanted, &mut consulted.0)? {
                Ok(subscription) => {
                    waiting += subscription.retained.len();
                    reasons.push(SubscribeReason::granted(subscription.qos));
                    joined.extend(subscription.shared.clone());
                    made.push(subscription);
                }
                // MQTT 3.1 knows no failure: who may not subscribe is sent nothing.
                Err(_) if *version == Version::V3_1 => {
                    reasons.push(SubscribeReason::granted(asked.options.qos));
                }
                Err(reason) => reasons.push(reason),
            }
        }
        let ids: SubscriptionIds = id.into_iter().collect();
        let Some(mut session) = client.session_of(*key) else {
            return Ok(());
        };
        session.answer_subscribe(&Suback {
            packet_id: subscribe.packet_id,
            reasons,
            properties: AckProperties::default(),
        });
        for Made {
            filter,
            qos,
            retained,
            ..
        } in made
        {
            session.replay(now, &filter, retained, qos, ids.clone());
        }
        let lost = session.take_lost();
        drop(session);
        self.report_lost(client, lost);
        self.relieve_absent(now, &joined);
        Ok(())
    }

    fn subscribe_one(
        &self,
        chain: &Chain,
        client: &Arc<Client>,
        rights: &Rights,
        now: Instant,
        wanted: Wanted<'_>,
        consulted: &mut AccessMemo,
    ) -> Result<Result<Made, SubscribeReason>, Stop> {
        let Wanted { asked, id, waiting } = wanted;
        let settings = self.settings();
        let Some(parsed) = self.mounted(client, &asked.filter) else {
            return Ok(Err(SubscribeReason::TopicFilterInvalid));
        };
        if let Err(error) = parsed.filter.check(&settings.limits.decode.topic) {
            self.0.metrics.limits.reached_by(error.into());
            return Ok(Err(SubscribeReason::TopicFilterInvalid));
        }
        if let Some(violation) = unavailable(settings.limits.features, &parsed, id) {
            return Err(Stop::Violation(violation));
        }
        // [MQTT-3.8.3-4]
        if parsed.share.is_some() && asked.options.no_local {
            return Err(Stop::Violation(Violation::NoLocalOnShared));
        }
        let text = full_text(&parsed);
        let (qos_max, is_asked, is_known, count, waiting) = {
            let session = client.session();
            (
                session.terms().qos_max,
                session.asks_for(&text),
                session.is_subscribed(&text),
                session.asked_count(),
                waiting + session.replayed_besides(&text),
            )
        };
        if !is_asked && count >= settings.session.subscriptions_max {
            self.0.metrics.limits.reached(Limit::SubscriptionsMax);
            return Ok(Err(SubscribeReason::QuotaExceeded));
        }
        if wants_retained(&parsed, asked.options, !is_known)
            && let Some(limit) = self.retained_limit(waiting)
        {
            self.0.metrics.limits.reached(limit);
            return Ok(Err(SubscribeReason::QuotaExceeded));
        }
        if client.is_durable() && !self.store_has_room() {
            self.0.metrics.limits.reached(Limit::StoreBytesMax);
            return Ok(Err(SubscribeReason::QuotaExceeded));
        }
        let qos = asked.options.qos.min(qos_max);
        if qos < asked.options.qos {
            self.0.metrics.limits.reached(Limit::QosMax);
        }
        let access = access_of(client, parsed.filter.as_str(), qos);
        match may_subscribe(chain, rights, now, &access, consulted) {
            AccessDecision::Allow => {}
            AccessDecision::Deny(_) | AccessDecision::Next => return Ok(Err(SubscribeReason::NotAuthorized)),
            AccessDecision::Disconnect(text) => {
                return Err(Stop::Policy {
                    reason: DisconnectReason::NotAuthorized,
                    text,
                });
            }
        }
        let request = SubscribeRequest {
            filter: parsed,
            options: SubscriptionOptions { qos, ..asked.options },
        };
        let kept = match judged(chain, client, request.clone())? {
            Ok(kept) => kept,
            Err(reason) => return Ok(Err(reason)),
        };
        let is_changed = kept.filter != request.filter;
        if is_changed && count >= settings.session.subscriptions_max && !is_subscribed(client, &kept.filter) {
            self.0.metrics.limits.reached(Limit::SubscriptionsMax);
            return Ok(Err(SubscribeReason::QuotaExceeded));
        }
        Ok(Ok(self.make(chain, client, now, &request.filter, kept, id)))
    }

    /// The limit that keeps a session that so many retained messages wait for from being brought more, if one does.
    fn retained_limit(&self, waiting: usize) -> Option<Limit> {
        if waiting >= self.settings().session.retained_waiting_max {
            Some(Limit::RetainedWaitingMax)
        } else if waiting > 0 && self.0.memory.is_full() {
            Some(Limit::MemoryMax)
        } else {
            None
        }
    }

    /// Makes a subscription: what the client has asked for, as policies have changed it.
    fn make(
        &self,
        chain: &Chain,
        client: &Arc<Client>,
        now: Instant,
        asked: &SharedFilter,
        kept: SubscribeRequest,
        id: Option<u32>,
    ) -> Made {
        let SubscribeRequest { filter, options } = kept;
        let is_new = self.add(client, asked, &filter, options, id);
        let retained = if wants_retained(&filter, options, is_new) {
            self.readable_retained(chain, client, &filter.filter, now)
        } else {
            Vec::new()
        };
        Made {
            filter: full_text(&filter),
            qos: options.qos,
            retained,
            shared: Some(filter).filter(|filter| filter.share.is_some()),
        }
    }

    fn add(
        &self,
        client: &Arc<Client>,
        asked: &SharedFilter,
        filter: &SharedFilter,
        options: SubscriptionOptions,
        id: Option<u32>,
    ) -> bool {
        let text = full_text(filter);
        let (is_new, replaced) = {
            // What is asked for and what is kept for it are there together after a restart.
            let _whole = self.whole();
            let mut session = client.session();
            let replaced = session.rewrite(&full_text(asked), &text);
            (session.subscribe(text.clone(), options, id), replaced)
        };
        if let Some(replaced) = replaced {
            self.remove(client, replaced);
        }
        self.0.router.subscribe(
            filter,
            Subscription {
                subscriber: Arc::clone(client),
                options,
                id,
            },
        );
        // The session may have ended in between; whoever ended it saw either this subscription or this flag
        // not yet.
        if client.session().has_ended() {
            self.0.router.unsubscribe(filter, client.id());
        }
        let standing = client.standing();
        self.emit(standing.facts.key, &standing.facts.client_id, || {
            EventKind::Subscribed {
                filter: text,
                qos: options.qos,
            }
        });
        is_new
    }

    fn readable_retained(
        &self,
        chain: &Chain,
        client: &Arc<Client>,
        filter: &TopicFilter,
        now: Instant,
    ) -> Vec<Replayed> {
        let copies = self.0.router.retained(filter, now);
        let brought = copies.into_iter().map(Replayed::new).collect();
        self.judge_retained(chain, client, brought, now)
    }

    /// What the client may not be sent live, it may not be sent from memory either. What only the store has is judged when it
    /// was read.
    pub(super) fn judge_retained(
        &self,
        chain: &Chain,
        client: &Arc<Client>,
        mut brought: Vec<Replayed>,
        now: Instant,
    ) -> Vec<Replayed> {
        let mut retain = |is_good: &dyn Fn(&Arc<RetainedCopy>, &Message) -> bool| {
            brought.retain(|Replayed { copy, message }| {
                message.as_deref().is_none_or(|message| is_good(copy, message))
            });
        };
        if chain.wants_access(Action::Deliver) || client.is_restricted() {
            retain(&|_, message| self.may_receive(chain, client, message, now));
        }
        if self.settings().session.check_retain_source && chain.has(Hook::Authorize) {
            retain(&|copy, message| self.source_is_good(chain, copy, message, now));
        }
        self.judge_replay(chain, client, brought, now)
    }

    /// Removes the subscriptions of one UNSUBSCRIBE and answers it.
    ///
    /// # Errors
    /// The connection has to be closed.
    pub fn unsubscribe(&self, connected: &Connected, unsubscribe: &Unsubscribe) -> Result<(), Stop> {
        let Connected { client, key, .. } = connected;
        if client.session_of(*key).is_none() {
            return Ok(());
        }
        check_form(&unsubscribe.filters)?;
        let chain = self.chain();
        let reasons = unsubscribe
            .filters
            .iter()
            .map(|filter| self.unsubscribe_one(&chain, client, filter))
            .collect::<Result<_, _>>()?;
        let properties = AckProperties::default();
        if let Some(mut session) = client.session_of(*key) {
            session.answer_unsubscribe(&Unsuback {
                packet_id: unsubscribe.packet_id,
                reasons,
                properties,
            });
        }
        Ok(())
    }

    fn unsubscribe_one(
        &self,
        chain: &Chain,
        client: &Arc<Client>,
        filter: &ByteString,
    ) -> Result<UnsubscribeReason, Stop> {
        let Some(asked) = self.mounted(client, filter) else {
            return Ok(UnsubscribeReason::TopicFilterInvalid);
        };
        let meant = match chain.on_unsubscribe(client.key(), asked.clone()) {
            UnsubscribeOutcome::Remove(meant) => meant,
            UnsubscribeOutcome::Reject(reason) => return Ok(reason),
            UnsubscribeOutcome::Disconnect => return Err(closed_by_failure()),
        };
        let text = full_text(&meant);
        let whole = self.whole();
        let unsubscribed = if meant == asked {
            client.session().unsubscribe(&text)
        } else {
            client.session().unsubscribe_kept(&text)
        };
        drop(whole);
        Ok(match unsubscribed {
            Unsubscribed::Ended(kept) => {
                self.remove(client, kept);
                UnsubscribeReason::Success
            }
            Unsubscribed::StillAsked => UnsubscribeReason::Success,
            Unsubscribed::Unknown => UnsubscribeReason::NoSubscriptionExisted,
        })
    }

    /// A subscription that its session has forgotten is nobody's any more.
    pub(super) fn remove(&self, client: &Arc<Client>, kept: ByteString) {
        if let Ok(filter) = SharedFilter::parse(kept.clone()) {
            self.0.router.unsubscribe(&filter, client.id());
        }
        let standing = client.standing();
        self.emit(standing.facts.key, &standing.facts.client_id, || {
            EventKind::Unsubscribed(kept)
        });
    }

    /// The filter that is meant: below the client's mount point, if it has one.
    fn mounted(&self, client: &Client, filter: &ByteString) -> Option<SharedFilter> {
        let parsed = SharedFilter::parse(filter.clone()).ok()?;
        let mount = client.session().terms().mount_point.clone();
        match mount {
            None => Some(parsed),
            Some(mount) => {
                let filter = TopicFilter::new(format!("{mount}{}", parsed.filter)).ok()?;
                Some(SharedFilter { filter, ..parsed })
            }
        }
    }
}

/// What a subscription uses of MQTT that is not available here.
fn unavailable(features: Features, filter: &SharedFilter, id: Option<u32>) -> Option<Violation> {
    if !features.wildcard_subscriptions && filter.filter.as_str().contains(['+', '#']) {
        Some(Violation::WildcardSubscriptionsNotSupported)
    } else if !features.shared_subscriptions && filter.share.is_some() {
        Some(Violation::SharedSubscriptionsNotSupported)
    } else if !features.subscription_identifiers && id.is_some() {
        Some(Violation::SubscriptionIdentifiersNotSupported)
    } else {
        None
    }
}

/// A filter that is none is no request that could be answered: nothing of its packet is carried out. [MQTT-4.13.1-1], and
/// [MQTT-4.8.0-1] of 3.1.1
fn check_form<'f>(filters: impl IntoIterator<Item = &'f ByteString>) -> Result<(), Stop> {
    for filter in filters {
        if SharedFilter::parse(filter.clone()).is_err() {
            return Err(Stop::Violation(Violation::FilterMalformed));
        }
    }
    Ok(())
}

fn full_text(filter: &SharedFilter) -> ByteString {
    ByteString::from(filter.to_string())
}

/// The question whether a client may have a subscription.
pub(super) fn access_of<'f>(client: &Client, filter: &'f str, qos: QoS) -> Access<'f> {
    Access {
        client: client.key(),
        action: Action::Subscribe,
        topic: filter,
        qos,
        retain: false,
    }
}

fn may_subscribe(
    chain: &Chain,
    rights: &Rights,
    now: Instant,
    asked: &Access<'_>,
    consulted: &mut AccessMemo,
) -> AccessDecision {
    if access::is_free(chain, rights, Action::Subscribe) {
        return AccessDecision::Allow;
    }
    access::decide(chain, rights, consulted, asked, now)
}

fn is_subscribed(client: &Client, filter: &SharedFilter) -> bool {
    client.session().is_subscribed(&full_text(filter))
}

/// What policies make of a subscription. They may lower its QoS; more than was asked for, or than the client may have, it is never.
fn judged(
    chain: &Chain,
    client: &Client,
    asked: SubscribeRequest,
) -> Result<Result<SubscribeRequest, SubscribeReason>, Stop> {
    if !chain.has(Hook::OnSubscribe) {
        return Ok(Ok(asked));
    }
    let qos = asked.options.qos;
    match chain.on_subscribe(client.key(), asked) {
        SubscribeOutcome::Accept(mut kept) => {
            kept.options.qos = kept.options.qos.min(qos);
            Ok(Ok(kept))
        }
        SubscribeOutcome::Reject(reason) => Ok(Err(reason)),
        SubscribeOutcome::Disconnect => Err(closed_by_failure()),
    }
}

/// A policy has failed, and the configuration wants its client's connection closed for it.
fn closed_by_failure() -> Stop {
    Stop::Policy {
        reason: DisconnectReason::ImplementationSpecific,
        text: Some(ByteString::from_static("policy failed")),
    }
}

/// [MQTT-3.3.1-9..11]; a shared subscription brings none.
fn wants_retained(filter: &SharedFilter, options: SubscriptionOptions, is_new: bool) -> bool {
    filter.share.is_none()
        && match options.retain_handling {
            RetainHandling::SendAtSubscribe => true,
            RetainHandling::SendIfNew => is_new,
            RetainHandling::DoNotSend => false,
        }
}
