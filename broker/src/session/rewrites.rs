//! Filters of which a policy has made others: what the client asks for, and what is kept in its place.

use bytestring::ByteString;
use hashbrown::HashMap;

/// Only subscriptions that a policy had a part in are here.
#[derive(Debug, Default)]
pub(super) struct Rewrites {
    kept_by_asked: HashMap<ByteString, ByteString>,
    /// How many filters of the client mean one that is kept.
    askers: HashMap<ByteString, usize>,
}

impl Rewrites {
    /// What is kept for a filter of the client.
    pub(super) fn kept(&self, asked: &str) -> Option<&ByteString> {
        self.kept_by_asked.get(asked)
    }

    /// What the client has asked for, and what is kept for it.
    pub(super) fn all(&self) -> impl Iterator<Item = (&ByteString, &ByteString)> {
        self.kept_by_asked.iter()
    }

    /// Whether what is kept is there because of filters that are remembered here.
    pub(super) fn is_made_of_others(&self, kept: &str) -> bool {
        self.askers.contains_key(kept)
    }

    /// A filter of the client is kept as another one, or as itself. Tells which one nobody asks for any more, since the client asked for
    /// it with the same filter before. `is_subscribed` tells what is kept so far.
    pub(super) fn note(
        &mut self,
        asked: &ByteString,
        kept: &ByteString,
        is_subscribed: impl Fn(&str) -> bool,
    ) -> Option<ByteString> {
        let is_plain = asked == kept && !self.askers.contains_key(kept);
        if is_plain && !self.kept_by_asked.contains_key(asked) {
            return None;
        }
        if self.kept(asked) == Some(kept) {
            return None;
        }
        for plain in [asked, kept] {
            // What was kept as it was asked for, until now.
            if is_subscribed(plain) && !self.askers.contains_key(plain) {
                self.insert(plain, plain);
            }
        }
        let replaced = self.forget(asked);
        self.insert(asked, kept);
        replaced.filter(|replaced| replaced != kept)
    }

    fn insert(&mut self, asked: &ByteString, kept: &ByteString) {
        self.kept_by_asked.insert(asked.clone(), kept.clone());
        *self.askers.entry(kept.clone()).or_default() += 1;
    }

    /// The client asks for a filter no more. Tells what was kept for it, if nothing else asks for that.
    pub(super) fn forget(&mut self, asked: &str) -> Option<ByteString> {
        let kept = self.kept_by_asked.remove(asked)?;
        let left = self.askers.get_mut(&kept)?;
        *left -= 1;
        if *left > 0 {
            return None;
        }
        self.askers.remove(&kept);
        Some(kept)
    }

    /// What is kept ends, whoever asked for it.
    pub(super) fn end(&mut self, kept: &str) {
        if self.askers.remove(kept).is_some() {
            self.kept_by_asked.retain(|_, other| &**other != kept);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &'static str) -> ByteString {
        ByteString::from_static(text)
    }

    #[test]
    fn what_is_kept_as_it_was_asked_for_is_not_remembered() {
        let mut rewrites = Rewrites::default();
        assert_eq!(rewrites.note(&text("a"), &text("a"), |_| false), None);
        assert!(rewrites.kept_by_asked.is_empty() && rewrites.askers.is_empty());
    }

    #[test]
    fn a_filter_that_becomes_another_one_replaces_what_it_was() {
        let mut rewrites = Rewrites::default();
        assert_eq!(rewrites.note(&text("a"), &text("x"), |_| false), None);
        assert_eq!(rewrites.note(&text("a"), &text("x"), |kept| kept == "x"), None);
        assert_eq!(
            rewrites.note(&text("a"), &text("y"), |kept| kept == "x"),
            Some(text("x"))
        );
        assert_eq!(rewrites.kept("a"), Some(&text("y")));
        // And back to itself, as without a policy.
        assert_eq!(
            rewrites.note(&text("a"), &text("a"), |kept| kept == "y"),
            Some(text("y"))
        );
        assert_eq!(rewrites.forget("a"), Some(text("a")));
        // Something that was kept as it was is replaced as well.
        assert_eq!(
            rewrites.note(&text("b"), &text("z"), |kept| kept == "b"),
            Some(text("b"))
        );
    }

    #[test]
    fn what_several_filters_mean_ends_with_the_last_of_them() {
        let mut rewrites = Rewrites::default();
        // `x` is subscribed to as it is, then `a` and `b` come to mean it.
        rewrites.note(&text("a"), &text("x"), |kept| kept == "x");
        rewrites.note(&text("b"), &text("x"), |kept| kept == "x");
        assert_eq!(rewrites.forget("a"), None);
        assert_eq!(rewrites.forget("x"), None);
        assert_eq!(rewrites.forget("b"), Some(text("x")));
        assert_eq!(rewrites.forget("b"), None);
    }

    #[test]
    fn what_is_kept_can_end_by_itself() {
        let mut rewrites = Rewrites::default();
        rewrites.note(&text("a"), &text("x"), |_| false);
        rewrites.note(&text("b"), &text("x"), |_| true);
        rewrites.end("x");
        assert_eq!((rewrites.kept("a"), rewrites.kept("b")), (None, None));
    }
}
