//! What the batch forms of hooks have in common.

use hookwire_hooks::{Failure, FailureKind};

use super::convert::Invalid;
use crate::frame::Unusable;

/// A batch that brought no verdicts.
pub(crate) struct BatchFailure {
    pub(crate) failure: Failure,
    /// It may be the fault of one of the messages, so that the others deserve a hearing of their own. Not so if the
    /// answer was no frame: whatever gave it is not to be trusted with any of them.
    pub(crate) of_one_message: bool,
}

impl From<Failure> for BatchFailure {
    fn from(failure: Failure) -> Self {
        let was_called = !matches!(failure.kind, FailureKind::NoInstance | FailureKind::CircuitOpen);
        Self {
            failure,
            of_one_message: was_called,
        }
    }
}

impl From<Unusable> for BatchFailure {
    fn from(unusable: Unusable) -> Self {
        match unusable {
            Unusable::Layout(reason) => Self {
                failure: Invalid(reason).into(),
                of_one_message: false,
            },
            Unusable::Verdict(invalid) => Self {
                failure: invalid.into(),
                of_one_message: true,
            },
        }
    }
}
