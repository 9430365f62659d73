//! A message, with its payload read as JSON at most once.

use std::cell::OnceCell;

use hookwire_plugin::Message;
use serde_json::Value;

/// A message that rules look into.
pub(crate) struct Content<'a> {
    message: &'a Message<'a>,
    payload_bytes_max: usize,
    json: OnceCell<Option<Value>>,
}

impl<'a> Content<'a> {
    pub(crate) fn new(message: &'a Message<'a>, payload_bytes_max: usize) -> Self {
        Self { message, payload_bytes_max, json: OnceCell::new() }
    }

    pub(crate) fn topic(&self) -> &'a str {
        self.message.topic()
    }

    pub(crate) fn property(&self, name: &str) -> Option<&'a str> {
        self.message.properties().user_property(name)
    }

    /// The value at a JSON pointer; none also when the payload is no JSON or too large to be read.
    pub(crate) fn field(&self, pointer: &str) -> Option<&Value> {
        let json = self.json.get_or_init(|| {
            let payload = self.message.payload();
            let readable = payload.len() <= self.payload_bytes_max;
            readable.then(|| serde_json::from_slice(payload).ok()).flatten()
        });
        json.as_ref()?.pointer(pointer)
    }
}
