//! Random chains beside the rules of `docs/plugins/chain.md`, written down once more as plainly as possible.

use std::future::ready;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use bytestring::ByteString;
use hookwire_hooks::*;
use hookwire_protocol::{
    ConnectReason, PublishProperties, PublishReason, QoS, RetainHandling, SharedFilter, SubscribeReason,
    SubscriptionOptions, TopicName, UnsubscribeReason, Version,
};
use proptest::prelude::*;

/// What one plugin does at the hook in question: answer, or fail.
#[derive(Debug, Clone)]
enum Act {
    Answer(u8),
    Fail(OnFailure),
}

/// A plugin that does the same whatever it is asked. Its edits append its own letter, so that an order shows.
#[derive(Debug)]
struct Actor {
    letter: char,
    act: Act,
}

const ALL: [Hook; 11] = Hook::ALL;

fn failure() -> Failure {
    Failure {
        kind: FailureKind::Trap,
        detail: String::new(),
    }
}

impl Actor {
    fn answer<A>(&self, answers: impl FnOnce(u8) -> A) -> Result<A, Failure> {
        match self.act {
            Act::Answer(n) => Ok(answers(n)),
            Act::Fail(_) => Err(failure()),
        }
    }

    fn appended(&self, payload: &Bytes) -> Box<Replacement> {
        let mut payload = payload.to_vec();
        payload.push(self.letter as u8);
        Box::new(Replacement {
            payload: Some(payload.into()),
            ..Replacement::default()
        })
    }

    fn longer(&self, filter: &SharedFilter) -> SharedFilter {
        SharedFilter::parse(format!("{filter}/{}", self.letter)).unwrap()
    }
}

/// What nobody waits for is there at the first look.
fn at_once<A>(answer: impl Future<Output = A>) -> A {
    match pin!(answer).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("these plugins never wait"),
    }
}

fn rejection() -> Rejection {
    Rejection {
        reason: PublishReason::QuotaExceeded,
        text: None,
    }
}

impl Plugin for Actor {
    fn name(&self) -> &str {
        "actor"
    }

    fn hooks(&self) -> HookSet {
        ALL.into_iter().fold(HookSet::EMPTY, HookSet::with)
    }

    fn on_failure(&self, _: Hook) -> OnFailure {
        match self.act {
            Act::Fail(on_failure) => on_failure,
            Act::Answer(_) => OnFailure::Pass,
        }
    }

    fn wants_access(&self, _: Action) -> bool {
        true
    }

    fn wants_topic(&self, _: Hook, _: &TopicName) -> bool {
        true
    }

    fn wants_event(&self, _: EventClass) -> bool {
        true
    }

    fn authenticate(self: Arc<Self>, _: Arc<Credentials>) -> Pending<Result<Authentication, Failure>> {
        Box::pin(ready(self.answer(|n| match n % 4 {
            0 => Authentication::Next,
            1 => Authentication::Allow(Box::new(Grant {
                username: Some(self.letter.to_string().into()),
                ..Grant::default()
            })),
            2 => Authentication::Deny(Denial::new(ConnectReason::Banned)),
            _ => Authentication::Unavailable,
        })))
    }

    fn begin_authentication(
        self: Arc<Self>,
        _: ByteString,
        _: Option<Bytes>,
        _: Arc<Credentials>,
    ) -> Pending<Result<EnhancedStep, Failure>> {
        Box::pin(ready(self.answer(|_| EnhancedStep::Next)))
    }

    fn continue_authentication(
        self: Arc<Self>,
        _: ByteString,
        _: Option<Bytes>,
        _: Vec<u8>,
    ) -> Pending<Result<EnhancedStep, Failure>> {
        Box::pin(ready(self.answer(|_| EnhancedStep::Next)))
    }

    fn authorize(&self, _: &Access<'_>) -> Result<AccessAnswer, Failure> {
        let decision = self.answer(|n| match n % 4 {
            0 => AccessDecision::Next,
            1 => AccessDecision::Allow,
            2 => AccessDecision::Deny(None),
            _ => AccessDecision::Disconnect(None),
        })?;
        Ok(AccessAnswer {
            decision,
            cache_for: Duration::ZERO,
        })
    }

