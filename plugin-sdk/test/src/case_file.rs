//! A file of cases: the format of `docs/plugins/testing.md`.

use hookwire_hooks::{ClientFacts, Message};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::case::{Case, CaseTable, Failed};
use crate::{Actor, Chance, Stage, plain};

/// Once in so many questions the instances are taken away.
const RENEWED_ONE_IN: u64 = 3;

/// Why a file of cases cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CaseFileError {
    /// It is not TOML, or not of this form.
    #[error(transparent)]
    Toml(#[from] toml::de::Error),
    /// A client or a case is not possible.
    #[error("{what}: {why}")]
    Impossible {
        /// Which.
        what: String,
        /// Why.
        why: String,
    },
}

/// Questions and expected answers, and what the plugin and the broker are like meanwhile.
#[derive(Debug)]
pub struct CaseFile {
    plugin: toml::Table,
    secrets: toml::Table,
    config: Value,
    clients: Vec<ClientFacts>,
    retained: Vec<Message>,
    cases: Vec<Case>,
}

/// As it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    plugin: toml::Table,
    #[serde(default)]
    secrets: toml::Table,
    #[serde(default)]
    client: Vec<Value>,
    #[serde(default)]
    retained: Vec<Value>,
    #[serde(default)]
    case: Vec<CaseTable>,
}

impl CaseFile {
    /// Reads the text of a file.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, CaseFileError> {
        let mut written: Written = toml::from_str(text)?;
        let config = match written.plugin.get("config") {
            Some(config) => Value::deserialize(config.clone())?,
            None => Value::Object(Map::new()),
        };
        written.plugin.remove("name");
        let clients = numbered(written.client).map(|(place, client)| {
            plain::client(client).map_err(|why| CaseFileError::Impossible {
                what: format!("client {place}"),
                why,
            })
        });
        let clients = clients.collect::<Result<_, _>>()?;
        let retained = numbered(written.retained).map(|(place, message)| {
            plain::retained(message).map_err(|why| CaseFileError::Impossible {
                what: format!("retained message {place}"),
                why,
            })
        });
        let retained = retained.collect::<Result<_, _>>()?;
        let cases = numbered(written.case).map(|(place, case)| case.read(place));
        Ok(Self {
            config,
            clients,
            retained,
            secrets: written.secrets,
            cases: cases.collect::<Result<_, _>>()?,
            plugin: written.plugin,
        })
    }

    /// The `[plugin]` table: an entry of the broker's configuration without name and path.
    pub fn plugin(&self) -> &toml::Table {
        &self.plugin
    }

    /// The `[secrets]` table, as in the broker's configuration.
    pub fn secrets(&self) -> &toml::Table {
        &self.secrets
    }

    /// The plugin's own configuration: `[plugin.config]`.
    pub fn config(&self) -> &Value {
        &self.config
    }

    /// The cases, in order.
    pub fn cases(&self) -> &[Case] {
        &self.cases
    }

    /// Makes the clients and the retained messages of the file known.
    pub fn set_up(&self, stage: &Stage) {
        stage.broker().set_retained(self.retained.clone());
        for client in &self.clients {
            stage.broker().add_client(client.clone());
        }
    }

    /// Puts all cases, one after the other, to instances that are taken away now and then; returns those that failed.
    pub fn run(&self, stage: &Stage, plugin: &Actor, chance: &mut Chance) -> Vec<Failed> {
        self.set_up(stage);
        let mut failed = Vec::new();
        for case in &self.cases {
            if chance.one_in(RENEWED_ONE_IN) {
                plugin.renew();
            }
            let troubles = case.run(stage, plugin);
            if !troubles.is_empty() {
                failed.push(Failed {
                    case: case.name.clone(),
                    troubles,
                });
            }
        }
        failed
    }
}

fn numbered<T>(items: Vec<T>) -> impl Iterator<Item = (usize, T)> {
    (1..).zip(items)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_a_plugin_clients_and_cases() {
        let file = CaseFile::parse(
            r#"
            [plugin]
            deadline = "5ms"
            [plugin.config]
            max_bytes = 3

            [[client]]
            client_id = "lamp"

            [[case]]
            name = "small"
            hook = "on-publish"
            question = { message = { topic = "a", payload = "abc" } }
            answer = "pass"
            "#,
        )
        .unwrap();
        assert_eq!(file.config(), &serde_json::json!({ "max_bytes": 3 }));
        assert_eq!(file.plugin()["deadline"].as_str(), Some("5ms"));
        assert_eq!(file.clients[0].client_id, "lamp");
        assert_eq!(file.cases()[0].name, "small");
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        for (text, expected) in [
            ("[[caes]]\n", "caes"),
            ("[[client]]\nkey = \"x\"\n", "client 1: "),
            (
                "[[case]]\nhook = \"on-publish\"\n[[case]]\nhook = \"publish\"\n",
                "case 2: there is no hook",
            ),
            (
                "[[case]]\nname = \"n\"\nhook = \"on-publish\"\nanswer = \"maybe\"\n",
                "case 1 (n): ",
            ),
            (
                "[[case]]\nhook = \"on-publish\"\nexpect = \"pass\"\n",
                "unknown field `expect`",
            ),
        ] {
            let error = CaseFile::parse(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
