//! Topic filters, checked once and matched inside the plugin: no call to the host.

use std::fmt;
use std::str::{FromStr, Split};

use serde::de::{Deserialize, Deserializer, Error as _};

/// MQTT limits topic names and filters to so many bytes.
const BYTES_MAX: usize = 65_535;

/// A topic filter that is valid.
///
/// ```
/// use hookwire_plugin::TopicFilter;
/// let filter: TopicFilter = "sensors/+/data/#".parse()?;
/// assert!(filter.matches("sensors/7/data/raw"));
/// let captures = filter.captures("sensors/7/data/raw/x").unwrap();
/// assert_eq!(captures.expand("copy/{1}/{#}"), "copy/7/raw/x");
/// # Ok::<(), hookwire_plugin::FilterError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TopicFilter(String);

impl TopicFilter {
    /// The filter as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a topic name matches. As MQTT demands, a wildcard in front matches no name that begins with `$`.
    pub fn matches(&self, topic: &str) -> bool {
        walk(&self.0, topic, |_| {})
    }

    /// What the wildcards stand for in a topic name; none when it does not match.
    pub fn captures<'t>(&self, topic: &'t str) -> Option<Captures<'t>> {
        let mut captures = Captures::default();
        walk(&self.0, topic, |wildcard| match wildcard {
            Wildcard::Level(level) => captures.levels.push(level),
            Wildcard::Rest(rest) => captures.rest = Some(rest),
        })
        .then_some(captures)
    }

    /// Whether every topic name that matches `other` matches this filter too.
    pub fn covers(&self, other: &Self) -> bool {
        if self.starts_with_wildcard() && other.0.starts_with('$') {
            return false;
        }
        let (mut own, mut others) = (self.cover_levels(), other.cover_levels());
        loop {
            match (own.next(), others.next()) {
                (Some("#"), _) | (None, None) => return true,
                (Some(_), Some("#") | None) | (None, Some(_)) => return false,
                (Some("+"), Some(_)) => {}
                (Some(level), Some(other)) if level == other => {}
                (Some(_), Some(_)) => return false,
            }
        }
    }

    /// Whether some topic name matches both filters.
    pub fn overlaps(&self, other: &Self) -> bool {
        let dollar = |filter: &Self| filter.0.starts_with('$');
        if self.starts_with_wildcard() && dollar(other) || other.starts_with_wildcard() && dollar(self) {
            return false;
        }
        let (mut own, mut others) = (self.0.split('/'), other.0.split('/'));
        loop {
            match (own.next(), others.next()) {
                (Some("#"), _) | (_, Some("#")) | (None, None) => return true,
                (None, Some(_)) | (Some(_), None) => return false,
                (Some("+"), Some(_)) | (Some(_), Some("+")) => {}
                (Some(level), Some(other)) if level == other => {}
                (Some(_), Some(_)) => return false,
            }
        }
    }

    /// The levels; `#` alone is spelled `+/#`, which matches the same names: every name has a first level.
    fn cover_levels(&self) -> Split<'_, char> {
        if self.0 == "#" {
            "+/#".split('/')
        } else {
            self.0.split('/')
        }
    }

    fn starts_with_wildcard(&self) -> bool {
        self.0.starts_with(['+', '#'])
    }
}

/// In a configuration: what is wrong with a filter is told with its place.
impl<'de> Deserialize<'de> for TopicFilter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse()
            .map_err(|error| D::Error::custom(format!("{text:?}: {error}")))
    }
}

enum Wildcard<'t> {
    /// What a `+` stands for.
    Level(&'t str),
    /// What a `#` stands for.
    Rest(&'t str),
}

/// Whether the topic matches; tells `found` of each wildcard on the way, also if in the end it does not.
fn walk<'t>(filter: &str, topic: &'t str, mut found: impl FnMut(Wildcard<'t>)) -> bool {
    if topic.is_empty() || topic.starts_with('$') && filter.starts_with(['+', '#']) {
        return false;
    }
    let mut rest = Some(topic);
    for level in filter.split('/') {
        if level == "#" {
            found(Wildcard::Rest(rest.unwrap_or_default()));
            return true;
        }
        let Some(topic) = rest else { return false };
        let (first, following) = match topic.split_once('/') {
            Some((first, following)) => (first, Some(following)),
            None => (topic, None),
        };
        match level {
            "+" => found(Wildcard::Level(first)),
            level if level == first => {}
            _ => return false,
        }
        rest = following;
    }
    rest.is_none()
}

/// What the wildcards of a filter stand for in a topic name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Captures<'t> {
    levels: Vec<&'t str>,
    rest: Option<&'t str>,
}