    fn on_subscribe(&self, _: ClientKey, request: &SubscribeRequest) -> Result<SubscribeDecision, Failure> {
        self.answer(|n| match n % 4 {
            0 => SubscribeDecision::Pass,
            1 => SubscribeDecision::Replace(Box::new(SubscribeRequest {
                filter: self.longer(&request.filter),
                options: request.options,
            })),
            2 => SubscribeDecision::WithoutRetained,
            _ => SubscribeDecision::Reject(SubscribeReason::QuotaExceeded),
        })
    }

    fn on_unsubscribe(&self, _: ClientKey, filter: &SharedFilter) -> Result<UnsubscribeDecision, Failure> {
        self.answer(|n| match n % 3 {
            0 => UnsubscribeDecision::Pass,
            1 => UnsubscribeDecision::Replace(self.longer(filter)),
            _ => UnsubscribeDecision::Reject(UnsubscribeReason::NotAuthorized),
        })
    }

    fn on_publish(&self, messages: &[&Message]) -> Verdicts {
        let judge = |message: &&Message| {
            self.answer(|n| match n % 6 {
                0 => Verdict::Pass,
                1 => Verdict::Replace(self.appended(&message.payload)),
                2 => Verdict::Drop,
                3 => Verdict::Reject(rejection()),
                4 => Verdict::Disconnect(rejection()),
                _ => Verdict::Throttle(u32::from(n)),
            })
        };
        messages.iter().map(judge).collect()
    }

    fn route(&self, _: &Message, _: &Recipients) -> Result<Routing, Failure> {
        self.answer(|n| Routing {
            copies: (n % 2 == 1)
                .then(|| topic(&self.letter.to_string()))
                .into_iter()
                .collect(),
            only: (n % 3 == 1).then(|| vec![ClientKey(u64::from(n % 5)), ClientKey(1)]),
            exclude: (n % 5 == 1)
                .then_some(ClientKey(u64::from(n % 7)))
                .into_iter()
                .collect(),
            picks: Vec::new(),
            local_only: n % 7 == 1,
            withheld: false,
        })
    }

    fn deliver(&self, parcels: &[&Parcel]) -> Vec<Result<DeliverDecision, Failure>> {
        let judge = |parcel: &&Parcel| {
            // Not the same for all recipients.
            self.answer(|n| match (u64::from(n) + parcel.recipient.0) % 3 {
                0 => DeliverDecision::Pass,
                1 => DeliverDecision::Replace(self.appended(&parcel.message.payload)),
                _ => DeliverDecision::Drop,
            })
        };
        parcels.iter().map(judge).collect()
    }

    fn on_will(
        &self,
        _: ClientKey,
        _: WillCause,
        _: WillDelays,
        message: &Message,
    ) -> Result<WillDecision, Failure> {
        self.answer(|n| match n % 4 {
            0 => WillDecision::Publish,
            1 => WillDecision::Replace(self.appended(&message.payload)),
            2 => WillDecision::Suppress,
            _ => WillDecision::Delay(Duration::from_secs(u64::from(n))),
        })
    }

    fn events(self: Arc<Self>, _: Vec<Event>) -> Pending<()> {
        Box::pin(ready(()))
    }
}

fn topic(name: &str) -> TopicName {
    TopicName::new(name.to_owned()).unwrap()
}

fn message() -> Message {
    Message {
        source: Source::Admin,
        topic: topic("t"),
        payload: Bytes::new(),
        qos: QoS::AtMostOnce,
        retain: false,
        properties: PublishProperties::default(),
        expires_at: None,
    }
}

fn credentials() -> Credentials {
    Credentials {
        client_id: "c".into(),
        username: None,
        password: None,
        address: String::new(),
        listener: String::new(),
        version: Version::V5,
        clean_start: true,
        user_properties: Vec::new(),
    }
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let failures = prop_oneof![
        Just(OnFailure::Deny),
        Just(OnFailure::Pass),
        Just(OnFailure::Disconnect)
    ];
    // Many that let pass: else hardly any chain is asked to its end.
    let act = prop_oneof![
        2 => Just(Act::Answer(0)),
        3 => any::<u8>().prop_map(Act::Answer),
        1 => failures.prop_map(Act::Fail),
    ];
    proptest::collection::vec(act, 0..6)
}

