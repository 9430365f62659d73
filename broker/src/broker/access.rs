//! Rights: what a grant says, what the chain says, and which answers hold for a while.

use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use bytestring::ByteString;
use hashbrown::HashMap;
use hookwire_hooks::{Access, AccessDecision, AccessOutcome, Action, Chain, Grant, RuleAction, TopicRule};
use hookwire_protocol::{TopicFilter, TopicName};

use crate::clock;
use crate::session::personal_topic;
use crate::watch::Basis;

/// Answers remembered for one client; beyond it the memo starts anew.
const ANSWERS_MAX: usize = 1024;

/// What a grant says about topics.
#[derive(Debug, Default)]
pub struct Rights {
    superuser: bool,
    rules: Vec<TopicRule>,
}

impl Rights {
    /// The rights of a grant, once it is known who the client is.
    ///
    /// # Errors
    /// The text of a rule whose filter is not valid.
    pub fn of(grant: &Grant, client_id: &str, username: Option<&str>) -> Result<Self, ByteString> {
        let mut rules = Vec::with_capacity(grant.rules.len());
        for (allow, action, filter) in &grant.rules {
            match personal_topic(filter, client_id, username) {
                // A client whose name contains a wildcard or a separator matches no rule with its
                // placeholder: a deny rule is then not lifted, an allow rule not widened.
                None => continue,
                Some(text) => {
                    let filter = TopicFilter::new(text).map_err(|_| filter.clone())?;
                    rules.push(TopicRule {
                        allow: *allow,
                        action: *action,
                        filter,
                    });
                }
            }
        }
        Ok(Self {
            superuser: grant.superuser,
            rules,
        })
    }

    /// As much of them as decides about one topic: whatever is asked about it, the answer is the same.
    pub(super) fn about(&self, action: Action, topic: &TopicName) -> Self {
        let decides = |rule: &&TopicRule| concerns(rule.action, action) && rule.filter.matches(topic);
        Self {
            superuser: self.superuser,
            rules: self.rules.iter().find(decides).cloned().into_iter().collect(),
        }
    }

    /// What they consist of, for the store.
    pub(super) fn parts(&self) -> (bool, Vec<(bool, RuleAction, ByteString)>) {
        let rules = self.rules.iter().map(|rule| {
            let filter = rule.filter.as_byte_string().clone();
            (rule.allow, rule.action, filter)
        });
        (self.superuser, rules.collect())
    }

    /// The rights of [`Rights::parts`]; `None` if a filter is not valid.
    pub(super) fn restored(superuser: bool, rules: Vec<(bool, RuleAction, ByteString)>) -> Option<Self> {
        let rules = rules.into_iter().map(|(allow, action, filter)| {
            let filter = TopicFilter::new(filter).ok()?;
            Some(TopicRule {
                allow,
                action,
                filter,
            })
        });
        Some(Self {
            superuser,
            rules: rules.collect::<Option<_>>()?,
        })
    }

    /// The same for all of whom a grant says nothing: most clients share it.
    pub(super) fn into_shared(self) -> Arc<Self> {
        static PLAIN: LazyLock<Arc<Rights>> = LazyLock::new(Arc::default);
        if self.is_plain() {
            Arc::clone(&PLAIN)
        } else {
            Arc::new(self)
        }
    }

    /// Whether every access has to be asked about.
    fn is_plain(&self) -> bool {
        !self.superuser && self.rules.is_empty()
    }

    /// Whether a delivery may be refused by a rule.
    pub(super) fn restricts_delivery(&self) -> bool {
        self.rules
            .iter()
            .any(|rule| !rule.allow && concerns(rule.action, Action::Deliver))
    }

    fn decide(&self, access: &Access<'_>) -> Option<AccessDecision> {
        if self.superuser {
            return Some(AccessDecision::Allow);
        }
        let rule = self
            .rules
            .iter()
            .find(|rule| concerns(rule.action, access.action) && covers(rule, access))?;
        Some(if rule.allow {
            AccessDecision::Allow
        } else {
            AccessDecision::Deny(None)
        })
    }
}

fn concerns(rule: RuleAction, action: Action) -> bool {
    match rule {
        RuleAction::Both => true,
        RuleAction::Publish => matches!(action, Action::Publish | Action::Will),
        RuleAction::Subscribe => matches!(action, Action::Subscribe | Action::Deliver),
    }
}

