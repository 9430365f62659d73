//! What a component's type says, held against the contract and the grants, before anything of it runs.

use hookwire_hooks::HookSet;
use wasmtime::Engine;
use wasmtime::component::Component;
use wasmtime::component::types::ComponentItem;

use crate::contract::{self, InterfaceName};
use crate::{Grants, LoadError, MissingGrant};

/// The interfaces of one component. Those that hold nothing but types are left out: they cost and allow nothing.
#[derive(Debug)]
pub(crate) struct Surface {
    pub(crate) imports: Vec<String>,
    pub(crate) exports: Vec<String>,
}

/// What it takes to import an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Import {
    /// Everybody may.
    Free,
    /// The configuration has to grant it.
    Granted(&'static Grant),
    /// It is not offered.
    Unknown,
}

/// A grant: how it is asked for in the configuration, and whether it was given.
#[derive(Debug)]
struct Grant {
    add: &'static str,
    given: fn(&Grants) -> bool,
}

impl PartialEq for Grant {
    fn eq(&self, other: &Self) -> bool {
        self.add == other.add
    }
}

impl Eq for Grant {}

static CLIENTS: Grant = Grant {
    add: "grant = { clients = true }",
    given: |grants| grants.clients,
};
static PUBLISH: Grant = Grant {
    add: "grant = { publish = [\"topic/filter\"] }",
    given: |grants| !grants.publish.is_empty(),
};
static KV: Grant = Grant {
    add: "grant = { kv = { bytes = \"1MiB\" } }",
    given: |grants| grants.kv_bytes_max.is_some(),
};
static METRICS: Grant = Grant {
    add: "grant = { metrics = true }",
    given: |grants| grants.metrics,
};
static HTTP: Grant = Grant {
    add: "grant = { http = [\"https://host\"] }",
    given: |grants| grants.http.is_some(),
};
static RETAINED: Grant = Grant {
    add: "grant = { retained = [\"topic/filter\"] }",
    given: |grants| grants.retained.is_some(),
};
static SECRETS: Grant = Grant {
    add: "grant = { secrets = [\"name\"] }",
    given: |grants| !grants.secrets.is_empty(),
};
static PASSWORD: Grant = Grant {
    add: "grant = { password = true }",
    given: |grants| grants.password,
};
static RATE_LIMIT: Grant = Grant {
    add: "grant = { rate_limit = { keys = 10_000 } }",
    given: |grants| grants.rate_limit_keys_max.is_some(),
};
static RANDOM: Grant = Grant {
    add: "grant = { random = true }",
    given: |grants| grants.random,
};

/// The version of WASI of which the host has the inert part.
const WASI_VERSION: &str = "0.2.0";

fn import(name: &InterfaceName<'_>) -> Import {
    match (name.package, name.interface) {
        (contract::PACKAGE, interface) => match interface {
            "log" | "clock" | "topics" | "signatures" => Import::Free,
            "clients" => Import::Granted(&CLIENTS),
            "publish" => Import::Granted(&PUBLISH),
            "kv" => Import::Granted(&KV),
            "metrics" => Import::Granted(&METRICS),
            "retained" => Import::Granted(&RETAINED),
            "secrets" => Import::Granted(&SECRETS),
            "password" => Import::Granted(&PASSWORD),
            "rate-limit" => Import::Granted(&RATE_LIMIT),
            "random" => Import::Granted(&RANDOM),
            "http" => Import::Granted(&HTTP),
            _ => Import::Unknown,
        },
        _ if !name.is_compatible(WASI_VERSION) => Import::Unknown,
        ("wasi:random", "random") => Import::Granted(&RANDOM),
        ("wasi:io", "error" | "poll" | "streams")
        | (
            "wasi:cli",
            "environment" | "exit" | "stdin" | "stdout" | "stderr" | "terminal-input" | "terminal-output"
            | "terminal-stdin" | "terminal-stdout" | "terminal-stderr",
        )
        | ("wasi:clocks", "wall-clock" | "monotonic-clock")
        | ("wasi:random", "insecure" | "insecure-seed") => Import::Free,
        _ => Import::Unknown,
    }
}

fn import_of(name: &str) -> Import {
    InterfaceName::parse(name).map_or(Import::Unknown, |name| import(&name))
}

impl Surface {
    pub(crate) fn read(component: &Component, engine: &Engine) -> Self {
        let ty = component.component_type();
        let is_used = |item: &ComponentItem| does_something(item, engine);
        Self {
            imports: ty
                .imports(engine)
                .filter(|(_, item)| is_used(&item.ty))
                .map(|(name, _)| name.into())
                .collect(),
            exports: ty
                .exports(engine)
                .filter(|(_, item)| is_used(&item.ty))
                .map(|(name, _)| name.into())
                .collect(),
        }
    }

    /// Whether a hook interface is exported.
    pub(crate) fn has(&self, interface: &str) -> bool {
        self.contract_exports().any(|name| name.interface == interface)
    }

