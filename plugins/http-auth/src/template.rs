//! Texts with placeholders for what is known of a client.

use crate::facts::{Facts, PLACEHOLDERS};

/// A text such as `https://auth.example.com/users/{username}`.
#[derive(Debug, Clone)]
pub(crate) struct Template(Vec<Part>);

#[derive(Debug, Clone)]
enum Part {
    Literal(String),
    Placeholder(&'static str),
}

impl Template {
    /// Reads a template; `{{` and `}}` stand for the braces themselves.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, from) = rest.split_at(at);
            literal.push_str(before);
            if let Some(after) = from.strip_prefix("{{") {
                literal.push('{');
                rest = after;
            } else if let Some(after) = from.strip_prefix("}}") {
                literal.push('}');
                rest = after;
            } else {
                let enclosed = from.strip_prefix('{').and_then(|from| from.split_once('}'));
                let Some((name, after)) = enclosed else {
                    return Err("`{` and `}` must enclose a placeholder; write `{{` for a brace".to_owned());
                };
                parts.push(Part::Literal(std::mem::take(&mut literal)));
                parts.push(Part::Placeholder(placeholder(name)?));
                rest = after;
            }
        }
        literal.push_str(rest);
        parts.push(Part::Literal(literal));
        Ok(Self(parts))
    }

    /// The text as it is, with what is known in the places.
    pub(crate) fn plain(&self, facts: &Facts<'_>) -> String {
        self.fill(facts, |value, out| out.push_str(value))
    }

    /// The same for a URL or a form: whatever is known cannot become another part of it.
    pub(crate) fn encoded(&self, facts: &Facts<'_>) -> String {
        self.fill(facts, percent_encode)
    }

    fn fill(&self, facts: &Facts<'_>, write: impl Fn(&str, &mut String)) -> String {
        let mut out = String::new();
        for part in &self.0 {
            match part {
                Part::Literal(text) => out.push_str(text),
                Part::Placeholder(name) => write(&facts.get(name), &mut out),
            }
        }
        out
    }
}

fn placeholder(name: &str) -> Result<&'static str, String> {
    let known = PLACEHOLDERS.iter().find(|known| **known == name);
    known.copied().ok_or_else(|| {
        format!(
            "unknown placeholder `{{{name}}}`; expected one of {}",
            PLACEHOLDERS.join(", ")
        )
    })
}

/// Everything but letters, digits and `-._~` as `%41`.
pub(crate) fn percent_encode(text: &str, out: &mut String) {
    const DIGITS: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F',
    ];
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(DIGITS[usize::from(byte >> 4)]);
            out.push(DIGITS[usize::from(byte & 15)]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hookwire_plugin::authenticate::Credentials;

    #[test]
    fn placeholders_are_filled_and_encoded() {
        let who = Credentials::new("a/b?c").with_password("ü&x", "p w");
        let facts = Facts::of_credentials(&who);
        let template = Template::parse("x/{client_id}?u={username}&{{p}}={password}").unwrap();
        assert_eq!(template.encoded(&facts), "x/a%2Fb%3Fc?u=%C3%BC%26x&{p}=p%20w");
        assert_eq!(template.plain(&facts), "x/a/b?c?u=ü&x&{p}=p w");
    }

    #[test]
    fn slips_are_told() {
        for (text, expected) in [
            (
                "{user}",
                "unknown placeholder `{user}`; expected one of client_id",
            ),
            ("a{", "must enclose"),
            ("a}b", "must enclose"),
        ] {
            assert!(Template::parse(text).unwrap_err().contains(expected), "{text}");
        }
    }
}
