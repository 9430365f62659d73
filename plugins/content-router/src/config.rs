//! The plugin's `config` table.

use std::fmt;

use hookwire_plugin::prelude::*;
use hookwire_plugin::{TopicFilter, TopicTemplate};

use crate::ContentRouter;
use crate::action::{Action, Judgement};
use crate::comparison::{Comparison, Scalar};
use crate::number::Number;
use crate::pointer::Pointer;
use crate::rules::{Rules, Subject};

/// Largest payload that is parsed when nothing is said about it, bytes.
const MAX_PAYLOAD_DEFAULT: usize = 65_536;

/// MQTT limits reason strings and names of user properties to so many bytes.
const TEXT_BYTES_MAX: usize = 65_535;

/// The table, as it is read.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    rules: Vec<RuleConfig>,
    #[serde(default = "max_payload_default")]
    max_payload: usize,
}

fn max_payload_default() -> usize {
    MAX_PAYLOAD_DEFAULT
}

/// One rule, as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleConfig {
    topic: String,

    field: Option<String>,
    property: Option<String>,

    equals: Option<Scalar>,
    not_equals: Option<Scalar>,
    above: Option<Number>,
    below: Option<Number>,
    exists: Option<bool>,

    copy_to: Option<String>,
    rewrite: Option<String>,
    drop: Option<bool>,
    reject: Option<String>,
    retain: Option<bool>,
}

/// A rule that is checked.
struct Rule {
    filter: TopicFilter,
    condition: Option<(Subject, Comparison)>,
    action: Action,
}

impl Config {
    /// The plugin, or all that is wrong with its rules.
    pub(crate) fn check(self) -> Result<ContentRouter, Problems> {
        let mut judgements = Rules::new(self.max_payload);
        let mut copies = Rules::new(self.max_payload);
        let mut problems = Vec::new();
        for (index, rule) in self.rules.into_iter().enumerate() {
            match rule.check(&Place(index)) {
                Ok(Rule {
                    filter,
                    condition,
                    action: Action::Judge(judgement),
                }) => {
                    judgements.push(filter, condition, judgement);
                }
                Ok(Rule {
                    filter,
                    condition,
                    action: Action::Copy(template),
                }) => {
                    copies.push(filter, condition, template);
                }
                Err(found) => problems.extend(found),
            }
        }
        if problems.is_empty() {
            Ok(ContentRouter { judgements, copies })
        } else {
            Err(problems.into())
        }
    }
}

impl RuleConfig {
    fn check(mut self, place: &Place) -> Result<Rule, Vec<Problem>> {
        let filter = self.topic.parse().map_err(|error| place.at("topic", error));
        let action = self.action(filter.as_ref().ok(), place);
        let condition = self.condition(place);
        match (filter, condition, action) {
            (Ok(filter), Ok(condition), Ok(Some(action))) => Ok(Rule {
                filter,
                condition,
                action,
            }),
            (filter, condition, action) => Err([filter.err(), condition.err(), action.err()]
                .into_iter()
                .flatten()
                .collect()),
        }
    }

    /// The one action; none where it cannot be told since the topic filter is bad.
    fn action(&self, filter: Option<&TopicFilter>, place: &Place) -> Result<Option<Action>, Problem> {
        let given = [
            ("copy_to", self.copy_to.is_some()),
            ("rewrite", self.rewrite.is_some()),
            ("drop", self.drop.is_some()),
            ("reject", self.reject.is_some()),
            ("retain", self.retain.is_some()),
        ];
        let key = place.one_of(&given, "action")?;
        let Some(key) = key else {
            return Err(place.itself("no action: expected copy_to, rewrite, drop, reject or retain"));
        };
        let template = |text: &Option<String>| {
            let parsed = text
                .as_deref()
                .zip(filter)
                .map(|(text, filter)| TopicTemplate::parse(text, filter));
            parsed.transpose().map_err(|error| place.at(key, error))
        };
        Ok(match key {
            "copy_to" => template(&self.copy_to)?.map(Action::Copy),
            "rewrite" => template(&self.rewrite)?.map(|template| Action::Judge(Judgement::Rewrite(template))),
            "drop" if self.drop == Some(true) => Some(Action::Judge(Judgement::Drop)),
            "drop" => return Err(place.at(key, "expected true, or no such key")),
            "reject" => {
                let text = self.reject.as_deref().unwrap_or_default();
                check_text(text).map_err(|error| place.at(key, error))?;
                Some(Action::Judge(Judgement::Reject(Rejection::new(
                    self.reason(),
                    text,
                ))))
            }
            _ if self.retain == Some(false) => Some(Action::Judge(Judgement::Unretain)),
            _ => return Err(place.at(key, "expected false: no rule makes a message retained")),
        })
    }

