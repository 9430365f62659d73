//! Questions and answers of the route hook.

use bytestring::ByteString;
use hookwire_protocol::TopicName;

use crate::ClientKey;

/// A shared subscription that a message matches.
#[derive(Debug, Clone)]
pub struct SharedGroup {
    /// Share name.
    pub share: ByteString,
    /// Topic filter, without `$share/name/`.
    pub filter: ByteString,
    /// Its members.
    pub members: Vec<ClientKey>,
}

/// Who would receive a message.
#[derive(Debug, Clone, Default)]
pub struct Recipients {
    /// Ordinary subscribers.
    pub clients: Vec<ClientKey>,
    /// Shared subscriptions, one member of each.
    pub groups: Vec<SharedGroup>,
}

/// A member chosen for a shared group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pick {
    /// Index into [`Recipients::groups`].
    pub group: usize,
    /// The member.
    pub member: ClientKey,
}

/// A change of the routing; the default changes nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Routing {
    /// Topics that get a copy.
    pub copies: Vec<TopicName>,
    /// When some: of the ordinary subscribers only these.
    pub only: Option<Vec<ClientKey>>,
    /// Of the ordinary subscribers not these.
    pub exclude: Vec<ClientKey>,
    /// Members of shared groups to take.
    pub picks: Vec<Pick>,
    /// Not to other nodes.
    pub local_only: bool,
    /// To nobody, copies included: a plugin that failed, and must not let anything pass then, might have narrowed it.
    pub withheld: bool,
}

impl Routing {
    /// Whether an ordinary subscriber is left in.
    pub fn includes(&self, client: ClientKey) -> bool {
        !self.withheld
            && self.only.as_ref().is_none_or(|only| only.contains(&client))
            && !self.exclude.contains(&client)
    }

    /// The member picked for a group.
    pub fn pick(&self, group: usize) -> Option<ClientKey> {
        self.picks
            .iter()
            .rev()
            .find(|pick| pick.group == group)
            .map(|pick| pick.member)
    }

    /// Narrows or adds to this routing by what the next plugin said: exclusions and copies add up, `only`
    /// intersects, a later pick wins.
    pub fn then(&mut self, next: Self) {
        self.copies.extend(next.copies);
        self.exclude.extend(next.exclude);
        self.picks.extend(next.picks);
        self.local_only |= next.local_only;
        self.withheld |= next.withheld;
        self.only = match (self.only.take(), next.only) {
            (Some(mine), Some(theirs)) => Some(mine.into_iter().filter(|key| theirs.contains(key)).collect()),
            (mine, theirs) => mine.or(theirs),
        };
    }
}
