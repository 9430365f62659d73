//! Mosquitto's `acl_file`.
//!
//! Its rules have no order of their own: of a user's `topic` lines, and then of all `pattern` lines, those that deny
//! are asked first.

use hookwire_plugin::FilterError;

use crate::rule::{Actions, Glob, Rule, Template, User};

/// The rules in the order in which they are asked, or a text for each line that is none.
pub(crate) fn parse(text: &str) -> Result<Vec<Rule>, Vec<String>> {
    let mut file = File::default();
    let mut problems = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if let Err(problem) = file.read(line.trim()) {
            problems.push(format!("line {}: {problem}", index + 1));
        }
    }
    if problems.is_empty() {
        Ok(file.into_rules())
    } else {
        Err(problems)
    }
}

/// What was read so far.
#[derive(Default)]
struct File {
    /// Whom `topic` lines are for; before the first `user` line, clients without a user name.
    user: Option<String>,
    topics: Vec<Rule>,
    patterns: Vec<Rule>,
}

impl File {
    fn read(&mut self, line: &str) -> Result<(), String> {
        if line.is_empty() || line.starts_with('#') {
            return Ok(());
        }
        let (keyword, rest) = split_word(line);
        match keyword {
            "user" if rest.is_empty() => return Err("expected a name after `user`".to_owned()),
            "user" => self.user = Some(rest.to_owned()),
            "topic" => {
                let user = self.user.as_deref();
                let user = user.map_or(User::Anonymous, |name| User::Named(Glob::literal(name)));
                self.topics
                    .push(rule(rest, user, |filter| filter.parse().map(Template::Fixed))?);
            }
            "pattern" => self.patterns.push(rule(rest, User::Any, Template::parse)?),
            _ => {
                return Err(format!(
                    "expected `user`, `topic` or `pattern`, found `{keyword}`"
                ));
            }
        }
        Ok(())
    }

    fn into_rules(self) -> Vec<Rule> {
        denials_first(self.topics)
            .into_iter()
            .chain(denials_first(self.patterns))
            .collect()
    }
}

fn denials_first(mut rules: Vec<Rule>) -> Vec<Rule> {
    rules.sort_by_key(|rule| rule.allow);
    rules
}

/// A rule of `[read|write|readwrite|deny] FILTER`.
fn rule(
    text: &str,
    user: User,
    parse: impl FnOnce(&str) -> Result<Template, FilterError>,
) -> Result<Rule, String> {
    let (access, filter) = split_word(text);
    // An access that stands alone is a filter of that name.
    let (allow, actions, filter) = match (access, filter) {
        (_, "") => (true, Actions::ALL, text),
        ("read", filter) => (true, Actions::READ, filter),
        ("write", filter) => (true, Actions::WRITE, filter),
        ("readwrite", filter) => (true, Actions::ALL, filter),
        ("deny", filter) => (false, Actions::ALL, filter),
        // Filters may have spaces in them, but a misspelt access must not become one.
        (access, _) if access.contains(['/', '+', '#', '%']) => (true, Actions::ALL, text),
        (access, _) => {
            return Err(format!(
                "expected `read`, `write`, `readwrite` or `deny`, found `{access}`"
            ));
        }
    };
    let template = parse(filter).map_err(|error| format!("`{filter}`: {error}"))?;
    Ok(Rule {
        allow,
        actions,
        user,
        client: None,
        template,
    })
}

/// The first word, and what follows it.
fn split_word(text: &str) -> (&str, &str) {
    text.split_once([' ', '\t'])
        .map_or((text, ""), |(word, rest)| (word, rest.trim_start()))
}