    /// The hooks that are exported.
    pub(crate) fn hooks(&self) -> HookSet {
        self.contract_exports()
            .filter_map(|name| contract::hook(name.interface))
            .fold(HookSet::EMPTY, HookSet::with)
    }

    /// Whether it imports functions that wait for others.
    pub(crate) fn waits(&self) -> bool {
        self.imports
            .iter()
            .filter_map(|name| InterfaceName::parse(name))
            .any(|name| name.package == contract::PACKAGE && contract::waits(name.interface))
    }

    /// What the configuration has to grant.
    pub(crate) fn grants_needed(&self) -> Vec<&'static str> {
        let mut needed: Vec<_> = self.granted_imports().map(|(_, grant)| grant.add).collect();
        needed.sort_unstable();
        needed.dedup();
        needed
    }

    /// Whether it is a plugin for this broker, as far as its type tells.
    pub(crate) fn check(&self, grants: &Grants) -> Result<(), LoadError> {
        self.check_version()?;
        self.check_exports()?;
        self.check_imports(grants)
    }

    fn contract_exports(&self) -> impl Iterator<Item = InterfaceName<'_>> {
        self.exports
            .iter()
            .filter_map(|name| InterfaceName::parse(name))
            .filter(|name| name.package == contract::PACKAGE)
    }

    fn granted_imports(&self) -> impl Iterator<Item = (&String, &'static Grant)> {
        self.imports.iter().filter_map(|name| match import_of(name) {
            Import::Granted(grant) => Some((name, grant)),
            _ => None,
        })
    }

    fn check_version(&self) -> Result<(), LoadError> {
        let names = self
            .exports
            .iter()
            .chain(&self.imports)
            .filter_map(|name| InterfaceName::parse(name));
        let mut ours = names.filter(|name| name.package == contract::PACKAGE);
        match ours.find(|name| !name.is_compatible(contract::VERSION)) {
            Some(name) => Err(LoadError::ContractVersion {
                interface: format!("{}/{}", name.package, name.interface),
                found: name.version.into(),
            }),
            None => Ok(()),
        }
    }

    fn check_exports(&self) -> Result<(), LoadError> {
        if !self.has("lifecycle") {
            return Err(LoadError::NoLifecycle);
        }
        let is_known = |name: &InterfaceName<'_>| {
            name.interface == "lifecycle" || contract::hook(name.interface).is_some()
        };
        if let Some(name) = self.contract_exports().find(|name| !is_known(name)) {
            return Err(LoadError::UnknownHook {
                interface: format!("{}/{}@{}", name.package, name.interface, name.version),
            });
        }
        if self.hooks() == HookSet::EMPTY {
            return Err(LoadError::NoHook);
        }
        Ok(())
    }

    fn check_imports(&self, grants: &Grants) -> Result<(), LoadError> {
        let interfaces: Vec<_> = self
            .imports
            .iter()
            .filter(|name| import_of(name) == Import::Unknown)
            .cloned()
            .collect();
        if !interfaces.is_empty() {
            return Err(LoadError::UnknownImports { interfaces });
        }
        let missing: Vec<_> = self
            .granted_imports()
            .filter(|(_, grant)| !(grant.given)(grants))
            .map(|(interface, grant)| MissingGrant {
                interface: interface.clone(),
                add: grant.add,
            })
            .collect();
        if missing.is_empty() {
            Ok(())
        } else {
            Err(LoadError::NotGranted { missing })
        }
    }
}

