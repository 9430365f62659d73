//! When a rule applies, besides its topic.

use hookwire_plugin::Properties;

use crate::comparison::{Comparison, Value};
use crate::fields::{FieldId, Payload};

/// When a rule applies, besides its topic.
#[derive(Debug)]
pub(crate) enum Condition {
    Always,
    /// A field of the payload; which, and what is demanded of it, is kept with all others.
    Field(FieldId),
    /// The first user property of a name.
    Property {
        name: String,
        comparison: Comparison,
    },
}

impl Condition {
    pub(crate) fn holds(&self, payload: &Payload<'_>, properties: Properties<'_>) -> bool {
        match self {
            Self::Always => true,
            Self::Field(id) => payload.holds(*id),
            Self::Property { name, comparison } => {
                comparison.holds(properties.user_property(name).map(Value::Untyped))
            }
        }
    }
}
