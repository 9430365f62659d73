//! What `hookwire plugin new` writes for a hook: one file a hook in `template/`, cut into sections by lines `== name`.

use std::sync::LazyLock;

use anyhow::bail;

/// The sections of one hook's template.
#[derive(Debug)]
pub(super) struct HookTemplate {
    /// The hook's name in the contract.
    pub(super) name: &'static str,
    /// Its trait in the SDK.
    pub(super) of_trait: &'static str,
    /// What the plugin does, after "it".
    pub(super) purpose: &'static str,
    /// What it may use only if it is granted: keys of `grant`.
    pub(super) grant: &'static str,
    /// Fields of the configuration.
    pub(super) fields: &'static str,
    /// The same as a user writes them …
    pub(super) toml: &'static str,
    /// … and as the plugin gets them.
    pub(super) json: &'static str,
    /// What is wrong with a configuration although it can be read.
    pub(super) checks: &'static str,
    /// The implementation.
    pub(super) rust: &'static str,
    /// Unit tests.
    pub(super) test: &'static str,
    /// Cases.
    pub(super) cases: &'static str,
}

const TEMPLATES: [(&str, &str); 11] = [
    ("authenticate", include_str!("template/authenticate.txt")),
    (
        "authenticate-enhanced",
        include_str!("template/authenticate-enhanced.txt"),
    ),
    ("authorize", include_str!("template/authorize.txt")),
    ("on-subscribe", include_str!("template/on-subscribe.txt")),
    ("on-unsubscribe", include_str!("template/on-unsubscribe.txt")),
    ("on-publish", include_str!("template/on-publish.txt")),
    ("route", include_str!("template/route.txt")),
    ("deliver", include_str!("template/deliver.txt")),
    ("on-will", include_str!("template/on-will.txt")),
    ("events", include_str!("template/events.txt")),
    ("control", include_str!("template/control.txt")),
];

static KNOWN: LazyLock<Vec<HookTemplate>> =
    LazyLock::new(|| TEMPLATES.map(|(name, text)| read(name, text)).into());

/// The hooks that there are templates for.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    TEMPLATES.iter().map(|(name, _)| *name)
}

/// The templates of these hooks, each once.
pub(super) fn find_all(wanted: &[String]) -> anyhow::Result<Vec<&'static HookTemplate>> {
    let mut found: Vec<&HookTemplate> = Vec::new();
    for name in wanted {
        let Some(hook) = KNOWN.iter().find(|hook| hook.name == name) else {
            let names: Vec<_> = names().collect();
            bail!(
                "there is no template for the hook {name:?}; choose from {}",
                names.join(", ")
            );
        };
        if !found.iter().any(|other| other.name == hook.name) {
            found.push(hook);
        }
    }
    Ok(found)
}

fn read(name: &'static str, text: &'static str) -> HookTemplate {
    HookTemplate {
        name,
        of_trait: section(text, "trait"),
        purpose: section(text, "purpose"),
        grant: section(text, "grant"),
        fields: section(text, "fields"),
        toml: section(text, "toml"),
        json: section(text, "json"),
        checks: section(text, "checks"),
        rust: section(text, "rust"),
        test: section(text, "test"),
        cases: section(text, "cases"),
    }
}

/// The lines below `== name`, up to the next such line.
fn section<'a>(text: &'a str, name: &str) -> &'a str {
    let head = format!("== {name}\n");
    let Some((_, section)) = text.split_once(&head) else {
        return "";
    };
    let next = if section.starts_with("== ") {
        Some(0)
    } else {
        section.find("\n== ").map(|at| at + 1)
    };
    next.map_or(section, |at| &section[..at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_has_what_it_needs() {
        for (name, text) in TEMPLATES {
            let hook = read(name, text);
            for part in [hook.of_trait, hook.purpose, hook.rust, hook.test, hook.cases] {
                assert!(!part.trim().is_empty(), "{name}");
            }
            assert_eq!(hook.toml.is_empty(), hook.fields.is_empty(), "{name}");
            assert_eq!(hook.json.trim().is_empty(), hook.fields.is_empty(), "{name}");
        }
    }

    #[test]
    fn an_unknown_hook_is_named_with_those_that_there_are() {
        let error = find_all(&["on-publish".to_owned(), "publish".to_owned()]).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("\"publish\"; choose from authenticate"),
            "{error}"
        );
        let twice = find_all(&["route".to_owned(), "route".to_owned()]).unwrap();
        assert_eq!(twice.len(), 1);
    }
}
