//! Asked about each published message before it is acknowledged, stored or routed.

use crate::bindings::on_publish::exports::hookwire::plugin::{on_publish, on_publish_batch};
use crate::bindings::types::{self, Source, Verdict};
use crate::component::{Component, with_plugin};
use crate::plugin::Plugin;
use crate::publish_frame::PublishFrame;

use crate::{Message, log, publish_frame};

/// The hook `on-publish`. Wills and messages of plugins come by here too.
///
/// The broker calls this while it reads the publisher's packets: be quick. It exports the batch form of the hook as
/// well, which the broker prefers when several messages of a connection wait.
pub trait OnPublish: Plugin {
    /// Judges one message.
    fn on_publish(&self, message: &Message<'_>) -> Verdict;
}

impl<C: Component<Plugin: OnPublish>> on_publish::Guest for C {
    fn on_publish(source: Source, message: types::Message) -> Verdict {
        with_plugin::<C, _>(|plugin| plugin.on_publish(&Message::of(source, &message)))
    }
}

impl<C: Component<Plugin: OnPublish>> on_publish_batch::Guest for C {
    fn on_publish_batch(entries: Vec<u8>, bytes: Vec<u8>) -> Vec<u8> {
        #[expect(unsafe_code, reason = "the broker's frame")]
        // SAFETY: the broker calls this, and keeps to the contract.
        let frame = unsafe { PublishFrame::of_broker(&entries, &bytes) };
        with_plugin::<C, _>(|plugin| {
            frame
                .and_then(|frame| publish_frame::judge_all(&frame, |message| plugin.on_publish(message)))
                .unwrap_or_else(|error| {
                    log::error!("batch of messages: {error}");
                    // No frame at all: the broker applies the verdict on failure to every message of the batch.
                    Vec::new()
                })
        })
    }
}
