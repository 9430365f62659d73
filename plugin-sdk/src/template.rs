//! Topics that are made of other topics.

use crate::filter::{TopicFilter, is_topic_name};

/// MQTT limits topic names to so many bytes.
const BYTES_MAX: usize = 65_535;

/// Nobody but the broker publishes to these.
const BROKER_TOPICS: &str = "$SYS/";

/// A topic name with placeholders for parts of the topic that a filter matched: `{1}`, `{2}`, … are what the first, second, …
/// `+` of the filter stands for, `{#}` what its `#` does, and `{topic}` is the whole topic.
///
/// ```
/// use hookwire_plugin::{TopicFilter, TopicTemplate};
/// let filter: TopicFilter = "sensors/+/data/#".parse()?;
/// let template = TopicTemplate::parse("copy/{1}/{#}", &filter)?;
/// assert_eq!(template.expand("sensors/7/data/raw/x").as_deref(), Some("copy/7/raw/x"));
/// assert_eq!(template.expand_filter("sensors/+/data/#").as_deref(), Some("copy/+/#"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct TopicTemplate {
    parts: Vec<Part>,
}

#[derive(Debug, Clone)]
enum Part {
    Literal(String),
    /// `{topic}`: the whole topic.
    Topic,
    /// `{1}`: the level of the topic that a `+` stands for, counted from 0.
    Level(usize),
    /// `{#}`: the topic from this level on.
    Rest(usize),
}

impl TopicTemplate {
    /// Reads a template for the topics that match a filter; the error is a text for a person.
    pub fn parse(text: &str, filter: &TopicFilter) -> Result<Self, String> {
        if text.is_empty() {
            return Err("a topic must not be empty".to_owned());
        }
        if text.starts_with(BROKER_TOPICS) {
            return Err(format!("only the broker publishes to `{BROKER_TOPICS}`"));
        }
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, from) = rest.split_at(at);
            let Some((name, after)) = from.strip_prefix('{').and_then(|from| from.split_once('}')) else {
                return Err("`{` and `}` must enclose a placeholder".to_owned());
            };
            parts.extend(literal(before)?);
            parts.push(placeholder(name, filter)?);
            rest = after;
        }
        parts.extend(literal(rest)?);
        Ok(Self { parts })
    }

    /// The topic made of one that matches the filter; none where the result is no topic that a client may use.
    ///
    /// Where `{#}` stands for nothing at all, as `a/#` does in `a`, the `/` before it goes as well.
    pub fn expand(&self, topic: &str) -> Option<String> {
        let out = self.fill(topic);
        (is_topic_name(&out) && !self.leads_astray(topic, &out)).then_some(out)
    }

    /// The filter made of one that the template's filter covers, so that a subscription follows where topics go; none where
    /// the result is no filter that a client may use.
    pub fn expand_filter(&self, filter: &str) -> Option<String> {
        let out = self.fill(filter);
        (out.parse::<TopicFilter>().is_ok() && !self.leads_astray(filter, &out)).then_some(out)
    }

    fn fill(&self, topic: &str) -> String {
        let mut out = String::with_capacity(self.literal_bytes() + topic.len());
        for part in &self.parts {
            match part {
                Part::Literal(text) => out.push_str(text),
                Part::Topic => out.push_str(topic),
                Part::Level(place) => out.push_str(topic.split('/').nth(*place).unwrap_or_default()),
                Part::Rest(place) => match topic.splitn(place + 1, '/').nth(*place) {
                    Some(rest) => out.push_str(rest),
                    None if out.ends_with('/') => drop(out.pop()),
                    None => {}
                },
            }
        }
        out
    }

    /// Topics that begin with `$` are apart from all others: no level that a client made up leads there.
    fn leads_astray(&self, topic: &str, out: &str) -> bool {
        let says_so = matches!(self.parts.first(), Some(Part::Literal(text)) if text.starts_with('$'));
        let opens_dollar = out.starts_with('$') && !says_so && !topic.starts_with('$');
        opens_dollar || out.starts_with(BROKER_TOPICS)
    }

    fn literal_bytes(&self) -> usize {
        let bytes = self.parts.iter().map(|part| {
            if let Part::Literal(text) = part {
                text.len()
            } else {
                0
            }
        });
        bytes.sum()
    }
}

fn literal(text: &str) -> Result<Option<Part>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    if text.contains(['+', '#', '\0']) {
        return Err("a topic must not contain `+`, `#` or U+0000 outside of placeholders".to_owned());
    }
    if text.len() > BYTES_MAX {
        return Err(format!("a topic has at most {BYTES_MAX} bytes"));
    }
    Ok(Some(Part::Literal(text.to_owned())))
}

