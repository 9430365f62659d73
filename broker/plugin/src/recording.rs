//! What plugins were asked and what they answered, written down to be asked again: the format of
//! `docs/plugins/recording.md`.
//!
//! ```text
//! {"hookwire_recording":1,"plugin":"acl",…}                           one line about the whole
//! {"at_ms":…,"took_us":3,"clients":[…],"hook":"authorize","question":{…},"answer":{…}}    one line a question
//! ```
//!
//! Questions can be turned back into what the hooks are asked with; answers are for comparison.

mod answer;
mod blob;
mod case;
mod file;
mod message;
mod question;

pub use answer::{
    AccessReply, AuthenticationReply, ControlReply, DeliverReply, Failed, GrantRecord, Outcome, PickRecord,
    RejectionRecord, Replaced, RouteReply, RuleRecord, StepReply, SubscribeReply, UnsubscribeReply,
    VerdictReply, WillReply,
};
pub use blob::{Blob, Secret};
pub use case::{Case, ClientRecord, Exchange};
pub use file::{FORMAT, Header, Reader, RecordingError, Writer};
pub use message::{MessageRecord, PropertiesRecord, SourceRecord};
pub use question::{
    AccessQuestion, ControlQuestion, CredentialsRecord, DeliverQuestion, EnhancedQuestion, EventRecord,
    GroupRecord, Happened, PublishQuestion, RouteQuestion, SubscribeQuestion, SubscriptionRecord,
    UnsubscribeQuestion, WillQuestion,
};

/// A recorded question that no broker could have asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotAQuestion(pub String);

impl NotAQuestion {
    fn new(what: &str, why: impl std::fmt::Display) -> Self {
        Self(format!("{what}: {why}"))
    }
}
