//! What the contract in `wit/` calls things.

use hookwire_hooks::Hook;

/// The WIT package.
pub(crate) const PACKAGE: &str = "hookwire:plugin";

/// The version of the package that this host speaks, and every compatible one.
pub(crate) const VERSION: &str = "0.1.0";

/// The hook interfaces that this broker calls.
pub(crate) const HOOKS: &[&str] = &[
    "authenticate",
    "authenticate-enhanced",
    "authorize",
    "on-subscribe",
    "on-unsubscribe",
    "on-publish",
    "on-publish-batch",
    "route",
    "deliver",
    "deliver-batch",
    "on-will",
    "events",
    "control",
];

/// Whether the functions of an imported interface wait for others, so that only calls that may wait can use them.
pub(crate) fn waits(interface: &str) -> bool {
    interface == "http"
}

/// The hook behind an exported interface.
pub(crate) fn hook(interface: &str) -> Option<Hook> {
    match interface {
        "on-publish-batch" => Some(Hook::OnPublish),
        "deliver-batch" => Some(Hook::Deliver),
        other => Hook::ALL.into_iter().find(|hook| hook.as_str() == other),
    }
}

/// An interface name with its version, as a component's type spells it: `hookwire:plugin/log@0.1.0`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct InterfaceName<'a> {
    /// `hookwire:plugin`.
    pub(crate) package: &'a str,
    /// `log`.
    pub(crate) interface: &'a str,
    /// `0.1.0`; empty when there is none.
    pub(crate) version: &'a str,
}

impl<'a> InterfaceName<'a> {
    /// `None` for a plain name, such as that of a function of a world.
    pub(crate) fn parse(name: &'a str) -> Option<Self> {
        let (path, version) = name.split_once('@').unwrap_or((name, ""));
        let (package, interface) = path.split_once('/')?;
        Some(Self {
            package,
            interface,
            version,
        })
    }

    /// Whether a component built for this version works with `version`, by the rules of semantic versioning.
    pub(crate) fn is_compatible(&self, version: &str) -> bool {
        track(self.version) == track(version)
    }
}

/// The part of a version that compatible versions share: `0.1` of `0.1.7`, `2` of `2.3.4`.
fn track(version: &str) -> Option<(u64, u64)> {
    let mut parts = version.split(['.', '-', '+']);
    let major: u64 = parts.next()?.parse().ok()?;
    let minor: u64 = parts.next()?.parse().ok()?;
    Some((major, if major == 0 { minor } else { 0 }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_apart() {
        let name = InterfaceName::parse("hookwire:plugin/on-publish@0.1.3").unwrap();
        assert_eq!(
            (name.package, name.interface, name.version),
            ("hookwire:plugin", "on-publish", "0.1.3")
        );
        assert_eq!(InterfaceName::parse("run"), None);
        assert_eq!(InterfaceName::parse("a:b/c").unwrap().version, "");
    }

    #[test]
    fn compatible_versions_share_a_track() {
        for (version, compatible) in [
            ("0.1.0", true),
            ("0.1.9", true),
            ("0.2.0", false),
            ("1.0.0", false),
            ("", false),
            ("0.1", true),
        ] {
            let name = InterfaceName {
                package: PACKAGE,
                interface: "log",
                version,
            };
            assert_eq!(name.is_compatible("0.1.0"), compatible, "{version}");
        }
        let stable = InterfaceName {
            package: "wasi:cli",
            interface: "exit",
            version: "1.4.0",
        };
        assert!(stable.is_compatible("1.0.0"));
    }

    #[test]
    fn every_listed_hook_is_one() {
        assert!(HOOKS.iter().all(|name| hook(name).is_some()));
        assert_eq!(hook("retained"), None);
    }
}