fn chain(acts: &[Act]) -> Chain {
    let actor = |(letter, act): (char, &Act)| {
        Arc::new(Actor {
            letter,
            act: act.clone(),
        }) as Arc<dyn Plugin>
    };
    let plugins = ('a'..).zip(acts).map(actor).collect();
    Chain::new(1, plugins, Defaults::default())
}

/// The acts up to and with the first that is decisive: at a hook where `n % of` in `decisive` is, and a failure is unless it
/// passes.
fn asked<'a>(acts: &'a [Act], of: u8, decisive: &[u8]) -> Vec<(char, &'a Act)> {
    let mut asked = Vec::new();
    for (letter, act) in ('a'..).zip(acts) {
        asked.push((letter, act));
        let is_decisive = match act {
            Act::Answer(n) => decisive.contains(&(n % of)),
            Act::Fail(on_failure) => *on_failure != OnFailure::Pass,
        };
        if is_decisive {
            break;
        }
    }
    asked
}

/// What the edits of those asked append.
fn edits(asked: &[(char, &Act)], of: u8) -> String {
    let edits = asked
        .iter()
        .filter(|(_, act)| matches!(act, Act::Answer(n) if n % of == 1));
    edits.map(|(letter, _)| *letter).collect()
}

/// How the asking ended: by an answer, by a failure, or not before the end of the chain.
#[derive(Debug, PartialEq)]
enum End {
    Answer(u8),
    Failure(OnFailure),
    None,
}

fn end(asked: &[(char, &Act)], of: u8, decisive: &[u8]) -> End {
    match asked.last() {
        Some((_, Act::Answer(n))) if decisive.contains(&(n % of)) => End::Answer(n % of),
        Some((_, Act::Fail(on_failure))) if *on_failure != OnFailure::Pass => End::Failure(*on_failure),
        _ => End::None,
    }
}

