//! How large a topic may be.

use super::{BYTES_MAX, TopicError};

/// The largest topic names and topic filters that are accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TopicLimits {
    /// Levels: parts between `/`. What a topic costs in a topic tree grows with them.
    pub levels_max: usize,
    /// Bytes.
    pub bytes_max: usize,
}

impl Default for TopicLimits {
    fn default() -> Self {
        Self {
            levels_max: 128,
            bytes_max: BYTES_MAX,
        }
    }
}

impl TopicLimits {
    /// Every topic that MQTT can carry.
    pub const NONE: Self = Self {
        levels_max: usize::MAX,
        bytes_max: usize::MAX,
    };

    #[inline]
    pub(super) fn check(&self, bytes: usize, separators: usize) -> Result<(), TopicError> {
        if bytes > self.bytes_max {
            Err(TopicError::TooLong)
        } else if separators >= self.levels_max {
            Err(TopicError::TooManyLevels)
        } else {
            Ok(())
        }
    }

    #[inline]
    pub(super) fn check_text(&self, text: &str) -> Result<(), TopicError> {
        self.check(text.len(), super::Scan::of(text.as_bytes()).separators)
    }
}
