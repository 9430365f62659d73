//! `authenticate`: who may connect.

use std::time::Duration;

use hookwire_hooks::{Authentication, Credentials, Denial, Failure, Grant, RuleAction};
use hookwire_protocol::{ConnectReason, TopicFilter};

use super::convert::{self, Invalid};
use crate::bindings::hooks::authenticate::Outcome;
use crate::bindings::imports::admission as wit;
use crate::bindings::imports::types::UserPropertyParam;
use crate::guest::Budget;
use crate::instance::{Instance, enter, present};
use crate::power::{Power, Powers};
use crate::stats::VerdictIndex;

/// Most topic rules of one client: the broker looks through them at each of its packets.
const RULES_MAX: usize = 4096;

pub(crate) async fn ask(
    instance: &mut Instance,
    budget: Budget,
    who: &Credentials,
) -> Result<Authentication, Failure> {
    let user_properties = convert::user_properties(&who.user_properties);
    let (exports, store) = instance.begin(budget);
    let function = present(&exports.authenticate)?.func_authenticate();
    let answer = enter(store, function, (credentials(who, &user_properties),)).await;
    let (outcome,) = instance.finish(answer)?;
    instance.permitted(authentication(outcome)?, powers)
}

pub(super) fn credentials<'a>(
    who: &'a Credentials,
    user_properties: &'a [UserPropertyParam<'a>],
) -> wit::Credentials<'a> {
    wit::Credentials {
        client_id: &who.client_id,
        username: who.username.as_deref(),
        password: who.password.as_deref(),
        address: &who.address,
        listener: &who.listener,
        protocol: convert::protocol(who.version),
        clean_start: who.clean_start,
        user_properties,
    }
}

pub(crate) fn index(answer: &Authentication) -> VerdictIndex {
    match answer {
        Authentication::Next => 0,
        Authentication::Allow(_) => 1,
        Authentication::Deny(_) => 2,
        Authentication::Unavailable => 3,
    }
}

fn powers(answer: &Authentication) -> Powers {
    match answer {
        Authentication::Next => Powers::NONE,
        Authentication::Allow(grant) => powers_of_grant(grant),
        Authentication::Deny(denial) => powers_of_denial(denial),
        Authentication::Unavailable => Powers::only(Power::Refuse),
    }
}

/// Where a grant lets the client do something, nobody else is asked about that.
pub(super) fn powers_of_grant(grant: &Grant) -> Powers {
    let admits = Powers::only(Power::Admit);
    let allows = grant.superuser || grant.rules.iter().any(|(allow, ..)| *allow);
    if allows { admits.with(Power::Allow) } else { admits }
}

pub(super) fn powers_of_denial(denial: &Denial) -> Powers {
    Powers::only(match denial.server_reference {
        Some(_) => Power::Redirect,
        None => Power::Refuse,
    })
}

fn authentication(outcome: Outcome) -> Result<Authentication, Invalid> {
    Ok(match outcome {
        Outcome::Next => Authentication::Next,
        Outcome::Allow(allowed) => Authentication::Allow(Box::new(grant(allowed)?)),
        Outcome::Deny(denied) => Authentication::Deny(denial(denied)?),
        Outcome::Unavailable => Authentication::Unavailable,
    })
}

pub(super) fn grant(grant: wit::Grant) -> Result<Grant, Invalid> {
    let zeros = [
        grant.max_packet_size == Some(0),
        grant.max_inflight == Some(0),
        grant.receive_maximum == Some(0),
        grant.max_messages_per_second == Some(0),
        grant.max_bytes_per_second == Some(0),
    ];
    if zeros.contains(&true) {
        return Err(Invalid::new("a maximum of 0 would let nothing through"));
    }
    if grant.rules.len() > RULES_MAX {
        return Err(Invalid(format!(
            "{} topic rules, allowed are {RULES_MAX}",
            grant.rules.len()
        )));
    }
    Ok(Grant {
        username: convert::optional_text(grant.username)?,
        client_id: convert::optional_text(grant.client_id)?,
        mount_point: grant.mount_point.map(mount_point).transpose()?.map(Into::into),
        attributes: convert::user_properties_in(grant.attributes)?,
        superuser: grant.superuser,
        expires_in: grant.expires_in_secs.map(|secs| Duration::from_secs(secs.into())),
        rules: grant.rules.into_iter().map(rule).collect::<Result<_, _>>()?,
        max_qos: grant.max_qos.map(convert::qos_in),
        max_packet_size: grant.max_packet_size,
        max_inflight: grant.max_inflight,
        receive_maximum: grant.receive_maximum,
        max_queue_messages: grant.max_queue_messages,
        max_queue_bytes: grant.max_queue_bytes,
        max_messages_per_second: grant.max_messages_per_second,
        max_bytes_per_second: grant.max_bytes_per_second,
        max_session_expiry_secs: grant.max_session_expiry_secs,
        max_keep_alive_secs: grant.max_keep_alive_secs,
        user_properties: convert::user_properties_in(grant.user_properties)?,
        response_information: convert::optional_text(grant.response_information)?,
    })
}