    /// Why a message is refused: for what its payload says, or for another reason of this plugin's own.
    fn reason(&self) -> Reason {
        if self.field.is_some() {
            Reason::PayloadFormatInvalid
        } else {
            Reason::ImplementationSpecific
        }
    }

    fn condition(&mut self, place: &Place) -> Result<Option<(Subject, Comparison)>, Problem> {
        let comparison = self.comparison(place)?;
        let subject = match (self.field.take(), self.property.take()) {
            (Some(_), Some(_)) => return Err(place.at("property", "expected either field or property")),
            (Some(text), None) => Some(Subject::Field(
                Pointer::parse(&text).map_err(|error| place.at("field", error))?,
            )),
            (None, Some(name)) => {
                check_text(&name).map_err(|error| place.at("property", error))?;
                Some(Subject::Property(name))
            }
            (None, None) => None,
        };
        match (subject, comparison) {
            (Some(subject), Some(comparison)) => Ok(Some((subject, comparison))),
            (None, None) => Ok(None),
            (Some(_), None) => {
                Err(place.itself("no comparison: expected equals, not_equals, above, below or exists"))
            }
            (None, Some(_)) => Err(place.itself("a comparison with nothing: expected field or property")),
        }
    }

    fn comparison(&mut self, place: &Place) -> Result<Option<Comparison>, Problem> {
        let given = [
            ("equals", self.equals.is_some()),
            ("not_equals", self.not_equals.is_some()),
            ("above", self.above.is_some()),
            ("below", self.below.is_some()),
            ("exists", self.exists.is_some()),
        ];
        place.one_of(&given, "comparison")?;
        let equals = self.equals.take().map(Comparison::Equals);
        let not_equals = self.not_equals.take().map(Comparison::NotEquals);
        let above = self.above.map(Comparison::Above);
        let below = self.below.map(Comparison::Below);
        let exists = self.exists.map(Comparison::Exists);
        Ok(equals.or(not_equals).or(above).or(below).or(exists))
    }
}

fn check_text(text: &str) -> Result<(), &'static str> {
    match text {
        "" => Err("expected a text that is not empty"),
        text if text.len() > TEXT_BYTES_MAX => Err("expected a text of at most 65,535 bytes"),
        text if text.contains('\0') => Err("expected a text without U+0000"),
        _ => Ok(()),
    }
}

/// Which rule it is.
struct Place(usize);

impl Place {
    fn itself(&self, message: impl fmt::Display) -> Problem {
        Problem::at(format_args!("rules.{}", self.0), message)
    }

    fn at(&self, key: &str, message: impl fmt::Display) -> Problem {
        Problem::at(format_args!("rules.{}.{key}", self.0), message)
    }

    /// The key that is given, of those of which a rule has one at the most.
    fn one_of(&self, keys: &[(&'static str, bool)], what: &str) -> Result<Option<&'static str>, Problem> {
        let mut given = keys.iter().filter(|(_, given)| *given).map(|(key, _)| *key);
        match (given.next(), given.next()) {
            (Some(first), Some(second)) => Err(self.at(
                second,
                format_args!("one {what} too many: the rule has {first} already"),
            )),
            (first, _) => Ok(first),
        }
    }
}
