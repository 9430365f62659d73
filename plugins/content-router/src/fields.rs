//! The fields of payloads that rules look at. All of them are found in one walk over a payload, which builds nothing.

mod walk;

use std::cell::Cell;

use crate::comparison::{Comparison, Value};
use crate::pointer::Pointer;

/// One field with one comparison, among those of [`Fields`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct FieldId(usize);

/// The fields that rules look at, and what they demand of them.
#[derive(Debug)]
pub(crate) struct Fields {
    root: Node,
    /// Whether each comparison holds for the payload that was read last.
    holds: Vec<Cell<bool>>,
    payload_bytes_max: usize,
}

impl Fields {
    /// Of payloads that are larger nothing is read.
    pub(crate) fn new(payload_bytes_max: usize) -> Self {
        Self {
            root: Node::default(),
            holds: Vec::new(),
            payload_bytes_max,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.holds.is_empty()
    }

    pub(crate) fn add(&mut self, pointer: Pointer, comparison: Comparison) -> FieldId {
        let id = FieldId(self.holds.len());
        self.holds.push(Cell::new(false));
        let mut node = &mut self.root;
        for key in pointer.into_keys() {
            node = node.child_or_new(key);
        }
        node.comparisons.push((id, comparison));
        id
    }

    /// A payload to ask about; it is read when the first question comes.
    pub(crate) fn payload<'a>(&'a self, bytes: &'a [u8]) -> Payload<'a> {
        Payload {
            fields: self,
            bytes,
            is_read: Cell::new(false),
        }
    }

    fn read(&self, payload: &[u8]) {
        if payload.len() > self.payload_bytes_max {
            // Not even that a field is missing is known.
            return self.holds.iter().for_each(|holds| holds.set(false));
        }
        self.root.set(&self.holds, None);
        if walk::walk(&self.root, &self.holds, payload).is_err() {
            // What is not JSON has no fields, and neither has what looked like it up to some point.
            self.root.set(&self.holds, None);
        }
    }
}

/// A payload, to be asked whether a comparison of [`Fields`] holds.
#[derive(Debug)]
pub(crate) struct Payload<'a> {
    fields: &'a Fields,
    bytes: &'a [u8],
    is_read: Cell<bool>,
}

impl Payload<'_> {
    pub(crate) fn holds(&self, id: FieldId) -> bool {
        if !self.is_read.replace(true) {
            self.fields.read(self.bytes);
        }
        self.fields.holds[id.0].get()
    }
}

/// A place in a document.
#[derive(Debug, Default)]
struct Node {
    children: Vec<Child>,
    comparisons: Vec<(FieldId, Comparison)>,
}

#[derive(Debug)]
struct Child {
    key: String,
    /// The place in an array that the key is as well.
    index: Option<usize>,
    node: Node,
}

impl Node {
    fn child_or_new(&mut self, key: String) -> &mut Self {
        let at = self
            .children
            .iter()
            .position(|child| child.key == key)
            .unwrap_or_else(|| {
                let is_index =
                    key == "0" || !key.starts_with('0') && key.bytes().all(|byte| byte.is_ascii_digit());
                let index = if is_index { key.parse().ok() } else { None };
                self.children.push(Child {
                    key,
                    index,
                    node: Self::default(),
                });
                self.children.len() - 1
            });
        &mut self.children[at].node
    }

    fn member(&self, key: &str) -> Option<&Self> {
        self.children
            .iter()
            .find(|child| child.key == key)
            .map(|child| &child.node)
    }

    fn element(&self, index: usize) -> Option<&Self> {
        self.children
            .iter()
            .find(|child| child.index == Some(index))
            .map(|child| &child.node)
    }

    /// This place has a value; below it nothing is found yet.
    fn set(&self, holds: &[Cell<bool>], value: Option<Value<'_>>) {
        for (id, comparison) in &self.comparisons {
            holds[id.0].set(comparison.holds(value));
        }
        for child in &self.children {
            child.node.set(holds, None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// For each pointer, whether there is a field.
    fn exist<const N: usize>(pointers: [&str; N], payload: &[u8]) -> [bool; N] {
        let mut fields = Fields::new(1000);
        let ids = pointers.map(|text| fields.add(Pointer::parse(text).unwrap(), Comparison::Exists(true)));
        let payload = fields.payload(payload);
        ids.map(|id| payload.holds(id))
    }

    #[test]
    fn fields_are_found_at_any_depth() {
        let payload = br#"{"a": {"b": [1, {"c": null}, 3], "x/y": ""}, "": 0, "d": 1e3}"#;
        let found = ["", "a", "/a/b", "/a/b/0", "/a/b/1/c", "/a/x~1y", "/", "d"];
        assert_eq!(exist(found, payload), [true; 8]);
        let missing = [
            "b", "/a/b/3", "/a/b/00", "/a/b/-", "/a/b/1/d", "/a/b/0/0", "/d/e", "A",
        ];
        assert_eq!(exist(missing, payload), [false; 8]);
    }

    #[test]
    fn the_last_of_two_members_of_one_name_counts() {
        assert_eq!(
            exist(["/a/b", "/a/c"], br#"{"a": {"b": 1}, "a": {"c": 2}}"#),
            [false, true]
        );
        assert_eq!(exist(["/a/b", "a"], br#"{"a": {"b": 1}, "a": 5}"#), [false, true]);
    }

    #[test]
    fn escaped_names_are_found() {
        assert_eq!(exist(["é"], br#"{"\u00e9": 1}"#), [true]);
    }

    #[test]
    fn what_is_not_json_has_no_fields() {
        for payload in [
            &b""[..],
            b"{",
            b"{\"a\": 1",
            b"{\"a\": 1} x",
            b"{\"a\": 1}{}",
            b"\xff",
            b"{a: 1}",
        ] {
            assert_eq!(exist(["", "a"], payload), [false; 2], "{payload:?}");
        }
    }

    #[test]
    fn deep_documents_end_somewhere() {
        let payload = ["[".repeat(100_000), "]".repeat(100_000)].concat();
        let mut fields = Fields::new(usize::MAX);
        let deep = fields.add(
            Pointer::parse(&"/0".repeat(1000)).unwrap(),
            Comparison::Exists(true),
        );
        let shallow = fields.add(Pointer::parse("/1").unwrap(), Comparison::Exists(false));
        let payload = fields.payload(payload.as_bytes());
        assert!(!payload.holds(deep));
        assert!(payload.holds(shallow));
    }

    #[test]
    fn nothing_is_known_of_a_payload_that_is_too_large() {
        let mut fields = Fields::new(7);
        let comparisons = [true, false].map(Comparison::Exists);
        let ids = comparisons.map(|comparison| fields.add(Pointer::parse("a").unwrap(), comparison));
        let holds = |payload: &[u8]| {
            let payload = fields.payload(payload);
            ids.map(|id| payload.holds(id))
        };
        assert_eq!(holds(br#"{"a":1}"#), [true, false]);
        assert_eq!(holds(br#"{"a":1} "#), [false, false]);
        assert_eq!(holds(br#"{"b":1}"#), [false, true]);
    }
}
