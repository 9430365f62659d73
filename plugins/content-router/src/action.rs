//! What a rule does.

use hookwire_plugin::TopicTemplate;
use hookwire_plugin::prelude::*;

/// The one thing that a rule does.
#[derive(Debug)]
pub(crate) enum Action {
    /// At `on-publish`.
    Judge(Judgement),
    /// At `route`: publishes a copy.
    Copy(TopicTemplate),
}

/// What becomes of a message before it is routed.
#[derive(Debug)]
pub(crate) enum Judgement {
    /// It goes on under another topic.
    Rewrite(TopicTemplate),
    /// Nobody gets it.
    Drop,
    /// Nobody gets it, and its publisher is told why.
    Reject(Rejection),
    /// It is not retained.
    Unretain,
}