proptest! {
    #[test]
    fn authenticate_ends_with_the_first_who_decides(acts in acts()) {
        let (chain, decisive) = (chain(&acts), [1, 2, 3]);
        let asked = asked(&acts, 4, &decisive);
        let outcome = at_once(chain.authenticate(&Arc::new(credentials())));
        match (end(&asked, 4, &decisive), outcome) {
            (End::None, AuthenticationOutcome::Undecided) => {}
            (End::Answer(1), AuthenticationOutcome::Allow(grant)) => {
                let (letter, _) = asked.last().unwrap();
                prop_assert_eq!(grant.username.as_deref(), Some(&*letter.to_string()));
            }
            (End::Answer(2), AuthenticationOutcome::Deny(denial)) => {
                prop_assert_eq!(denial.reason, ConnectReason::Banned);
            }
            (End::Answer(3) | End::Failure(_), AuthenticationOutcome::Deny(denial)) => {
                prop_assert_eq!(denial.reason, ConnectReason::ServerUnavailable);
            }
            (expected, found) => prop_assert!(false, "{expected:?}, found {found:?}"),
        }
    }

    #[test]
    fn authorize_ends_with_the_first_who_decides(acts in acts()) {
        let (chain, decisive) = (chain(&acts), [1, 2, 3]);
        let access = Access {
            client: ClientKey(1),
            action: Action::Publish,
            topic: "t",
            qos: QoS::AtMostOnce,
            retain: false,
        };
        let decision = chain.authorize(&access).decision;
        match end(&asked(&acts, 4, &decisive), 4, &decisive) {
            // Without a default: allowed where nobody could be asked, or only those who failed and are to be passed.
            End::None => {
                let nobody = acts.iter().all(|act| matches!(act, Act::Fail(_)));
                prop_assert_eq!(decision == AccessDecision::Allow, nobody);
            }
            End::Answer(1) => prop_assert_eq!(decision, AccessDecision::Allow),
            End::Answer(2) | End::Failure(OnFailure::Deny) => {
                prop_assert!(matches!(decision, AccessDecision::Deny(_)));
            }
            _ => prop_assert!(matches!(decision, AccessDecision::Disconnect(_))),
        }
    }

    #[test]
    fn on_subscribe_hands_changes_on_until_one_rejects(acts in acts()) {
        let (chain, decisive) = (chain(&acts), [3]);
        let asked = asked(&acts, 4, &decisive);
        let request = SubscribeRequest {
            filter: SharedFilter::parse("f").unwrap(),
            options: SubscriptionOptions::default(),
        };
        let outcome = chain.on_subscribe(ClientKey(1), request);
        let expected = match end(&asked, 4, &decisive) {
            End::Answer(_) => SubscribeOutcome::Reject(SubscribeReason::QuotaExceeded),
            End::Failure(OnFailure::Disconnect) => SubscribeOutcome::Disconnect,
            End::Failure(_) => SubscribeOutcome::Reject(SubscribeReason::ImplementationSpecific),
            End::None => {
                let levels: String = edits(&asked, 4).chars().map(|letter| format!("/{letter}")).collect();
                let without = asked.iter().any(|(_, act)| matches!(act, Act::Answer(n) if n % 4 == 2));
                let retain_handling = if without { RetainHandling::DoNotSend } else { RetainHandling::default() };
                SubscribeOutcome::Accept(SubscribeRequest {
                    filter: SharedFilter::parse(format!("f{levels}")).unwrap(),
                    options: SubscriptionOptions { retain_handling, ..SubscriptionOptions::default() },
                })
            }
        };
        prop_assert_eq!(outcome, expected);
    }

    #[test]
    fn on_unsubscribe_hands_changes_on_until_one_rejects(acts in acts()) {
        let (chain, decisive) = (chain(&acts), [2]);
        let asked = asked(&acts, 3, &decisive);
        let outcome = chain.on_unsubscribe(ClientKey(1), SharedFilter::parse("f").unwrap());
        let expected = match end(&asked, 3, &decisive) {
            End::Answer(_) => UnsubscribeOutcome::Reject(UnsubscribeReason::NotAuthorized),
            End::Failure(OnFailure::Disconnect) => UnsubscribeOutcome::Disconnect,
            End::Failure(_) => UnsubscribeOutcome::Reject(UnsubscribeReason::ImplementationSpecific),
            End::None => {
                let levels: String = edits(&asked, 3).chars().map(|letter| format!("/{letter}")).collect();
                UnsubscribeOutcome::Remove(SharedFilter::parse(format!("f{levels}")).unwrap())
            }
        };
        prop_assert_eq!(outcome, expected);
    }

    #[test]
    fn on_publish_hands_changes_on_until_one_refuses(acts in acts()) {
        let (chain, decisive) = (chain(&acts), [2, 3, 4]);
        let asked = asked(&acts, 6, &decisive);
        let mut run = [Publication::new(message()), Publication::new(message())];
        chain.on_publish(&mut run);
        for publication in run {
            let payload = String::from_utf8(publication.message.payload.to_vec()).unwrap();
            prop_assert_eq!(payload, edits(&asked, 6));
            let throttles = asked.iter().filter_map(|(_, act)| match act {
                Act::Answer(n) if n % 6 == 5 => Some(u32::from(*n)),
                _ => None,
            });
            prop_assert_eq!(publication.throttle_ms, throttles.max().unwrap_or(0));
            let reason = |fate: &Fate| match fate {
                Fate::Reject(rejection) | Fate::Disconnect(rejection) => Some(rejection.reason),
                _ => None,
            };
            match end(&asked, 6, &decisive) {
                End::None => prop_assert_eq!(publication.fate, Fate::Pass),
                End::Answer(2) => prop_assert_eq!(publication.fate, Fate::Drop),
                End::Answer(3) => prop_assert_eq!(publication.fate, Fate::Reject(Box::new(rejection()))),
                End::Answer(_) => prop_assert_eq!(publication.fate, Fate::Disconnect(Box::new(rejection()))),
                End::Failure(on_failure) => {
                    prop_assert_eq!(reason(&publication.fate), Some(PublishReason::ImplementationSpecific));
                    let closes = matches!(publication.fate, Fate::Disconnect(_));
                    prop_assert_eq!(closes, on_failure == OnFailure::Disconnect);
                }
            }
        }
    }

    #[test]
    fn route_adds_up_and_narrows(acts in acts()) {
        let routing = chain(&acts).route(&message(), &Recipients::default());
        let actors = || ('a'..).zip(&acts).map(|(letter, act)| Actor { letter, act: act.clone() });
        let answers: Vec<Routing> = actors()
            .filter_map(|actor| actor.route(&message(), &Recipients::default()).ok())
            .collect();
        let fails = acts.iter().any(|act| matches!(act, Act::Fail(OnFailure::Deny | OnFailure::Disconnect)));
        for client in (0..8).map(ClientKey) {
            let expected = !fails && answers.iter().all(|answer| {
                answer.only.as_ref().is_none_or(|only| only.contains(&client)) && !answer.exclude.contains(&client)
            });
            prop_assert_eq!(routing.includes(client), expected, "{:?}", client);
        }
        let copies: Vec<_> = answers.iter().flat_map(|answer| answer.copies.clone()).collect();
        prop_assert_eq!(routing.copies, copies);
        prop_assert_eq!(routing.local_only, answers.iter().any(|answer| answer.local_only));
    }

    #[test]
    fn deliver_hands_changes_on_for_each_recipient(acts in acts()) {
        let shared = Arc::new(message());
        let mut parcels: Vec<_> = (0..4).map(|key| Parcel::new(ClientKey(key), Arc::clone(&shared))).collect();
        chain(&acts).deliver(&mut parcels, now());
        for parcel in parcels {
            let own: Vec<Act> = acts.iter().map(|act| match act {
                Act::Answer(n) => Act::Answer(((u64::from(*n) + parcel.recipient.0) % 3) as u8),
                Act::Fail(on_failure) => Act::Fail(*on_failure),
            }).collect();
            let asked = asked(&own, 3, &[2]);
            prop_assert_eq!(parcel.is_dropped, end(&asked, 3, &[2]) != End::None);
            let payload = String::from_utf8(parcel.message.payload.to_vec()).unwrap();
            prop_assert_eq!(payload, edits(&asked, 3));
        }
        prop_assert!(shared.payload.is_empty(), "what others get is untouched");
    }

    #[test]
    fn on_will_hands_changes_on_until_one_holds_it_back(acts in acts()) {
        let (chain, decisive) = (chain(&acts), [2, 3]);
        let asked = asked(&acts, 4, &decisive);
        let mut will = message();
        let outcome = chain.on_will(ClientKey(1), WillCause::ConnectionLost, WillDelays::default(), &mut will);
        let payload = String::from_utf8(will.payload.to_vec()).unwrap();
        prop_assert_eq!(payload, edits(&asked, 4));
        match end(&asked, 4, &decisive) {
            End::None => prop_assert!(matches!(outcome, WillOutcome::Publish)),
            End::Answer(2) | End::Failure(_) => prop_assert!(matches!(outcome, WillOutcome::Suppress)),
            _ => prop_assert!(matches!(outcome, WillOutcome::Delay(_))),
        }
    }
}

/// Some moment: nothing here depends on which.
#[expect(
    clippy::disallowed_methods,
    reason = "the broker's clock is not below this crate"
)]
fn now() -> Instant {
    Instant::now()
}

/// What the table says of each hook, held against the code that has the defaults.
#[test]
fn the_table_has_every_hook_and_its_default() {
    let page = include_str!("../../../docs/plugins/chain.md");
    for hook in Hook::ALL {
        let row = page
            .lines()
            .find(|line| line.starts_with(&format!("| {} | ", hook.as_str())));
        let row = row.unwrap_or_else(|| panic!("no row for {}", hook.as_str()));
        let default = match hook.default_on_failure() {
            OnFailure::Deny => "deny",
            OnFailure::Pass => "pass",
            OnFailure::Disconnect => "disconnect",
        };
        assert_eq!(
            row.split('|').nth(5).map(str::trim),
            Some(default),
            "{}",
            hook.as_str()
        );
    }
}
