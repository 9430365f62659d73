//! One rule: whom it is for, what it is about, and where.

use hookwire_plugin::clients::Client;
use hookwire_plugin::{FilterError, TopicFilter};

/// A rule, checked.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) allow: bool,
    pub(crate) actions: Actions,
    pub(crate) user: User,
    /// None: any client id.
    pub(crate) client: Option<Glob>,
    pub(crate) template: Template,
}

impl Rule {
    pub(crate) fn is_for(&self, client: &Client) -> bool {
        self.user.matches(client.username.as_deref())
            && self
                .client
                .as_ref()
                .is_none_or(|glob| glob.matches(&client.client_id))
    }
}

/// A set of things that clients do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Actions(u8);

impl Actions {
    pub(crate) const PUBLISH: Self = Self(1);
    pub(crate) const SUBSCRIBE: Self = Self(2);
    pub(crate) const DELIVER: Self = Self(4);
    pub(crate) const WILL: Self = Self(8);
    pub(crate) const READ: Self = Self(2 | 4);
    pub(crate) const WRITE: Self = Self(1 | 8);
    pub(crate) const ALL: Self = Self(15);

    pub(crate) const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// Which users a rule is for.
#[derive(Debug)]
pub(crate) enum User {
    /// Everyone, with a user name or without.
    Any,
    /// Clients without a user name.
    Anonymous,
    /// Clients with such a user name.
    Named(Glob),
}

impl User {
    fn matches(&self, username: Option<&str>) -> bool {
        match (self, username) {
            (Self::Any, _) | (Self::Anonymous, None) => true,
            (Self::Named(glob), Some(name)) => glob.matches(name),
            (Self::Anonymous, Some(_)) | (Self::Named(_), None) => false,
        }
    }
}

/// A name in which `*` stands for any text.
#[derive(Debug)]
pub(crate) struct Glob {
    /// What is between the stars; one part means that there is none.
    parts: Vec<String>,
}

impl Glob {
    pub(crate) fn parse(text: &str) -> Self {
        Self {
            parts: text.split('*').map(str::to_owned).collect(),
        }
    }

    /// A name in which `*` stands for itself.
    pub(crate) fn literal(text: &str) -> Self {
        Self {
            parts: vec![text.to_owned()],
        }
    }

    pub(crate) fn matches(&self, name: &str) -> bool {
        let [first, middle @ .., last] = self.parts.as_slice() else {
            return self.parts.iter().all(|part| part == name);
        };
        let Some(mut rest) = name.strip_prefix(first.as_str()) else {
            return false;
        };
        for part in middle {
            let Some(at) = rest.find(part.as_str()) else {
                return false;
            };
            rest = &rest[at + part.len()..];
        }
        rest.ends_with(last.as_str())
    }
}

const CLIENT_ID: &str = "%c";
const USERNAME: &str = "%u";

/// A topic filter in which `%c` stands for the client id and `%u` for the user name.
#[derive(Debug)]
pub(crate) enum Template {
    /// Without a placeholder.
    Fixed(TopicFilter),
    WithPlaceholders(String),
}

impl Template {
    pub(crate) fn parse(text: &str) -> Result<Self, FilterError> {
        if !text.contains(CLIENT_ID) && !text.contains(USERNAME) {
            return text.parse().map(Self::Fixed);
        }
        text.replace(CLIENT_ID, "c")
            .replace(USERNAME, "u")
            .parse::<TopicFilter>()?;
        Ok(Self::WithPlaceholders(text.to_owned()))
    }

    /// The filter for one client; none where the rule cannot be about it.
    ///
    /// A name that would act as several levels or as a wildcard (CVE-2017-7650) stands for nothing. A rule that allows
    /// is void for such a client. One that denies must not be evaded by the choice of a name: it then denies all
    /// that begins like its filter, up to the placeholder's level.
    pub(crate) fn resolve(&self, allow: bool, client: &Client) -> Option<TopicFilter> {
        let text = match self {
            Self::Fixed(filter) => return Some(filter.clone()),
            Self::WithPlaceholders(text) => text,
        };
        let mut levels = Vec::new();
        for level in text.split('/') {
            match Level::fill(level, client) {
                Level::Filled(filled) => levels.push(filled),
                Level::NotAboutClient => return None,
                Level::Unfit if allow => return None,
                Level::Unfit => {
                    levels.push("#".to_owned());
                    break;
                }
            }
        }
        let filter = levels.join("/");
        // A client may call itself `$SYS`, but that opens no topics to it that no rule names.
        let opens_dollar = allow && filter.starts_with('$') && !text.starts_with('$');
        if opens_dollar { None } else { filter.parse().ok() }
    }
}

/// One level of a template with its placeholders replaced.
enum Level {
    Filled(String),
    /// A name has a character that would not stand for itself.
    Unfit,
    /// It speaks of a user name, and the client has none.
    NotAboutClient,
}

impl Level {
    fn fill(level: &str, client: &Client) -> Self {
        let username = match &client.username {
            Some(username) => username.as_str(),
            None if level.contains(USERNAME) => return Self::NotAboutClient,
            None => "",
        };
        let unfit = |placeholder, name: &str| level.contains(placeholder) && name.contains(['+', '#', '/']);
        if unfit(CLIENT_ID, &client.client_id) || unfit(USERNAME, username) {
            return Self::Unfit;
        }
        // One pass: a client id of `%u` stands for itself.
        let parts: Vec<_> = level
            .split(CLIENT_ID)
            .map(|part| part.replace(USERNAME, username))
            .collect();
        Self::Filled(parts.join(&client.client_id))
    }
}
