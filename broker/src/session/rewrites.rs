//! Filters of which a policy has made others: what the client asks for, and what is kept in its place.

use bytestring::ByteString;
use hashbrown::HashMap;

/// Who takes note of what a filter is kept as, or that the client asks for it no more.
pub(super) type Note<'a> = dyn FnMut(&str, Option<&str>) + 'a;

/// Only subscriptions that a policy had a part in are here. Most sessions have none, which takes a word.
#[derive(Debug, Default)]
pub(super) struct Rewrites(Option<Box<Tables>>);

#[derive(Debug, Default, PartialEq)]
struct Tables {
    kept_by_asked: HashMap<ByteString, ByteString>,
    /// How many filters of the client mean one that is kept.
    askers: HashMap<ByteString, usize>,
}

impl Rewrites {
    /// What is kept for a filter of the client.
    pub(super) fn kept(&self, asked: &str) -> Option<&ByteString> {
        self.0.as_ref()?.kept_by_asked.get(asked)
    }

    /// What the client has asked for, and what is kept for it.
    pub(super) fn all(&self) -> impl Iterator<Item = (&ByteString, &ByteString)> {
        self.0.iter().flat_map(|tables| tables.kept_by_asked.iter())
    }

    /// How many filters the client has asked for beyond those that are kept.
    pub(super) fn surplus(&self) -> usize {
        let tables = self.0.as_ref();
        tables.map_or(0, |tables| tables.kept_by_asked.len() - tables.askers.len())
    }

    /// What was noted before the broker was started.
    pub(super) fn restore(&mut self, asked: ByteString, kept: ByteString) {
        self.insert(&asked, &kept, &mut |_, _| {});
    }

    /// Whether what is kept is there because of filters that are remembered here.
    pub(super) fn is_made_of_others(&self, kept: &str) -> bool {
        self.0
            .as_ref()
            .is_some_and(|tables| tables.askers.contains_key(kept))
    }

    /// A filter of the client is kept as another one, or as itself. Tells which one nobody asks for any more, since the client asked for
    /// it with the same filter before. `is_subscribed` tells what is kept so far.
    pub(super) fn note(
        &mut self,
        asked: &ByteString,
        kept: &ByteString,
        is_subscribed: impl Fn(&str) -> bool,
        note: &mut Note<'_>,
    ) -> Option<ByteString> {
        let is_plain = asked == kept && !self.is_made_of_others(kept);
        if is_plain && self.kept(asked).is_none() {
            return None;
        }
        if self.kept(asked) == Some(kept) {
            return None;
        }
        for plain in [asked, kept] {
            // What was kept as it was asked for, until now.
            if is_subscribed(plain) && !self.is_made_of_others(plain) {
                self.insert(plain, plain, note);
            }
        }
        let replaced = self.take(asked);
        self.insert(asked, kept, note);
        replaced.filter(|replaced| replaced != kept)
    }

    fn insert(&mut self, asked: &ByteString, kept: &ByteString, note: &mut Note<'_>) {
        note(asked, Some(kept));
        let tables = self.0.get_or_insert_default();
        tables.kept_by_asked.insert(asked.clone(), kept.clone());
        *tables.askers.entry(kept.clone()).or_default() += 1;
    }

    /// The client asks for a filter no more. Tells what was kept for it, if nothing else asks for that.
    pub(super) fn forget(&mut self, asked: &str, note: &mut Note<'_>) -> Option<ByteString> {
        note(asked, None);
        self.take(asked)
    }

    fn take(&mut self, asked: &str) -> Option<ByteString> {
        let tables = self.0.as_mut()?;
        let kept = tables.kept_by_asked.remove(asked)?;
        let left = tables.askers.get_mut(&kept)?;
        *left -= 1;
        if *left > 0 {
            return None;
        }
        tables.askers.remove(&kept);
        self.shrink();
        Some(kept)
    }

