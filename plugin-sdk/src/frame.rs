//! Frames of messages, as `deliver-batch` gets them. The layout is documented in `wit/deliver.wit`.

use std::fmt;

use crate::head::Head;
use crate::message::Message;
use crate::properties::Properties;
use crate::wire::Reader;

pub(crate) const VERSION: u8 = 1;

/// What a message begins with: source, key, flags and three lengths.
const FIXED_BYTES: usize = 1 + 8 + 1 + 4 + 4 + 4;

/// Why bytes are not a frame of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FrameError {
    /// The version is none that this SDK reads.
    UnknownVersion,
    /// The frame ends before its last message does.
    Truncated,
    /// More bytes follow the last message.
    TrailingBytes,
    /// Source, flags or QoS have a value that is not defined.
    UndefinedValue,
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownVersion => "unknown version",
            Self::Truncated => "ends early",
            Self::TrailingBytes => "bytes follow the last message",
            Self::UndefinedValue => "undefined value",
        })
    }
}

/// A frame of messages, read from the front.
pub(crate) struct Frame<'a> {
    rest: &'a [u8],
}

impl<'a> Frame<'a> {
    /// A frame as the broker hands it over.
    ///
    /// # Safety
    /// Topics in it are UTF-8, as the contract says. What is generated for the strings of the typed hooks trusts the broker with
    /// that as well.
    #[expect(unsafe_code, reason = "to check all topics takes a tenth of a plugin's time")]
    pub(crate) const unsafe fn of_broker(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Takes the head: the number of messages, which is one that the rest of the frame has room for.
    pub(crate) fn take_count(&mut self) -> Result<u32, FrameError> {
        self.take(|reader| match reader.u8() {
            Some(VERSION) => {
                let count = reader.array().map(u32::from_le_bytes);
                let room = reader.len() / FIXED_BYTES;
                count
                    .filter(|&count| count as usize <= room)
                    .ok_or(FrameError::Truncated)
            }
            Some(_) => Err(FrameError::UnknownVersion),
            None => Err(FrameError::Truncated),
        })
    }

    /// The message in front, all of which is there and has a meaning.
    ///
    /// A plugin that lets messages pass spends its time on this. So all is checked before anything is made of it: compilers make
    /// the most of one way out that carries nothing, and far less of many, each with a part of a message.
    #[inline]
    pub(crate) fn next(&self) -> Option<FramedMessage<'a>> {
        let framed = FramedMessage::at(self.rest)?;
        (framed.is_all_there() && framed.is_defined()).then_some(framed)
    }

    /// Why there is none.
    #[cold]
    #[inline(never)]
    pub(crate) fn why_no_next(&self) -> FrameError {
        if FramedMessage::at(self.rest).is_some_and(FramedMessage::is_all_there) {
            FrameError::UndefinedValue
        } else {
            FrameError::Truncated
        }
    }

    /// Takes what was the [next](Self::next) one.
    #[inline]
    pub(crate) fn take_message(&mut self, next: FramedMessage<'a>) -> Message<'a> {
        let [topic, payload, properties] = next.lengths().map(|length| length as usize);
        #[expect(
            unsafe_code,
            reason = "to compare lengths once more takes a tenth of a plugin's time"
        )]
        // SAFETY: `next`, which makes all of them, has seen that the three are there. That topics are UTF-8 was promised when
        // their frame was made.
        unsafe {
            let (topic, rest) = next.rest.split_at_unchecked(topic);
            let (payload, rest) = rest.split_at_unchecked(payload);
            let (properties, rest) = rest.split_at_unchecked(properties);
            self.rest = rest;
            Message {
                head: next.head(),
                topic: str::from_utf8_unchecked(topic),
                payload,
                properties: Properties::wire(properties),
            }
        }
    }

    /// Takes something else.
    pub(crate) fn take<T>(&mut self, read: impl FnOnce(&mut Reader<'a>) -> T) -> T {
        let mut reader = Reader::new(self.rest);
        let taken = read(&mut reader);
        self.rest = reader.rest();
        taken
    }

    /// That nothing is left.
    pub(crate) const fn end(self) -> Result<(), FrameError> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(FrameError::TrailingBytes)
        }
    }
}

/// A message of a frame, before it is taken.
#[derive(Clone, Copy)]
pub(crate) struct FramedMessage<'a> {
    fixed: &'a [u8; FIXED_BYTES],
    /// Topic, payload, properties, and what follows.
    rest: &'a [u8],
}

impl<'a> FramedMessage<'a> {
    #[inline]
    fn at(bytes: &'a [u8]) -> Option<Self> {
        let (fixed, rest) = bytes.split_first_chunk()?;
        Some(Self { fixed, rest })
    }

    #[inline]
    fn is_all_there(self) -> bool {
        self.lengths().map(u64::from).iter().sum::<u64>() <= self.rest.len() as u64
    }

    #[inline]
    fn is_defined(self) -> bool {
        let [.., properties] = self.lengths();
        self.head().is_defined(properties != 0)
    }

    /// Bytes of topic, payload and properties.
    #[inline]
    fn lengths(self) -> [u32; 3] {
        [10, 14, 18].map(|at| u32::from_le_bytes(self.piece(at)))
    }

    #[inline]
    fn head(self) -> Head {
        Head::of_frame(self.fixed[0], u64::from_le_bytes(self.piece(1)), self.fixed[9])
    }

    #[inline]
    fn piece<const N: usize>(self, at: usize) -> [u8; N] {
        *self.fixed[at..].first_chunk().expect("within what is fixed")
    }
}
