//! What a plugin's answers can do beyond letting things be, and how the configuration bounds it.

use hookwire_hooks::{Failure, FailureKind};

/// One thing that answers can do. `docs/plugins/loading.md` says which answer of which hook takes which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Power {
    /// Let a client connect, or ask it for proof on the way there.
    Admit,
    /// Let a client do something, past everybody who would be asked later.
    Allow,
    /// Refuse what a client wants, and tell it so.
    Refuse,
    /// Send a client to another server.
    Redirect,
    /// Close a client's connection.
    Disconnect,
    /// Change a message.
    Modify,
    /// Change what a client subscribes to, or unsubscribes from.
    Rewrite,
    /// Keep a message from those who wait for it, and tell nobody.
    Drop,
    /// Choose the recipients of a message, copies of it included.
    Route,
    /// Make a publisher or a will wait.
    Delay,
}

impl Power {
    /// Each of them.
    pub const ALL: [Self; 10] = [
        Self::Admit,
        Self::Allow,
        Self::Refuse,
        Self::Redirect,
        Self::Disconnect,
        Self::Modify,
        Self::Rewrite,
        Self::Drop,
        Self::Route,
        Self::Delay,
    ];

    /// As `may` of the configuration spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Admit => "admit",
            Self::Allow => "allow",
            Self::Refuse => "refuse",
            Self::Redirect => "redirect",
            Self::Disconnect => "disconnect",
            Self::Modify => "modify",
            Self::Rewrite => "rewrite",
            Self::Drop => "drop",
            Self::Route => "route",
            Self::Delay => "delay",
        }
    }
}

/// Some of them: what an answer takes, or what a plugin's answers may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Powers(u16);

impl Powers {
    /// None: nothing but letting things be.
    pub const NONE: Self = Self(0);

    /// All.
    pub const ALL: Self = Self((1 << Power::ALL.len()) - 1);

    /// One alone.
    pub const fn only(power: Power) -> Self {
        Self::NONE.with(power)
    }

    /// These and one more.
    #[must_use]
    pub const fn with(self, power: Power) -> Self {
        Self(self.0 | 1 << power as u8)
    }

    /// These and those.
    #[must_use]
    pub const fn and(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// Whether one is among them.
    pub const fn contains(self, power: Power) -> bool {
        self.0 & 1 << power as u8 != 0
    }

    /// Each that is among them.
    pub fn iter(self) -> impl Iterator<Item = Power> {
        Power::ALL.into_iter().filter(move |power| self.contains(*power))
    }

    /// Fails where an answer takes what is not among them.
    pub(crate) fn permit(self, taken: Self) -> Result<(), Failure> {
        match taken.iter().find(|power| !self.contains(*power)) {
            None => Ok(()),
            Some(beyond) => Err(Failure {
                kind: FailureKind::ForbiddenAnswer,
                detail: format!(
                    "answered with what takes `{}`, which `may` does not list: add it, or have the plugin put right",
                    beyond.as_str()
                ),
            }),
        }
    }
}

impl FromIterator<Power> for Powers {
    fn from_iter<I: IntoIterator<Item = Power>>(powers: I) -> Self {
        powers.into_iter().fold(Self::NONE, Self::with)
    }
}

/// What several answers take together.
impl FromIterator<Self> for Powers {
    fn from_iter<I: IntoIterator<Item = Self>>(several: I) -> Self {
        several.into_iter().fold(Self::NONE, Self::and)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_each_of_them() {
        assert_eq!(Power::ALL.into_iter().collect::<Powers>(), Powers::ALL);
        assert_eq!(Powers::ALL.iter().collect::<Vec<_>>(), Power::ALL);
        assert_eq!(Powers::NONE.iter().next(), None);
    }

    #[test]
    fn the_page_has_a_row_for_each() {
        let page = include_str!("../../../docs/plugins/loading.md");
        let (_, rows) = page.split_once("| word | lets answers |\n|---|---|\n").unwrap();
        let rows = rows.lines().map_while(|line| line.strip_prefix("| `"));
        let words: Vec<_> = rows.filter_map(|row| row.split('`').next()).collect();
        assert_eq!(words, Power::ALL.map(Power::as_str));
    }

    #[test]
    fn each_is_permitted_where_it_is_listed_and_nowhere_else() {
        for power in Power::ALL {
            let taken = Powers::only(power);
            let others: Powers = Power::ALL.into_iter().filter(|other| *other != power).collect();
            assert!(taken.permit(taken).is_ok() && Powers::ALL.permit(taken).is_ok());
            let failure = others.permit(taken).unwrap_err();
            assert_eq!(failure.kind, FailureKind::ForbiddenAnswer);
            assert!(
                failure.detail.contains(&format!("`{}`", power.as_str())),
                "{failure}"
            );
            assert!(others.permit(Powers::NONE).is_ok());
        }
    }

    #[test]
    fn of_what_an_answer_takes_every_part_has_to_be_listed() {
        let both = Powers::only(Power::Admit).with(Power::Allow);
        assert!(both.permit(both).is_ok());
        assert!(Powers::only(Power::Admit).permit(both).is_err());
        assert!(Powers::only(Power::Allow).permit(both).is_err());
    }
}
