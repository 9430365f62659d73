//! `on-subscribe`: what subscription is made.

use hookwire_hooks::{ClientKey, Failure, SubscribeDecision, SubscribeRequest};
use hookwire_protocol::{
    RetainHandling, ShareName, SharedFilter, SubscribeReason, SubscriptionOptions, TopicFilter,
};

use super::convert::{self, Invalid};
use crate::bindings::hooks::on_subscribe as wit;
use crate::guest::Budget;
use crate::instance::{Instance, exported};
use crate::power::{Power, Powers};
use crate::stats::VerdictIndex;

pub(crate) fn ask(
    instance: &mut Instance,
    budget: Budget,
    client: ClientKey,
    request: &SubscribeRequest,
) -> Result<SubscribeDecision, Failure> {
    let SubscribeRequest { filter, options } = request;
    let question = wit::RequestParam {
        filter: filter.filter.as_str(),
        share: filter.share.as_ref().map(ShareName::as_str),
        qos: convert::qos_out(options.qos),
        no_local: options.no_local,
        retain_as_published: options.retain_as_published,
        retain_handling: retain_handling(options.retain_handling),
    };
    let answer = instance.call(budget, |exports, store| {
        exported(&exports.on_subscribe)?.call_on_subscribe(store, client.0, question)
    })?;
    instance.permitted(decision(answer)?, powers)
}

pub(crate) fn index(answer: &SubscribeDecision) -> VerdictIndex {
    match answer {
        SubscribeDecision::Pass => 0,
        SubscribeDecision::Replace(_) => 1,
        SubscribeDecision::WithoutRetained => 2,
        SubscribeDecision::Reject(_) => 3,
    }
}

fn powers(answer: &SubscribeDecision) -> Powers {
    match answer {
        SubscribeDecision::Pass => Powers::NONE,
        SubscribeDecision::Replace(_) | SubscribeDecision::WithoutRetained => Powers::only(Power::Rewrite),
        SubscribeDecision::Reject(_) => Powers::only(Power::Refuse),
    }
}

fn decision(decision: wit::Decision) -> Result<SubscribeDecision, Invalid> {
    Ok(match decision {
        wit::Decision::Pass => SubscribeDecision::Pass,
        wit::Decision::Replace(changed) => SubscribeDecision::Replace(Box::new(request(changed)?)),
        wit::Decision::WithoutRetained => SubscribeDecision::WithoutRetained,
        wit::Decision::Reject(refused) => SubscribeDecision::Reject(reason(refused)),
    })
}

fn request(request: wit::RequestResult) -> Result<SubscribeRequest, Invalid> {
    // [MQTT-3.8.3-4]
    if request.no_local && request.share.is_some() {
        return Err(Invalid::new("a shared subscription cannot be no-local"));
    }
    Ok(SubscribeRequest {
        filter: filter(request.filter, request.share)?,
        options: SubscriptionOptions {
            qos: convert::qos_in(request.qos),
            no_local: request.no_local,
            retain_as_published: request.retain_as_published,
            retain_handling: match request.retain_handling {
                wit::RetainHandling::SendAtSubscribe => RetainHandling::SendAtSubscribe,
                wit::RetainHandling::SendIfNew => RetainHandling::SendIfNew,
                wit::RetainHandling::DoNotSend => RetainHandling::DoNotSend,
            },
        },
    })
}

/// A filter that a client could have sent.
pub(super) fn filter(filter: String, share: Option<String>) -> Result<SharedFilter, Invalid> {
    if filter.starts_with("$share/") {
        return Err(Invalid(format!("`{filter}` has its share name in the filter")));
    }
    let name =
        |share: String| ShareName::new(share).map_err(|error| Invalid(format!("not a share name: {error}")));
    Ok(SharedFilter {
        share: share.map(name).transpose()?,
        filter: TopicFilter::new(filter).map_err(|error| Invalid(format!("not a topic filter: {error}")))?,
    })
}

fn retain_handling(handling: RetainHandling) -> wit::RetainHandling {
    match handling {
        RetainHandling::SendAtSubscribe => wit::RetainHandling::SendAtSubscribe,
        RetainHandling::SendIfNew => wit::RetainHandling::SendIfNew,
        RetainHandling::DoNotSend => wit::RetainHandling::DoNotSend,
    }
}

fn reason(reason: wit::SubscribeReason) -> SubscribeReason {
    match reason {
        wit::SubscribeReason::Unspecified => SubscribeReason::Unspecified,
        wit::SubscribeReason::ImplementationSpecific => SubscribeReason::ImplementationSpecific,
        wit::SubscribeReason::NotAuthorized => SubscribeReason::NotAuthorized,
        wit::SubscribeReason::TopicFilterInvalid => SubscribeReason::TopicFilterInvalid,
        wit::SubscribeReason::QuotaExceeded => SubscribeReason::QuotaExceeded,
        wit::SubscribeReason::SharedSubscriptionsNotSupported => {
            SubscribeReason::SharedSubscriptionsNotSupported
        }
        wit::SubscribeReason::WildcardSubscriptionsNotSupported => {
            SubscribeReason::WildcardSubscriptionsNotSupported
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_filter_is_one_that_a_client_could_have_sent() {
        for (text, share) in [
            ("", None),
            ("a/#/b", None),
            ("$share/g/a", None),
            ("a", Some("")),
            ("a", Some("g/h")),
            ("a", Some("+")),
        ] {
            assert!(
                filter(text.into(), share.map(Into::into)).is_err(),
                "{text:?} {share:?}"
            );
        }
        let shared = filter("a/+".into(), Some("g".into())).unwrap();
        assert_eq!(shared.to_string(), "$share/g/a/+");
    }

    #[test]
    fn a_shared_subscription_is_never_no_local() {
        let changed = |no_local| {
            request(wit::RequestResult {
                filter: "a".into(),
                share: Some("g".into()),
                qos: convert::qos_out(hookwire_protocol::QoS::AtMostOnce),
                no_local,
                retain_as_published: false,
                retain_handling: wit::RetainHandling::SendIfNew,
            })
        };
        assert!(changed(true).is_err());
        assert_eq!(
            changed(false).unwrap().options.retain_handling,
            RetainHandling::SendIfNew
        );
    }
}
