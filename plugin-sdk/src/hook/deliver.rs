//! Asked for each recipient before a message goes to it.

use crate::bindings::deliver::exports::hookwire::plugin::{deliver, deliver_batch};
use crate::bindings::types::{self, ClientKey, Replacement, Source};
use crate::component::{Component, with_plugin};
use crate::frame::Frame;
use crate::plugin::Plugin;
use crate::{Message, delivery_frame, log};

pub use deliver::Decision;

/// The hook `deliver`.
///
/// The broker asks for every recipient of every message that [`Interests`](crate::Interests) lets through: be quick. The
/// batch form of the hook is exported as well, so that one call covers all recipients of a message.
pub trait Deliver: Plugin {
    /// Decides what one recipient gets.
    fn deliver(&self, recipient: ClientKey, message: &Message<'_>) -> Decision;
}

impl<C: Component<Plugin: Deliver>> deliver::Guest for C {
    fn deliver(recipient: ClientKey, source: Source, message: types::Message) -> Decision {
        with_plugin::<C, _>(|plugin| plugin.deliver(recipient, &Message::of(source, &message)))
    }
}

impl<C: Component<Plugin: Deliver>> deliver_batch::Guest for C {
    fn deliver_batch(deliveries: Vec<u8>) -> Vec<u8> {
        #[expect(unsafe_code, reason = "the broker's frame")]
        // SAFETY: the broker calls this, and keeps to the contract.
        let frame = unsafe { Frame::of_broker(&deliveries) };
        with_plugin::<C, _>(|plugin| {
            let judge = |recipient, message: &Message<'_>| plugin.deliver(recipient, message);
            delivery_frame::judge_all(frame, judge).unwrap_or_else(|error| {
                log::error!("batch of deliveries: {error}");
                // No frame at all: the broker applies the verdict on failure to every delivery of the batch.
                Vec::new()
            })
        })
    }
}

impl From<Replacement> for Decision {
    fn from(replacement: Replacement) -> Self {
        Self::Replace(replacement)
    }
}