/// An allow rule must cover all of a requested filter; a deny rule concerns it when it covers it. A deny rule
/// inside an allowed wildcard is applied at each delivery.
fn covers(rule: &TopicRule, access: &Access<'_>) -> bool {
    match access.action {
        Action::Subscribe => rule.filter.covers(access.topic),
        _ => TopicName::new(access.topic.to_owned()).is_ok_and(|topic| rule.filter.matches(&topic)),
    }
}

/// Answers that hold for a while, as long as the chain stays the same.
#[derive(Debug, Default)]
pub(super) struct AccessMemo {
    generation: u64,
    epoch: u64,
    answers: HashMap<(Action, ByteString), (AccessDecision, Instant)>,
}

impl AccessMemo {
    /// Answers of one chain only.
    pub(super) fn of(chain: &Chain) -> Self {
        Self {
            generation: chain.generation(),
            ..Self::default()
        }
    }

    /// Keeps an answer whatever its plugin says about keeping it, for a question that is asked now and answered at once.
    pub(super) fn remember(&mut self, access: &Access<'_>, decision: AccessDecision, now: Instant) {
        let outcome = AccessOutcome {
            decision,
            cache_for: A_DAY,
        };
        self.put(access, &outcome, now);
    }

    /// Forgets everything.
    pub(super) fn forget(&mut self) {
        self.answers = HashMap::new();
    }

    /// Forgets everything when somebody has wished so since the last time: then the client has another epoch.
    #[inline]
    pub(super) fn keep_up(&mut self, epoch: u64) {
        if self.epoch != epoch {
            self.epoch = epoch;
            self.forget();
        }
    }

    /// What was answered, if that still holds.
    pub(super) fn get(
        &mut self,
        generation: u64,
        access: &Access<'_>,
        now: Instant,
    ) -> Option<AccessDecision> {
        if self.generation != generation {
            self.forget();
            self.generation = generation;
            return None;
        }
        let key = QuestionRef(access.action, access.topic);
        self.answers
            .get(&key)
            .filter(|(_, until)| *until > now)
            .map(|(decision, _)| decision.clone())
    }

    fn put(&mut self, access: &Access<'_>, outcome: &AccessOutcome, now: Instant) {
        if outcome.cache_for.is_zero() {
            return;
        }
        if self.answers.len() >= ANSWERS_MAX {
            self.forget();
        }
        let until = now.checked_add(outcome.cache_for).unwrap_or_else(|| now + A_DAY);
        self.answers.insert(
            (access.action, access.topic.into()),
            (outcome.decision.clone(), until),
        );
    }
}

/// Stands in for "as long as the chain stays the same"; asking again once a day costs nothing.
const A_DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A question by reference, so that looking it up copies nothing.
struct QuestionRef<'a>(Action, &'a str);

impl std::hash::Hash for QuestionRef<'_> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.hash(state);
        self.1.hash(state);
    }
}

impl hashbrown::Equivalent<(Action, ByteString)> for QuestionRef<'_> {
    fn equivalent(&self, key: &(Action, ByteString)) -> bool {
        self.0 == key.0 && *self.1 == *key.1
    }
}

/// Whether an access is allowed: by the grant, from memory, or by asking the chain.
pub(super) fn decide(
    chain: &Chain,
    rights: &Rights,
    memo: &mut AccessMemo,
    access: &Access<'_>,
    now: Instant,
) -> AccessDecision {
    decide_on_basis(chain, rights, memo, access, now).0
}

/// The same, with what it was decided by; `None`: the chain was asked.
pub(super) fn decide_on_basis(
    chain: &Chain,
    rights: &Rights,
    memo: &mut AccessMemo,
    access: &Access<'_>,
    now: Instant,
) -> (AccessDecision, Option<Basis>) {
    if let Some(decision) = rights.decide(access) {
        return (decision, Some(Basis::Grant));
    }
    if let Some(decision) = memo.get(chain.generation(), access, now) {
        return (decision, Some(Basis::Memory));
    }
    let outcome = chain.authorize(access);
    memo.put(access, &outcome, now);
    (outcome.decision, None)
}

