//! What can be wrong with a topic.

/// Why a text is no topic name, topic filter or share name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum TopicError {
    /// It has no characters `[MQTT-4.7.3-1]`.
    #[error("topic is empty")]
    Empty,
    /// It has more bytes than the limit, or than MQTT can carry `[MQTT-4.7.3-3]`.
    #[error("topic is too long")]
    TooLong,
    /// It has more levels than the limit.
    #[error("topic has too many levels")]
    TooManyLevels,
    /// It is a name and has a `+` or `#` `[MQTT-4.7.0-1]`.
    #[error("topic name contains a wildcard")]
    Wildcard,
    /// It has a U+0000 `[MQTT-4.7.3-2]`.
    #[error("topic contains a null character")]
    NullCharacter,
    /// A `+` does not fill its level, or a `#` is not the whole of the last level `[MQTT-4.7.1-1]`,
    /// `[MQTT-4.7.1-2]`.
    #[error("topic filter has a misplaced wildcard")]
    MisplacedWildcard,
    /// The share name after `$share/` is empty, has a wildcard, or no filter follows `[MQTT-4.8.2-1]`,
    /// `[MQTT-4.8.2-2]`.
    #[error("share name is not valid")]
    ShareName,
    /// It is not UTF-8.
    #[error("topic is not utf-8")]
    NotUtf8,
}