/// A prefix with which every topic of the client begins.
fn mount_point(prefix: String) -> Result<String, Invalid> {
    if !prefix.ends_with('/') {
        return Err(Invalid(format!("mount point `{prefix}` does not end in `/`")));
    }
    convert::topic(prefix.as_str())
        .map_err(|Invalid(reason)| Invalid(format!("mount point `{prefix}`: {reason}")))?;
    Ok(prefix)
}

fn rule(rule: wit::TopicRule) -> Result<(bool, RuleAction, bytestring::ByteString), Invalid> {
    let action = match rule.action {
        wit::RuleAction::Publish => RuleAction::Publish,
        wit::RuleAction::Subscribe => RuleAction::Subscribe,
        wit::RuleAction::Both => RuleAction::Both,
    };
    // Some name in the place of the placeholders; whichever the client has, wildcards in it never count.
    let resolved = rule.filter.replace("%c", "c").replace("%u", "u");
    TopicFilter::new(resolved).map_err(|error| {
        Invalid(format!(
            "rule with `{}`, which is not a topic filter: {error}",
            rule.filter
        ))
    })?;
    Ok((rule.allow, action, convert::text(rule.filter)?))
}

pub(super) fn denial(denial: wit::Denial) -> Result<Denial, Invalid> {
    Ok(Denial {
        reason: connect_reason(denial.reason),
        text: convert::optional_text(denial.text)?,
        server_reference: convert::optional_text(denial.server_reference)?,
        user_properties: convert::user_properties_in(denial.user_properties)?,
    })
}

fn connect_reason(reason: wit::ConnectReason) -> ConnectReason {
    match reason {
        wit::ConnectReason::Unspecified => ConnectReason::Unspecified,
        wit::ConnectReason::ImplementationSpecific => ConnectReason::ImplementationSpecific,
        wit::ConnectReason::ClientIdentifierNotValid => ConnectReason::ClientIdentifierNotValid,
        wit::ConnectReason::BadUserNameOrPassword => ConnectReason::BadUserNameOrPassword,
        wit::ConnectReason::NotAuthorized => ConnectReason::NotAuthorized,
        wit::ConnectReason::ServerUnavailable => ConnectReason::ServerUnavailable,
        wit::ConnectReason::ServerBusy => ConnectReason::ServerBusy,
        wit::ConnectReason::Banned => ConnectReason::Banned,
        wit::ConnectReason::QuotaExceeded => ConnectReason::QuotaExceeded,
        wit::ConnectReason::UseAnotherServer => ConnectReason::UseAnotherServer,
        wit::ConnectReason::ServerMoved => ConnectReason::ServerMoved,
        wit::ConnectReason::ConnectionRateExceeded => ConnectReason::ConnectionRateExceeded,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_point_is_a_topic_that_ends_in_a_slash() {
        for bad in ["", "a", "a/+/", "#/", "$SYS/"] {
            assert!(mount_point(bad.into()).is_err(), "{bad:?}");
        }
        for good in ["a/", "a/b/", "/"] {
            assert!(mount_point(good.into()).is_ok(), "{good:?}");
        }
    }

    #[test]
    fn rules_are_filters_with_placeholders() {
        let check = |filter: &str| {
            rule(wit::TopicRule {
                allow: true,
                action: wit::RuleAction::Both,
                filter: filter.into(),
            })
            .is_ok()
        };
        for good in ["#", "a/%c/+", "%u/#", "%c-%u/x"] {
            assert!(check(good), "{good:?}");
        }
        for bad in ["", "a/#/b", "a+", "%c#"] {
            assert!(!check(bad), "{bad:?}");
        }
    }
}
