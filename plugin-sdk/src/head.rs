//! Who put a message into the broker and how it was published, as it stands in a frame.

use std::fmt;

use crate::bindings::types::{ClientKey, Qos, Source};

const CLIENT: u8 = 0;
const WILL: u8 = 1;
const PLUGIN: u8 = 2;
const ADMIN: u8 = 3;
const BRIDGE: u8 = 4;

const QOS_BITS: u8 = 0b0011;
const RETAIN_BIT: u8 = 0b0100;
const PROPERTIES_BIT: u8 = 0b1000;

/// Source, QoS and RETAIN flag of a message. They are taken apart for whoever asks: most plugins look at topics and payloads.
#[derive(Clone, Copy)]
pub(crate) struct Head {
    source: u8,
    flags: u8,
    /// That of a client; 0 where there is none.
    key: ClientKey,
}

impl Head {
    pub(crate) const fn new(source: Source, qos: Qos, retain: bool) -> Self {
        let (source, key) = match source {
            Source::Client(key) => (CLIENT, key),
            Source::Will(key) => (WILL, key),
            Source::Plugin => (PLUGIN, 0),
            Source::Admin => (ADMIN, 0),
            Source::Bridge => (BRIDGE, 0),
        };
        let flags = qos as u8 | if retain { RETAIN_BIT } else { 0 };
        Self { source, flags, key }
    }

    /// As it stands in a frame; whether that has a meaning is to be asked.
    #[inline]
    pub(crate) const fn of_frame(source: u8, key: u64, flags: u8) -> Self {
        Self { source, flags, key }
    }

    /// What of it is not as nearly all messages have it, that are from a client, with QoS 0 or 1 and without properties; 0 if nothing.
    #[inline]
    pub(crate) const fn unusual(self) -> u8 {
        self.source ^ CLIENT | self.flags & !(Qos::AtLeastOnce as u8 | RETAIN_BIT)
    }

    /// Whether all values are defined, in front of a message with or without properties. What nearly every message is takes
    /// one comparison.
    #[inline]
    pub(crate) fn is_defined(self, properties: bool) -> bool {
        self.unusual() == 0 && !properties
            || Self::is_defined_though_unusual(self.source, self.key, self.flags, properties)
    }

    #[cold]
    #[inline(never)]
    fn is_defined_though_unusual(source: u8, key: u64, flags: u8, properties: bool) -> bool {
        source <= BRIDGE
            && (source <= WILL || key == 0)
            && flags & !(QOS_BITS | RETAIN_BIT | PROPERTIES_BIT) == 0
            && flags & QOS_BITS != QOS_BITS
            && (flags & PROPERTIES_BIT != 0 || !properties)
    }

    #[inline]
    pub(crate) const fn source(self) -> Source {
        match self.source {
            CLIENT => Source::Client(self.key),
            WILL => Source::Will(self.key),
            PLUGIN => Source::Plugin,
            ADMIN => Source::Admin,
            _ => Source::Bridge,
        }
    }

    #[inline]
    pub(crate) const fn client(self) -> Option<ClientKey> {
        if self.source <= WILL { Some(self.key) } else { None }
    }

    #[inline]
    pub(crate) const fn qos(self) -> Qos {
        match self.flags & QOS_BITS {
            0 => Qos::AtMostOnce,
            1 => Qos::AtLeastOnce,
            _ => Qos::ExactlyOnce,
        }
    }

    #[inline]
    pub(crate) const fn retain(self) -> bool {
        self.flags & RETAIN_BIT != 0
    }
}

impl fmt::Debug for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Head")
            .field("source", &self.source())
            .field("qos", &self.qos())
            .field("retain", &self.retain())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_what_it_was_made_of() {
        let sources = [
            Source::Client(7),
            Source::Will(u64::MAX),
            Source::Plugin,
            Source::Admin,
            Source::Bridge,
        ];
        for source in sources {
            for qos in [Qos::AtMostOnce, Qos::AtLeastOnce, Qos::ExactlyOnce] {
                for retain in [false, true] {
                    let head = Head::new(source, qos, retain);
                    assert_eq!((head.source(), head.qos(), head.retain()), (source, qos, retain));
                    let key = match source {
                        Source::Client(key) | Source::Will(key) => Some(key),
                        _ => None,
                    };
                    assert_eq!(head.client(), key);
                    assert!(head.is_defined(false));
                }
            }
        }
    }
}