impl Captures<'_> {
    /// The text with `{1}`, `{2}`, … replaced by what each `+` stands for and `{#}` by what the `#` does.
    ///
    /// A number without a `+` stands for nothing; check templates with [`Captures::check`] when they are read. When
    /// `{#}` stands for nothing, the `/` before it goes as well.
    pub fn expand(&self, template: &str) -> String {
        let mut out = String::with_capacity(template.len() + 16);
        let mut rest = template;
        while let Some((before, name, after)) = placeholder(rest) {
            out.push_str(before);
            let value = self.value(name);
            if name == "#" && value.is_empty() && out.ends_with('/') {
                out.pop();
            }
            out.push_str(value);
            rest = after;
        }
        out.push_str(rest);
        out
    }

    /// Checks that the filter has a wildcard for each placeholder of the template; the error is the one it lacks.
    pub fn check(filter: &TopicFilter, template: &str) -> Result<(), String> {
        let levels = filter.as_str().split('/').filter(|&level| level == "+").count();
        let mut rest = template;
        while let Some((_, name, after)) = placeholder(rest) {
            let known = match name.parse::<usize>() {
                Ok(number) => (1..=levels).contains(&number),
                Err(_) => name == "#" && filter.as_str().ends_with('#'),
            };
            if !known {
                return Err(format!("{{{name}}}"));
            }
            rest = after;
        }
        Ok(())
    }

    fn value(&self, name: &str) -> &str {
        match name.parse::<usize>() {
            Ok(number) => number
                .checked_sub(1)
                .and_then(|index| self.levels.get(index))
                .copied(),
            Err(_) => self.rest,
        }
        .unwrap_or_default()
    }
}

/// What is before the first `{name}`, its name, and what is after it.
fn placeholder(text: &str) -> Option<(&str, &str, &str)> {
    let (before, from) = text.split_once('{')?;
    let (name, after) = from.split_once('}')?;
    Some((before, name, after))
}

/// Why a text is not a topic filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FilterError {
    /// It is empty.
    Empty,
    /// It is longer than 65,535 bytes.
    TooLong,
    /// It contains the character U+0000.
    Nul,
    /// A `#` that is not the whole last level.
    HashNotLast,
    /// A `+` that is not a whole level.
    PlusNotAlone,
}

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "a topic filter must not be empty",
            Self::TooLong => "a topic filter has at most 65,535 bytes",
            Self::Nul => "a topic filter must not contain U+0000",
            Self::HashNotLast => "`#` must be the whole last level of a topic filter",
            Self::PlusNotAlone => "`+` must be a whole level of a topic filter",
        })
    }
}

impl std::error::Error for FilterError {}

