//! `authenticate-enhanced`: who may connect, by challenge and answer.

use bytes::Bytes;
use hookwire_hooks::{Credentials, EnhancedStep, Failure};

use super::authenticate::{credentials, denial, grant, powers_of_denial, powers_of_grant};
use super::convert::{self, Invalid};
use crate::bindings::hooks::authenticate_enhanced::Step;
use crate::guest::Budget;
use crate::instance::{Instance, enter, present};
use crate::power::{Power, Powers};
use crate::stats::VerdictIndex;

/// Longest data: what an AUTH can carry. The state is kept for a client that may never answer, so it has the same bound.
const BYTES_MAX: usize = u16::MAX as usize;

pub(crate) async fn begin(
    instance: &mut Instance,
    budget: Budget,
    method: &str,
    data: Option<&[u8]>,
    who: &Credentials,
) -> Result<EnhancedStep, Failure> {
    let user_properties = convert::user_properties(&who.user_properties);
    let who = credentials(who, &user_properties);
    let (exports, store) = instance.begin(budget);
    let function = present(&exports.authenticate_enhanced)?.func_begin();
    let answer = enter(store, function, (method, data, who)).await;
    let (answer,) = instance.finish(answer)?;
    instance.permitted(step(answer)?, powers)
}

pub(crate) async fn proceed(
    instance: &mut Instance,
    budget: Budget,
    method: &str,
    data: Option<&[u8]>,
    state: &[u8],
) -> Result<EnhancedStep, Failure> {
    let (exports, store) = instance.begin(budget);
    let function = present(&exports.authenticate_enhanced)?.func_proceed();
    let answer = enter(store, function, (method, data, state)).await;
    let (answer,) = instance.finish(answer)?;
    instance.permitted(step(answer)?, powers)
}

pub(crate) fn index(step: &EnhancedStep) -> VerdictIndex {
    match step {
        EnhancedStep::Next => 0,
        EnhancedStep::Challenge { .. } => 1,
        EnhancedStep::Allow { .. } => 2,
        EnhancedStep::Deny(_) => 3,
    }
}

/// A challenge makes a client prove something, as only those should who may admit it then.
fn powers(step: &EnhancedStep) -> Powers {
    match step {
        EnhancedStep::Next => Powers::NONE,
        EnhancedStep::Challenge { .. } => Powers::only(Power::Admit),
        EnhancedStep::Allow { grant, .. } => powers_of_grant(grant),
        EnhancedStep::Deny(denial) => powers_of_denial(denial),
    }
}

fn step((step, state): (Step, Vec<u8>)) -> Result<EnhancedStep, Invalid> {
    Ok(match step {
        Step::Next => EnhancedStep::Next,
        Step::Challenge(data) => EnhancedStep::Challenge {
            data: bounded("challenge", data)?.into(),
            state: bounded("state", state)?,
        },
        Step::Allow((allowed, data)) => EnhancedStep::Allow {
            grant: Box::new(grant(allowed)?),
            data: data
                .map(|data| bounded("data", data))
                .transpose()?
                .map(Bytes::from),
        },
        Step::Deny(denied) => EnhancedStep::Deny(denial(denied)?),
    })
}

fn bounded(what: &str, bytes: Vec<u8>) -> Result<Vec<u8>, Invalid> {
    if bytes.len() > BYTES_MAX {
        return Err(Invalid(format!(
            "{what} of {} bytes, allowed are {BYTES_MAX}",
            bytes.len()
        )));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_or_kept_has_a_bound() {
        let challenge = |data, state| step((Step::Challenge(vec![0; data]), vec![0; state])).is_ok();
        assert!(challenge(BYTES_MAX, BYTES_MAX));
        assert!(!challenge(BYTES_MAX + 1, 0));
        assert!(!challenge(0, BYTES_MAX + 1));
    }
}
