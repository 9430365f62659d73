//! Retained messages, by topics as the broker has them: mount points included. Grant: `retained = ["topic/filter", …]`, or
//! apart for reading and writing: `retained = { read = […], write = […] }`.
//!
//! ```
//! use hookwire_plugin::{MessageBuf, retained};
//! # let _host = hookwire_plugin::mock::Mock::new();
//! retained::put(&MessageBuf::new("state/7", "on"))?;
//! # Ok::<(), retained::Error>(())
//! ```

#[cfg(target_family = "wasm")]
use crate::bindings::retained as host;
use crate::bindings::types::Message as MessageBuf;
#[cfg(not(target_family = "wasm"))]
use crate::mock::host::retained as host;

pub use crate::bindings::retained::{Error, Page};

/// Messages that [`for_each`] asks for at a time.
const PAGE: u32 = 100;

/// The retained message of a topic. Its message expiry interval is what is left of it.
pub fn get(topic: &str) -> Result<Option<MessageBuf>, Error> {
    host::get(topic)
}

/// Keeps a message in place of the last one of its topic, and sends it to nobody: soon after the hook has answered, and
/// not at all when it fails. `on-publish` of all other plugins is asked.
pub fn put(message: &MessageBuf) -> Result<(), Error> {
    host::put(message)
}

/// Removes the retained message of a topic, in the same way.
pub fn delete(topic: &str) -> Result<(), Error> {
    host::delete(topic)
}

/// At most `limit` (1,000 at the most) of the messages that match, in the order of their topics; the cursor of the last page
/// leads to the next one. Only in hooks that may take their time.
pub fn find(filter: &str, limit: u32, cursor: Option<&str>) -> Result<Page, Error> {
    host::find(filter, limit, cursor)
}

/// Does something with each message that matches, page by page.
pub fn for_each(filter: &str, mut step: impl FnMut(MessageBuf)) -> Result<(), Error> {
    let mut cursor = None;
    loop {
        let page = find(filter, PAGE, cursor.as_deref())?;
        page.messages.into_iter().for_each(&mut step);
        match page.cursor {
            Some(next) => cursor = Some(next),
            None => return Ok(()),
        }
    }
}
