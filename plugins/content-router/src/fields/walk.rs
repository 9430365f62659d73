//! The walk over a payload.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::Node;
use crate::comparison::Value;
use crate::number::Number;

/// Notes what is found at the places below `root`.
pub(super) fn walk(root: &Node, holds: &[Cell<bool>], payload: &[u8]) -> serde_json::Result<()> {
    let mut json = serde_json::Deserializer::from_slice(payload);
    At { node: root, holds }.deserialize(&mut json)?;
    json.end()
}

/// The place where the walk is.
#[derive(Clone, Copy)]
struct At<'n> {
    node: &'n Node,
    holds: &'n [Cell<bool>],
}

impl At<'_> {
    fn found(self, value: Value<'_>) {
        self.node.set(self.holds, Some(value));
    }
}

impl<'de> DeserializeSeed<'de> for At<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for At<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.found(Value::Other);
        Ok(())
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.found(Value::Bool(value));
        Ok(())
    }

    fn visit_i64<E: Error>(self, integer: i64) -> Result<(), E> {
        self.found(Value::Number(Number::Integer(integer.into())));
        Ok(())
    }

    fn visit_u64<E: Error>(self, integer: u64) -> Result<(), E> {
        self.found(Value::Number(Number::Integer(integer.into())));
        Ok(())
    }

    fn visit_f64<E: Error>(self, float: f64) -> Result<(), E> {
        self.found(Value::Number(Number::Float(float)));
        Ok(())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.found(Value::Text(text));
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        self.found(Value::Other);
        for index in 0.. {
            let is_more = match self.node.element(index) {
                Some(node) => elements.next_element_seed(Self { node, ..self })?.is_some(),
                None => elements.next_element::<IgnoredAny>()?.is_some(),
            };
            if !is_more {
                break;
            }
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        self.found(Value::Other);
        while let Some(member) = members.next_key_seed(Name(self.node))? {
            match member {
                Some(node) => members.next_value_seed(Self { node, ..self })?,
                None => members.next_value::<IgnoredAny>().map(drop)?,
            }
        }
        Ok(())
    }
}

/// The name of a member of the object at a place; becomes the place of its value, if any rule looks there.
struct Name<'n>(&'n Node);

impl<'de, 'n> DeserializeSeed<'de> for Name<'n> {
    type Value = Option<&'n Node>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Option<&'n Node>, D::Error> {
        json.deserialize_str(self)
    }
}

impl<'n> Visitor<'_> for Name<'n> {
    type Value = Option<&'n Node>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a member")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Option<&'n Node>, E> {
        Ok(self.0.member(name))
    }
}
