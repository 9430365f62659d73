//! The kinds of records.

/// A kind of records; each has its own keys. `FORMAT.md` has the layouts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Space {
    /// Of the store itself: format, number of the last commit.
    Meta = 0,
    /// Sessions.
    Session = 1,
    /// Their subscriptions.
    Subscription = 2,
    /// Messages on their way to a session, by session and sequence number.
    Queue = 3,
    /// Messages that several places of queues refer to, or that are large.
    Message = 4,
    /// QoS 2 messages that a client has, and for which a PUBREL is due.
    Release = 5,
    /// QoS 2 messages of a client that wait for its PUBREL.
    Received = 6,
    /// Retained messages, by topic.
    Retained = 7,
    /// Wills that wait for their delay, by client id.
    Will = 8,
    /// Client ids that are banned for a while.
    Ban = 9,
    /// Stores of plugins.
    Plugin = 10,
    /// Filters that clients have asked for and that are kept as others.
    Rewrite = 11,
}

impl Space {
    /// Each of them.
    pub const ALL: [Self; 12] = [
        Self::Meta,
        Self::Session,
        Self::Subscription,
        Self::Queue,
        Self::Message,
        Self::Release,
        Self::Received,
        Self::Retained,
        Self::Will,
        Self::Ban,
        Self::Plugin,
        Self::Rewrite,
    ];

    /// Its name on disk and in exports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Meta => "meta",
            Self::Session => "session",
            Self::Subscription => "subscription",
            Self::Queue => "queue",
            Self::Message => "message",
            Self::Release => "release",
            Self::Received => "received",
            Self::Retained => "retained",
            Self::Will => "will",
            Self::Ban => "ban",
            Self::Plugin => "plugin",
            Self::Rewrite => "rewrite",
        }
    }

    /// The space of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|space| space.as_str() == name)
    }
}
