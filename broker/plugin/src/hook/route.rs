//! `route`: who receives a message.

use hookwire_hooks::{ClientKey, Failure, Message, Pick, Recipients, Routing};

use super::convert::{self, Invalid, MessageView, Shown};
use crate::bindings::hooks::route as wit;
use crate::guest::Budget;
use crate::instance::{Instance, enter, present};
use crate::power::{Power, Powers};
use crate::stats::VerdictIndex;

/// Most copies of one message: each is routed like a message of its own, so many would multiply the traffic.
const COPIES_MAX: usize = 64;

/// `None`: the broker's own choice.
pub(crate) async fn ask(
    instance: &mut Instance,
    budget: Budget,
    message: &Message,
    recipients: &Recipients,
    shown: Shown,
) -> Result<Option<Routing>, Failure> {
    let view = MessageView::new(message, shown);
    let clients = keys(&recipients.clients);
    let members: Vec<_> = recipients
        .groups
        .iter()
        .map(|group| keys(&group.members))
        .collect();
    let groups: Vec<_> = recipients
        .groups
        .iter()
        .zip(&members)
        .map(|(group, members)| wit::SharedGroup {
            share: &group.share,
            filter: &group.filter,
            members,
        })
        .collect();
    let offered = wit::Recipients {
        clients: &clients,
        groups: &groups,
    };
    let (exports, store) = instance.begin(budget.with_hops(message.source.hops()));
    let function = present(&exports.route)?.func_route();
    let parameters = (convert::source(message.source), view.param(), offered);
    let answer = enter(store, function, parameters).await;
    let (decision,) = instance.finish(answer)?;
    let routing = match decision {
        wit::Decision::Default => None,
        wit::Decision::Change(change) => Some(routing(change, recipients)?),
    };
    instance.permitted(routing, powers)
}

pub(crate) fn index(answer: &Option<Routing>) -> VerdictIndex {
    usize::from(answer.is_some())
}

fn powers(answer: &Option<Routing>) -> Powers {
    match answer {
        None => Powers::NONE,
        Some(_) => Powers::only(Power::Route),
    }
}

fn keys(clients: &[ClientKey]) -> Vec<u64> {
    clients.iter().map(|key| key.0).collect()
}

fn routing(routing: wit::Routing, offered: &Recipients) -> Result<Routing, Invalid> {
    if routing.copies.len() > COPIES_MAX {
        return Err(Invalid(format!(
            "{} copies of a message, allowed are {COPIES_MAX}",
            routing.copies.len()
        )));
    }
    Ok(Routing {
        copies: routing
            .copies
            .into_iter()
            .map(convert::topic)
            .collect::<Result<_, _>>()?,
        only: routing.only.map(clients),
        exclude: clients(routing.exclude),
        picks: routing
            .picks
            .into_iter()
            .map(|pick| self::pick(&pick, offered))
            .collect::<Result<_, _>>()?,
        local_only: routing.local_only,
        withheld: false,
    })
}

fn clients(keys: Vec<u64>) -> Vec<ClientKey> {
    keys.into_iter().map(ClientKey).collect()
}

fn pick(pick: &wit::Pick, offered: &Recipients) -> Result<Pick, Invalid> {
    let (group, member) = (pick.group as usize, ClientKey(pick.member));
    match offered.groups.get(group) {
        Some(candidates) if candidates.members.contains(&member) => Ok(Pick { group, member }),
        Some(_) => Err(Invalid(format!(
            "picked client {} for group {group}, of which it is no member",
            member.0
        ))),
        None => Err(Invalid(format!(
            "picked a member for group {group} of {}",
            offered.groups.len()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use hookwire_hooks::SharedGroup;

    use super::*;

    #[test]
    fn only_members_of_offered_groups_can_be_picked() {
        let group = SharedGroup {
            share: "s".into(),
            filter: "a".into(),
            members: vec![ClientKey(1), ClientKey(2)],
        };
        let offered = Recipients {
            clients: vec![],
            groups: vec![group],
        };
        assert!(pick(&wit::Pick { group: 0, member: 2 }, &offered).is_ok());
        assert!(pick(&wit::Pick { group: 0, member: 3 }, &offered).is_err());
        assert!(pick(&wit::Pick { group: 1, member: 1 }, &offered).is_err());
    }
}
