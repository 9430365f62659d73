//! What a condition demands of a value.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Visitor};

use crate::number::Number;

/// What a condition demands of a value.
#[derive(Debug)]
pub(crate) enum Comparison {
    Equals(Scalar),
    NotEquals(Scalar),
    Above(Number),
    Below(Number),
    Exists(bool),
}

impl Comparison {
    /// Whether it holds for a value, or, with none, where there is none: then only `exists = false` does.
    pub(crate) fn holds(&self, value: Option<Value<'_>>) -> bool {
        let Some(value) = value else {
            return matches!(self, Self::Exists(false));
        };
        match self {
            Self::Equals(scalar) => scalar.is(value),
            Self::NotEquals(scalar) => !scalar.is(value),
            Self::Above(limit) => value.number().is_some_and(|number| number > *limit),
            Self::Below(limit) => value.number().is_some_and(|number| number < *limit),
            Self::Exists(expected) => *expected,
        }
    }
}

/// A value of a message.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Value<'a> {
    Text(&'a str),
    Number(Number),
    Bool(bool),
    /// A text that stands for whatever it is compared with: user properties have no types.
    Untyped(&'a str),
    /// Null, an array or an object.
    Other,
}

impl Value<'_> {
    fn number(self) -> Option<Number> {
        match self {
            Self::Number(number) => Some(number),
            Self::Untyped(text) => Number::parse(text),
            Self::Text(_) | Self::Bool(_) | Self::Other => None,
        }
    }
}

/// A value of a rule.
#[derive(Debug)]
pub(crate) enum Scalar {
    Text(String),
    Number(Number),
    Bool(bool),
}

impl Scalar {
    fn is(&self, value: Value<'_>) -> bool {
        match (self, value) {
            (Self::Text(own), Value::Text(text) | Value::Untyped(text)) => own == text,
            (Self::Number(own), value) => value.number() == Some(*own),
            (Self::Bool(own), Value::Bool(value)) => *own == value,
            (Self::Bool(own), Value::Untyped(text)) => text == if *own { "true" } else { "false" },
            _ => false,
        }
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor)
    }
}

struct ScalarVisitor;

impl Visitor<'_> for ScalarVisitor {
    type Value = Scalar;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, a number, true or false")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Scalar, E> {
        Ok(Scalar::Bool(value))
    }

    fn visit_i64<E: Error>(self, integer: i64) -> Result<Scalar, E> {
        Ok(Scalar::Number(Number::Integer(integer.into())))
    }

    fn visit_u64<E: Error>(self, integer: u64) -> Result<Scalar, E> {
        Ok(Scalar::Number(Number::Integer(integer.into())))
    }

    fn visit_f64<E: Error>(self, float: f64) -> Result<Scalar, E> {
        Ok(Scalar::Number(Number::Float(float)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Scalar, E> {
        Ok(Scalar::Text(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(float: f64) -> Value<'static> {
        Value::Number(Number::Float(float))
    }

    #[test]
    fn only_values_of_one_type_are_equal() {
        let text = Comparison::Equals(Scalar::Text("5".into()));
        assert!(text.holds(Some(Value::Text("5"))));
        assert!(!text.holds(Some(number(5.0))));
        let five = Comparison::Equals(Scalar::Number(Number::Integer(5)));
        assert!(five.holds(Some(number(5.0))));
        assert!(!five.holds(Some(Value::Text("5"))));
        let yes = Comparison::Equals(Scalar::Bool(true));
        assert!(yes.holds(Some(Value::Bool(true))));
        assert!(!yes.holds(Some(Value::Text("true"))));
    }

    #[test]
    fn an_untyped_text_is_read_as_what_it_is_compared_with() {
        assert!(Comparison::Equals(Scalar::Number(Number::Integer(5))).holds(Some(Value::Untyped("5.0"))));
        assert!(Comparison::Equals(Scalar::Bool(false)).holds(Some(Value::Untyped("false"))));
        assert!(Comparison::Equals(Scalar::Text("5.0".into())).holds(Some(Value::Untyped("5.0"))));
        assert!(Comparison::Above(Number::Integer(4)).holds(Some(Value::Untyped("5.0"))));
        assert!(!Comparison::Above(Number::Integer(4)).holds(Some(Value::Untyped("hot"))));
    }

    #[test]
    fn limits_are_not_part_of_the_range() {
        let limit = Number::Integer(5);
        for (value, above, below) in [(4.0, false, true), (5.0, false, false), (5.5, true, false)] {
            assert_eq!(Comparison::Above(limit).holds(Some(number(value))), above);
            assert_eq!(Comparison::Below(limit).holds(Some(number(value))), below);
        }
        assert!(!Comparison::Below(limit).holds(Some(Value::Text("4"))));
    }

    #[test]
    fn what_is_not_there_satisfies_nothing_but_its_absence() {
        assert!(Comparison::Exists(false).holds(None));
        assert!(!Comparison::Exists(true).holds(None));
        assert!(!Comparison::NotEquals(Scalar::Bool(true)).holds(None));
        assert!(Comparison::NotEquals(Scalar::Bool(true)).holds(Some(Value::Other)));
        assert!(Comparison::Exists(true).holds(Some(Value::Other)));
        assert!(!Comparison::Exists(false).holds(Some(Value::Other)));
    }
}