fn placeholder(name: &str, filter: &TopicFilter) -> Result<Part, String> {
    let mut levels = filter.as_str().split('/').enumerate();
    let number: Option<usize> = if name.starts_with('+') {
        None
    } else {
        name.parse().ok()
    };
    match (name, number) {
        ("topic", _) => Ok(Part::Topic),
        ("#", _) => match levels.find(|&(_, level)| level == "#") {
            Some((place, _)) => Ok(Part::Rest(place)),
            None => Err(format!(
                "`{{#}}`, but there is no `#` in the topic filter `{filter}`"
            )),
        },
        (_, Some(number)) => {
            let mut wildcards = levels.filter(|&(_, level)| level == "+");
            match number.checked_sub(1).and_then(|index| wildcards.nth(index)) {
                Some((place, _)) => Ok(Part::Level(place)),
                None => Err(format!(
                    "`{{{name}}}`, but there is no such `+` in the topic filter `{filter}`"
                )),
            }
        }
        (_, None) => Err(format!(
            "unknown placeholder `{{{name}}}`; expected `{{1}}` and so on, `{{#}}` or `{{topic}}`"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str, filter: &str) -> Result<TopicTemplate, String> {
        TopicTemplate::parse(text, &filter.parse().unwrap())
    }

    fn expand(text: &str, filter: &str, topic: &str) -> Option<String> {
        assert!(filter.parse::<TopicFilter>().unwrap().matches(topic));
        parse(text, filter).unwrap().expand(topic)
    }

    #[test]
    fn placeholders_stand_for_parts_of_the_topic() {
        let cases = [
            ("alerts/{1}", "s/+/t", "s/7/t", "alerts/7"),
            ("{2}/{1}-{1}", "+/x/+", "a/x/b", "b/a-a"),
            ("new/{#}", "old/#", "old/a/b", "new/a/b"),
            ("new/{#}", "old/#", "old/", "new/"),
            ("new/{#}", "old/#", "old", "new"),
            ("new/{#}/x", "old/#", "old", "new/x"),
            ("all/{#}", "#", "a/b", "all/a/b"),
            ("{1}/{#}", "a/+/#", "a/b/c/d", "b/c/d"),
            ("copies/{topic}", "+/b", "a/b", "copies/a/b"),
            ("{1}", "+", "{topic}", "{topic}"),
            ("$local/{1}", "a/+", "a/b", "$local/b"),
            ("{topic}/x", "$local/#", "$local/b", "$local/b/x"),
        ];
        for (text, filter, topic, expected) in cases {
            assert_eq!(
                expand(text, filter, topic).as_deref(),
                Some(expected),
                "{text} {filter} {topic}"
            );
        }
    }

    #[test]
    fn subscriptions_follow_topics() {
        let cases = [
            ("new/{#}", "old/#", "old/#", Some("new/#")),
            ("new/{#}", "old/#", "old/+/x", Some("new/+/x")),
            ("{2}/{1}", "+/x/+", "a/x/+", Some("+/a")),
            ("all/{topic}", "a/#", "a/+/#", Some("all/a/+/#")),
            ("{#}", "a/#", "a/#", Some("#")),
            ("{1}-x", "+", "+", None),
            ("{#}/x", "a/#", "a/#", None),
            ("{1}/x", "a/+", "a/$SYS", None),
        ];
        for (text, filter, subscribed, expected) in cases {
            let template = parse(text, filter).unwrap();
            assert_eq!(
                template.expand_filter(subscribed).as_deref(),
                expected,
                "{text} {subscribed}"
            );
        }
    }

    #[test]
    fn a_result_that_is_no_topic_is_none() {
        let long = format!("a/{}", "x".repeat(65_000));
        let cases = [
            ("{1}", "a/+", "a/"),
            ("{#}", "a/#", "a"),
            ("{1}/{1}", "a/+", &long),
            ("{1}/x", "a/+", "a/$SYS"),
            ("{1}/x", "a/+", "a/$share"),
            ("{1}{2}", "+/+/x", "/$SYS/x"),
            ("$SYS{1}/x", "a/+", "a/"),
        ];
        for (text, filter, topic) in cases {
            assert_eq!(expand(text, filter, topic), None, "{text} {filter}");
        }
    }

    #[test]
    fn bad_templates_are_refused() {
        let cases = [
            ("", "a", "empty"),
            ("a/+", "a", "must not contain"),
            ("a/#", "a/#", "must not contain"),
            ("a\0", "a", "must not contain"),
            ("$SYS/{1}", "+", "only the broker"),
            ("{1}", "a/#", "no such `+`"),
            ("{2}", "a/+", "no such `+`"),
            ("{0}", "+", "no such `+`"),
            ("{#}", "a/+", "no `#`"),
            ("{name}", "+", "unknown placeholder `{name}`"),
            ("{+1}", "+", "unknown placeholder"),
            ("{}", "+", "unknown placeholder"),
            ("a{1", "+", "must enclose"),
            ("a}", "+", "must enclose"),
        ];
        for (text, filter, expected) in cases {
            let error = parse(text, filter).unwrap_err();
            assert!(error.contains(expected), "{text:?}: {error}");
        }
        assert!(parse(&"x".repeat(65_536), "a").is_err());
    }
}
