//! Calls that brought no answer, and what stands in for it.

use crate::Hook;

/// The verdict that stands in for a plugin that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFailure {
    /// Refuse: a CONNECT with "server unavailable", a message with "implementation specific error".
    Deny,
    /// As if the plugin were not there.
    Pass,
    /// Refuse and close the connection.
    Disconnect,
}

/// What kind of failure ended a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// The guest trapped.
    Trap,
    /// It used more than its time.
    Deadline,
    /// It wanted more than its memory.
    Memory,
    /// It answered something that no hook may answer.
    InvalidAnswer,
    /// It answered something that the configuration does not let it answer.
    ForbiddenAnswer,
    /// No instance was free, and none could be made, in time.
    NoInstance,
    /// It was not called: it failed too often, and is left alone for a while.
    CircuitOpen,
}

impl FailureKind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::Trap,
        Self::Deadline,
        Self::Memory,
        Self::InvalidAnswer,
        Self::ForbiddenAnswer,
        Self::NoInstance,
        Self::CircuitOpen,
    ];

    /// As logs and metrics spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Trap => "trap",
            Self::Deadline => "deadline",
            Self::Memory => "memory",
            Self::InvalidAnswer => "invalid-answer",
            Self::ForbiddenAnswer => "forbidden-answer",
            Self::NoInstance => "no-instance",
            Self::CircuitOpen => "circuit-open",
        }
    }
}

/// A call that brought no verdict.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{}: {detail}", kind.as_str())]
pub struct Failure {
    /// Which kind.
    pub kind: FailureKind,
    /// For a person.
    pub detail: String,
}

/// What the configuration says that a failure of one plugin means, hook by hook.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FailureRules {
    everywhere: Option<OnFailure>,
    at: [Option<OnFailure>; Hook::ALL.len()],
}

impl FailureRules {
    /// The same at every hook.
    pub const fn everywhere(on_failure: OnFailure) -> Self {
        Self {
            everywhere: Some(on_failure),
            at: [None; Hook::ALL.len()],
        }
    }

    /// Says it of one hook, whatever holds elsewhere.
    #[must_use]
    pub fn with(mut self, hook: Hook, on_failure: OnFailure) -> Self {
        if let Some(rule) = self.at.get_mut(hook as usize) {
            *rule = Some(on_failure);
        }
        self
    }

    /// What a failure at a hook means.
    pub fn of(&self, hook: Hook) -> OnFailure {
        let own = self.at.get(hook as usize).copied().flatten();
        own.or(self.everywhere)
            .unwrap_or_else(|| hook.default_on_failure())
    }

    /// The hooks at which something goes on that would be refused by default.
    pub fn opened(&self) -> impl Iterator<Item = Hook> {
        let is_opened =
            |hook: &Hook| self.of(*hook) == OnFailure::Pass && hook.default_on_failure() != OnFailure::Pass;
        Hook::ALL.into_iter().filter(is_opened)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rule_of_a_hook_comes_before_that_for_all_and_the_default_last() {
        let rules = FailureRules::default();
        assert_eq!(rules.of(Hook::OnPublish), OnFailure::Deny);
        assert_eq!(rules.of(Hook::Deliver), OnFailure::Pass);
        let rules = FailureRules::everywhere(OnFailure::Pass).with(Hook::Authorize, OnFailure::Disconnect);
        assert_eq!(rules.of(Hook::Authorize), OnFailure::Disconnect);
        assert_eq!(rules.of(Hook::OnPublish), OnFailure::Pass);
        assert_eq!(
            rules.opened().collect::<Vec<_>>(),
            [
                Hook::Authenticate,
                Hook::AuthenticateEnhanced,
                Hook::OnSubscribe,
                Hook::OnPublish
            ]
        );
    }
}