/// The same for a client that can be made to wait.
pub(super) async fn decide_waiting(
    chain: &Chain,
    rights: &Rights,
    memo: &mut AccessMemo,
    access: &Access<'_>,
) -> (AccessDecision, Option<Basis>) {
    if let Some(decision) = rights.decide(access) {
        return (decision, Some(Basis::Grant));
    }
    if let Some(decision) = memo.get(chain.generation(), access, clock::now()) {
        return (decision, Some(Basis::Memory));
    }
    let outcome = chain.authorize_waiting(access).await;
    memo.put(access, &outcome, clock::now());
    (outcome.decision, None)
}

/// The same for a question that is put once.
pub(super) async fn decide_once(chain: &Chain, rights: &Rights, access: &Access<'_>) -> AccessDecision {
    match rights.decide(access) {
        Some(decision) => decision,
        None => chain.authorize_waiting(access).await.decision,
    }
}

/// Whether an action of a client needs no asking at all.
pub(super) fn is_free(chain: &Chain, rights: &Rights, action: Action) -> bool {
    rights.superuser || (rights.is_plain() && !chain.restricts(action))
}

/// Topics that no client may publish to, whatever policy says: they are the broker's own, or mean something
/// else. A filter such as `$SYS/#` matches `$SYS` as well.
pub(super) fn is_reserved(topic: &str) -> bool {
    let first = topic.split_once('/').map_or(topic, |(first, _)| first);
    ["$SYS", "$CONTROL", "$share"].contains(&first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hookwire_hooks::ClientKey;
    use hookwire_protocol::QoS;

    fn rights(rules: &[(bool, RuleAction, &'static str)], client_id: &str) -> Rights {
        let rules = rules
            .iter()
            .map(|&(allow, action, filter)| (allow, action, ByteString::from_static(filter)));
        Rights::of(
            &Grant {
                rules: rules.collect(),
                ..Grant::default()
            },
            client_id,
            None,
        )
        .expect("valid rules")
    }

    fn ask(rights: &Rights, action: Action, topic: &str) -> Option<bool> {
        let access = Access {
            client: ClientKey(1),
            action,
            topic,
            qos: QoS::AtMostOnce,
            retain: false,
        };
        rights
            .decide(&access)
            .map(|decision| decision == AccessDecision::Allow)
    }

    #[test]
    fn first_matching_rule_decides() {
        let rights = rights(
            &[
                (false, RuleAction::Both, "a/secret"),
                (true, RuleAction::Publish, "a/#"),
                (true, RuleAction::Subscribe, "b/+"),
            ],
            "c1",
        );
        assert_eq!(ask(&rights, Action::Publish, "a/secret"), Some(false));
        assert_eq!(ask(&rights, Action::Publish, "a/x"), Some(true));
        assert_eq!(ask(&rights, Action::Publish, "b/x"), None);
        assert_eq!(ask(&rights, Action::Subscribe, "b/x"), Some(true));
        assert_eq!(ask(&rights, Action::Subscribe, "b/#"), None);
        assert_eq!(ask(&rights, Action::Deliver, "b/x"), Some(true));
    }

    #[test]
    fn placeholders_are_literal() {
        let rules = [(true, RuleAction::Publish, "d/%c/#")];
        assert_eq!(ask(&rights(&rules, "me"), Action::Publish, "d/me/x"), Some(true));
        assert_eq!(ask(&rights(&rules, "me"), Action::Publish, "d/you/x"), None);
        for evil in ["+", "#", "a/b", ""] {
            assert_eq!(
                ask(&rights(&rules, evil), Action::Publish, "d/you/x"),
                None,
                "client id {evil:?}"
            );
        }
    }

    #[test]
    fn what_decides_about_one_topic_decides_it_the_same() {
        let all = [
            (false, RuleAction::Both, "a/secret"),
            (true, RuleAction::Publish, "a/#"),
            (true, RuleAction::Subscribe, "b/+"),
            (false, RuleAction::Both, "b/#"),
        ];
        let whole = rights(&all, "c1");
        for topic in ["a/secret", "a/x", "b/x", "b/x/y", "c"] {
            for action in [Action::Publish, Action::Deliver] {
                let name = TopicName::new(topic).expect("a topic");
                let part = whole.about(action, &name);
                assert_eq!(ask(&part, action, topic), ask(&whole, action, topic), "{topic}");
                assert!(part.rules.len() <= 1, "{topic}");
            }
        }
    }
}