    fn shrink(&mut self) {
        self.0.take_if(|tables| tables.kept_by_asked.is_empty());
    }

    /// What is kept ends, whoever asked for it.
    pub(super) fn end(&mut self, kept: &str, note: &mut Note<'_>) {
        let Some(tables) = self.0.as_mut() else { return };
        if tables.askers.remove(kept).is_some() {
            tables.kept_by_asked.retain(|asked, other| {
                let stays = &**other != kept;
                if !stays {
                    note(asked, None);
                }
                stays
            });
            self.shrink();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &'static str) -> ByteString {
        ByteString::from_static(text)
    }

    /// Rewrites, and what somebody would restore who has taken note of them.
    #[derive(Default)]
    struct Noted {
        rewrites: Rewrites,
        notes: HashMap<String, String>,
    }

    impl Noted {
        fn step<R>(&mut self, step: impl FnOnce(&mut Rewrites, &mut Note<'_>) -> R) -> R {
            let Self { rewrites, notes } = self;
            let done = step(rewrites, &mut |asked, kept| match kept {
                Some(kept) => drop(notes.insert(asked.to_owned(), kept.to_owned())),
                None => drop(notes.remove(asked)),
            });
            let mut restored = Rewrites::default();
            for (asked, kept) in notes {
                restored.restore(asked.clone().into(), kept.clone().into());
            }
            assert_eq!(restored.0, rewrites.0);
            done
        }

        fn note(
            &mut self,
            asked: &'static str,
            kept: &'static str,
            is_subscribed: impl Fn(&str) -> bool,
        ) -> Option<ByteString> {
            self.step(|rewrites, note| rewrites.note(&text(asked), &text(kept), is_subscribed, note))
        }

        fn forget(&mut self, asked: &str) -> Option<ByteString> {
            self.step(|rewrites, note| rewrites.forget(asked, note))
        }
    }

    #[test]
    fn what_is_kept_as_it_was_asked_for_is_not_remembered() {
        let mut rewrites = Noted::default();
        assert_eq!(rewrites.note("a", "a", |_| false), None);
        assert!(rewrites.notes.is_empty());
    }

    #[test]
    fn a_filter_that_becomes_another_one_replaces_what_it_was() {
        let mut rewrites = Noted::default();
        assert_eq!(rewrites.note("a", "x", |_| false), None);
        assert_eq!(rewrites.note("a", "x", |kept| kept == "x"), None);
        assert_eq!(rewrites.note("a", "y", |kept| kept == "x"), Some(text("x")));
        assert_eq!(rewrites.rewrites.kept("a"), Some(&text("y")));
        // And back to itself, as without a policy.
        assert_eq!(rewrites.note("a", "a", |kept| kept == "y"), Some(text("y")));
        assert_eq!(rewrites.forget("a"), Some(text("a")));
        // Something that was kept as it was is replaced as well.
        assert_eq!(rewrites.note("b", "z", |kept| kept == "b"), Some(text("b")));
    }

    #[test]
    fn what_several_filters_mean_ends_with_the_last_of_them() {
        let mut rewrites = Noted::default();
        // `x` is subscribed to as it is, then `a` and `b` come to mean it.
        rewrites.note("a", "x", |kept| kept == "x");
        rewrites.note("b", "x", |kept| kept == "x");
        assert_eq!(rewrites.forget("a"), None);
        assert_eq!(rewrites.forget("x"), None);
        assert_eq!(rewrites.forget("b"), Some(text("x")));
        assert_eq!(rewrites.forget("b"), None);
    }

    #[test]
    fn what_is_kept_can_end_by_itself() {
        let mut rewrites = Noted::default();
        rewrites.note("a", "x", |_| false);
        rewrites.note("b", "x", |_| true);
        rewrites.step(|rewrites, note| rewrites.end("x", note));
        assert_eq!(
            (rewrites.rewrites.kept("a"), rewrites.rewrites.kept("b")),
            (None, None)
        );
    }
}
