//! Which tenant a client belongs to.

use std::collections::BTreeMap;

use hookwire_plugin::clients::Client;

/// How the tenant of a client is found, and where its topics are.
#[derive(Debug)]
pub(crate) struct Membership {
    pub(crate) by: By,
    /// The part of that text that names the tenant.
    pub(crate) part: Part,
    /// Names by what is found: users of a tenant, one by one. Where it says nothing, what is found is the name.
    pub(crate) members: BTreeMap<String, String>,
    /// Whether only those in `members` belong to a tenant.
    pub(crate) only_members: bool,
    /// A topic that ends in `/`, in which `{tenant}` is a part of a level.
    pub(crate) prefix: String,
}

/// What tells the tenant.
#[derive(Debug)]
pub(crate) enum By {
    Username,
    ClientId,
    Listener,
    /// A fact that whoever admitted the client has attached to it.
    Attribute(String),
}

/// Which part of a text counts.
#[derive(Debug)]
pub(crate) enum Part {
    Whole,
    /// What is in front of the first of these.
    Before(String),
    /// What is behind the last of these.
    After(String),
}

impl Part {
    fn of<'t>(&self, text: &'t str) -> Option<&'t str> {
        match self {
            Self::Whole => Some(text),
            Self::Before(mark) => text.split_once(mark.as_str()).map(|(part, _)| part),
            Self::After(mark) => text.rsplit_once(mark.as_str()).map(|(_, part)| part),
        }
    }
}

impl Membership {
    /// Where the topics of a client are; none when it belongs to no tenant.
    pub(crate) fn prefix(&self, client: &Client) -> Option<String> {
        let tenant = self.tenant(client)?;
        Some(self.prefix.replace("{tenant}", tenant))
    }

    fn tenant<'a>(&'a self, client: &'a Client) -> Option<&'a str> {
        let text = match &self.by {
            By::Username => client.username.as_deref()?,
            By::ClientId => &client.client_id,
            By::Listener => &client.listener,
            By::Attribute(name) => client.attribute(name)?,
        };
        let found = self.part.of(text)?;
        let tenant = match self.members.get(found) {
            Some(name) => name.as_str(),
            None if self.only_members => return None,
            None => found,
        };
        is_level(tenant).then_some(tenant)
    }
}

/// Whether a name is a level and nothing else: one that acts as several, or as a wildcard, leads to other tenants.
pub(crate) fn is_level(name: &str) -> bool {
    !name.is_empty() && !name.contains(['/', '+', '#', '\0']) && !name.starts_with('$')
}