/// Whether an item is more than the names of types.
fn does_something(item: &ComponentItem, engine: &Engine) -> bool {
    match item {
        ComponentItem::ComponentInstance(instance) => instance
            .exports(engine)
            .any(|(_, item)| does_something(&item.ty, engine)),
        ComponentItem::Type(_) => false,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{RetainedGrant, Secret};

    fn surface(imports: &[&str], exports: &[&str]) -> Surface {
        let own = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Surface {
            imports: own(imports),
            exports: own(exports),
        }
    }

    const LIFECYCLE: &str = "hookwire:plugin/lifecycle@0.1.0";
    const ROUTE: &str = "hookwire:plugin/route@0.1.0";

    fn refusal(imports: &[&str], exports: &[&str]) -> String {
        surface(imports, exports)
            .check(&Grants::default())
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn a_plugin_with_nothing_but_free_imports_is_welcome() {
        let imports = [
            "hookwire:plugin/log@0.1.4",
            "hookwire:plugin/clock@0.1.0",
            "hookwire:plugin/signatures@0.1.0",
            "wasi:cli/stderr@0.2.6",
            "wasi:io/streams@0.2.0",
            "wasi:random/insecure-seed@0.2.9",
        ];
        surface(&imports, &[LIFECYCLE, ROUTE, "wasi:cli/run@0.2.0", "memory"])
            .check(&Grants::default())
            .unwrap();
    }

    #[test]
    fn every_refusal_names_what_is_wrong() {
        let cases: &[(&[&str], &[&str], &[&str])] = &[
            (&[], &[], &["does not export hookwire:plugin/lifecycle@0.1.0"]),
            (
                &["wasi:sockets/tcp@0.2.0"],
                &["wasi:cli/run@0.2.0"],
                &["does not export hookwire:plugin/lifecycle"],
            ),
            (&[], &[LIFECYCLE], &["exports no hook", "authenticate", "events"]),
            (
                &[],
                &[LIFECYCLE, "hookwire:plugin/divine@0.1.0"],
                &["hookwire:plugin/divine@0.1.0", "newer Hookwire"],
            ),
            (
                &[],
                &["hookwire:plugin/lifecycle@0.2.0", ROUTE],
                &["hookwire:plugin/lifecycle@0.2.0", "@0.1.0"],
            ),
            (
                &["hookwire:plugin/log@1.0.0"],
                &[LIFECYCLE, ROUTE],
                &["hookwire:plugin/log@1.0.0", "@0.1.0"],
            ),
            (
                &["wasi:sockets/tcp@0.2.0", "wasi:io/poll@0.2.0"],
                &[LIFECYCLE, ROUTE],
                &["offer: wasi:sockets/tcp@0.2.0;"],
            ),
            (
                &["wasi:filesystem/types@0.2.3"],
                &[LIFECYCLE, ROUTE],
                &["wasi:filesystem/types@0.2.3", "no files"],
            ),
            (
                &["wasi:cli/stderr@0.3.0"],
                &[LIFECYCLE, ROUTE],
                &["wasi:cli/stderr@0.3.0"],
            ),
            (
                &["hookwire:plugin/mail@0.1.0"],
                &[LIFECYCLE, ROUTE],
                &["hookwire:plugin/mail@0.1.0"],
            ),
            (
                &["hookwire:plugin/retained@0.1.0", "hookwire:plugin/secrets@0.1.0"],
                &[LIFECYCLE, ROUTE],
                &[
                    "retained@0.1.0 (add `grant = { retained = [\"topic/filter\"] }`)",
                    "secrets@0.1.0 (add `grant = { secrets = [\"name\"] }`)",
                ],
            ),
            (
                &[
                    "hookwire:plugin/password@0.1.0",
                    "hookwire:plugin/rate-limit@0.1.0",
                ],
                &[LIFECYCLE, ROUTE],
                &[
                    "password@0.1.0 (add `grant = { password = true }`)",
                    "rate-limit@0.1.0 (add `grant = { rate_limit = { keys = 10_000 } }`)",
                ],
            ),
            (&["host-function"], &[LIFECYCLE, ROUTE], &["host-function"]),
            (
                &["hookwire:plugin/kv@0.1.0", "hookwire:plugin/publish@0.1.0"],
                &[LIFECYCLE, ROUTE],
                &[
                    "kv@0.1.0 (add `grant = { kv = { bytes = \"1MiB\" } }`)",
                    "grant = { publish = [",
                ],
            ),
        ];
        for (imports, exports, expected) in cases {
            let text = refusal(imports, exports);
            for part in *expected {
                assert!(text.contains(part), "{text:?} does not contain {part:?}");
            }
        }
    }

    #[test]
    fn a_grant_opens_what_it_names_and_nothing_else() {
        let all = [
            (
                "clients",
                Grants {
                    clients: true,
                    ..Grants::default()
                },
            ),
            (
                "publish",
                Grants {
                    publish: vec![hookwire_protocol::TopicFilter::new("#").unwrap()],
                    ..Grants::default()
                },
            ),
            (
                "kv",
                Grants {
                    kv_bytes_max: Some(1),
                    ..Grants::default()
                },
            ),
            (
                "metrics",
                Grants {
                    metrics: true,
                    ..Grants::default()
                },
            ),
            (
                "retained",
                Grants {
                    retained: Some(RetainedGrant::default()),
                    ..Grants::default()
                },
            ),
            (
                "secrets",
                Grants {
                    secrets: [("a".to_owned(), Secret(b"b"[..].into()))].into(),
                    ..Grants::default()
                },
            ),
            (
                "password",
                Grants {
                    password: true,
                    ..Grants::default()
                },
            ),
            (
                "rate-limit",
                Grants {
                    rate_limit_keys_max: Some(1),
                    ..Grants::default()
                },
            ),
            (
                "random",
                Grants {
                    random: true,
                    ..Grants::default()
                },
            ),
        ];
        for (interface, _) in &all {
            let surface = surface(
                &[&format!("hookwire:plugin/{interface}@0.1.0")],
                &[LIFECYCLE, ROUTE],
            );
            assert_eq!(surface.grants_needed().len(), 1);
            for (name, grants) in &all {
                assert_eq!(
                    surface.check(grants).is_ok(),
                    name == interface,
                    "{interface} with {name}"
                );
            }
        }
    }

    #[test]
    fn batch_alone_is_an_on_publish_hook() {
        let surface = surface(&[], &[LIFECYCLE, "hookwire:plugin/on-publish-batch@0.1.0"]);
        assert!(surface.hooks().contains(hookwire_hooks::Hook::OnPublish));
        assert!(surface.has("on-publish-batch") && !surface.has("on-publish"));
    }
}
