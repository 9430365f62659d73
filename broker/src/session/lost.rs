//! Messages that did not reach their client.

use std::sync::Arc;

use hookwire_hooks::{DropCause, Message};

use crate::metrics::Limit;

/// A message that did not reach the client.
#[derive(Debug, Clone)]
pub struct Lost {
    /// The message.
    pub message: Arc<Message>,
    /// Why.
    pub cause: DropCause,
    /// The limit of ours that is behind it, if one is.
    pub limit: Option<Limit>,
}

impl Lost {
    /// One that was not even queued: what is full then is the outbox.
    pub fn of(message: &Arc<Message>, cause: DropCause) -> Self {
        Self {
            message: Arc::clone(message),
            cause,
            limit: (cause == DropCause::QueueFull).then_some(Limit::OutboxBytesMax),
        }
    }

    /// One that there was no room for in the queue.
    pub fn over(limit: Limit, message: Arc<Message>) -> Self {
        Self {
            message,
            cause: DropCause::QueueFull,
            limit: Some(limit),
        }
    }
}