impl FromStr for TopicFilter {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Self, FilterError> {
        check_text(text)?;
        let mut levels = text.split('/').peekable();
        while let Some(level) = levels.next() {
            if level.contains('#') && (level != "#" || levels.peek().is_some()) {
                return Err(FilterError::HashNotLast);
            }
            if level.contains('+') && level != "+" {
                return Err(FilterError::PlusNotAlone);
            }
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for TopicFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether a text is a topic name: not empty, no wildcard, no U+0000, at most 65,535 bytes.
pub fn is_topic_name(text: &str) -> bool {
    check_text(text).is_ok() && !text.contains(['+', '#'])
}

fn check_text(text: &str) -> Result<(), FilterError> {
    match text {
        "" => Err(FilterError::Empty),
        text if text.len() > BYTES_MAX => Err(FilterError::TooLong),
        text if text.contains('\0') => Err(FilterError::Nul),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn filter(text: &str) -> TopicFilter {
        text.parse().unwrap()
    }

    #[test]
    fn invalid_filters_are_refused() {
        let cases = [
            ("", FilterError::Empty),
            ("a\0", FilterError::Nul),
            ("a/#/b", FilterError::HashNotLast),
            ("a#", FilterError::HashNotLast),
            ("a/b+", FilterError::PlusNotAlone),
            ("++", FilterError::PlusNotAlone),
        ];
        for (text, error) in cases {
            assert_eq!(text.parse::<TopicFilter>(), Err(error), "{text:?}");
        }
        assert_eq!(
            "a".repeat(65_536).parse::<TopicFilter>(),
            Err(FilterError::TooLong)
        );
    }

    #[test]
    fn matching_is_that_of_mqtt() {
        let cases = [
            ("a/b", "a/b", true),
            ("a/b", "a/b/", false),
            ("a/+", "a/", true),
            ("a/+", "a", false),
            ("a/#", "a", true),
            ("a/#", "a/b/c", true),
            ("a/#", "ab", false),
            ("+/+", "/x", true),
            ("#", "/", true),
            ("#", "$SYS/x", false),
            ("+/x", "$SYS/x", false),
            ("$SYS/#", "$SYS/x", true),
            ("a/$x/#", "a/$x", true),
            ("#", "", false),
        ];
        for (text, topic, matches) in cases {
            assert_eq!(filter(text).matches(topic), matches, "{text} {topic}");
        }
    }

    #[test]
    fn covering() {
        let cases = [
            ("a/#", "a", true),
            ("a/#", "a/+/c", true),
            ("a/+", "a/#", false),
            ("a/+/#", "a/#", false),
            ("#", "a/#", true),
            ("+/#", "#", true),
            ("#", "+/#", true),
            ("#", "$SYS/#", false),
            ("+/x", "$SYS/x", false),
            ("$SYS/#", "$SYS/+", true),
            ("a/b", "a/+", false),
            ("a/+", "a/b", true),
            ("+", "#", false),
        ];
        for (wide, narrow, covers) in cases {
            assert_eq!(filter(wide).covers(&filter(narrow)), covers, "{wide} {narrow}");
        }
    }

    #[test]
    fn overlapping() {
        let cases = [
            ("a/+", "+/b", true),
            ("a/#", "a", true),
            ("a/b", "a/c", false),
            ("a/+", "a", false),
            ("#", "$SYS/a", false),
            ("#", "+", true),
            ("$SYS/#", "$SYS/a", true),
            ("a/#", "+/b/c", true),
        ];
        for (one, other, overlaps) in cases {
            assert_eq!(filter(one).overlaps(&filter(other)), overlaps, "{one} {other}");
            assert_eq!(filter(other).overlaps(&filter(one)), overlaps, "{other} {one}");
        }
    }

    #[test]
    fn captures_fill_templates() {
        let captured = |filter_text: &str, topic, template| {
            filter(filter_text)
                .captures(topic)
                .map(|captures| captures.expand(template))
        };
        assert_eq!(
            captured("s/+/d/+", "s/1/d/2", "{2}-{1}-{3}{").as_deref(),
            Some("2-1-{")
        );
        assert_eq!(
            captured("old/#", "old/a/b", "new/{#}").as_deref(),
            Some("new/a/b")
        );
        assert_eq!(captured("old/#", "old", "new/{#}").as_deref(), Some("new"));
        assert_eq!(captured("old/+", "old", "x"), None);
    }

    #[test]
    fn templates_are_checked_against_the_filter() {
        assert_eq!(Captures::check(&filter("a/+/#"), "x/{1}/{#}"), Ok(()));
        assert_eq!(Captures::check(&filter("a/+"), "{2}"), Err("{2}".into()));
        assert_eq!(Captures::check(&filter("a/+"), "{0}"), Err("{0}".into()));
        assert_eq!(Captures::check(&filter("a/+"), "{#}"), Err("{#}".into()));
        assert_eq!(Captures::check(&filter("a/#"), "{name}"), Err("{name}".into()));
    }

    fn any_filter() -> impl Strategy<Value = String> {
        ("((a|b|\\$s|\\+)/){0,3}(a|b|\\$s|\\+|#|)", Just(())).prop_filter_map("valid", |(text, ())| {
            text.parse::<TopicFilter>().is_ok().then_some(text)
        })
    }

    /// All names of up to four levels of a small alphabet: enough to tell any two of the filters above apart.
    fn names() -> Vec<String> {
        let levels = ["a", "b", "$s", "z", ""];
        let mut names: Vec<String> = levels.iter().map(ToString::to_string).collect();
        let mut last = names.clone();
        for _ in 0..4 {
            last = last
                .iter()
                .flat_map(|name| levels.iter().map(move |level| format!("{name}/{level}")))
                .collect();
            names.extend(last.iter().cloned());
        }
        names.retain(|name| !name.is_empty());
        names
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]

        #[test]
        fn covers_and_overlaps_agree_with_matching(one in any_filter(), other in any_filter()) {
            let (one, other) = (filter(&one), filter(&other));
            let names = names();
            let covers = names.iter().all(|name| !other.matches(name) || one.matches(name));
            let overlaps = names.iter().any(|name| other.matches(name) && one.matches(name));
            prop_assert_eq!(one.covers(&other), covers);
            prop_assert_eq!(one.overlaps(&other), overlaps);
        }
    }
}
