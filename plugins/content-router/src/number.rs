//! Numbers of rules, payloads and properties.

use std::cmp::Ordering;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Visitor};

/// A number. Integers are compared exactly, also those that a float cannot tell apart.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Number {
    Integer(i128),
    Float(f64),
}

impl Number {
    /// A number as people write it: `-3`, `2.5`, `1e3`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if let Ok(integer) = text.parse() {
            return Some(Self::Integer(integer));
        }
        text.parse()
            .ok()
            .filter(|float: &f64| float.is_finite())
            .map(Self::Float)
    }

    fn as_f64(self) -> f64 {
        match self {
            Self::Integer(integer) => integer as f64,
            Self::Float(float) => float,
        }
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        match (*self, *other) {
            (Self::Integer(one), Self::Integer(other)) => Some(one.cmp(&other)),
            (one, other) => one.as_f64().partial_cmp(&other.as_f64()),
        }
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.partial_cmp(other) == Some(Ordering::Equal)
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NumberVisitor)
    }
}

struct NumberVisitor;

impl Visitor<'_> for NumberVisitor {
    type Value = Number;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number")
    }

    fn visit_i64<E: Error>(self, integer: i64) -> Result<Number, E> {
        Ok(Number::Integer(integer.into()))
    }

    fn visit_u64<E: Error>(self, integer: u64) -> Result<Number, E> {
        Ok(Number::Integer(integer.into()))
    }

    fn visit_f64<E: Error>(self, float: f64) -> Result<Number, E> {
        Ok(Number::Float(float))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_people_write_them() {
        for (text, expected) in [("-3", -3.0), ("2.5", 2.5), ("1e3", 1000.0), ("+0", 0.0)] {
            assert_eq!(Number::parse(text), Some(Number::Float(expected)), "{text}");
        }
        for text in ["", "NaN", "inf", "-infinity", "1e999", "3 ", "0x10", "warm"] {
            assert_eq!(Number::parse(text), None, "{text}");
        }
    }

    #[test]
    fn large_integers_are_compared_exactly() {
        let large = Number::Integer(9_007_199_254_740_993);
        assert!(large > Number::Integer(9_007_199_254_740_992));
        assert!(Number::Integer(i128::from(u64::MAX)) > Number::Integer(i128::from(i64::MIN)));
        assert!(Number::Integer(21) < Number::Float(21.5));
    }
}
