//! The DISCONNECT that tells a client why.

use bytes::BytesMut;
use bytestring::ByteString;
use hookwire_protocol::{Disconnect, DisconnectProperties, DisconnectReason, Version};

/// What a client is told when the broker closes its connection. MQTT 3 has no words for it. [MQTT-3.14.0-1]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Farewell {
    /// Reason code.
    pub reason: DisconnectReason,
    /// Reason string.
    pub text: Option<ByteString>,
    /// Where the client is to go instead.
    pub server_reference: Option<ByteString>,
}

impl Farewell {
    /// A reason and nothing else.
    pub fn of(reason: DisconnectReason) -> Self {
        Self {
            reason,
            text: None,
            server_reference: None,
        }
    }

    /// Writes it, without what would make it larger than `bytes_max`, which the client takes. [MQTT-3.14.2-3]
    pub fn write(self, version: Version, bytes_max: usize, out: &mut BytesMut) {
        if version != Version::V5 {
            return;
        }
        let full = DisconnectProperties {
            reason_string: self.text,
            server_reference: self.server_reference,
            ..DisconnectProperties::default()
        };
        for properties in [full, DisconnectProperties::default()] {
            let before = out.len();
            let reason = self.reason;
            Disconnect { reason, properties }.encode(version, out);
            if out.len() - before <= bytes_max {
                return;
            }
            out.truncate(before);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_left_away() {
        let farewell = Farewell {
            text: Some(ByteString::from("x".repeat(50))),
            ..Farewell::of(DisconnectReason::NotAuthorized)
        };
        for (bytes_max, len) in [(100, 57), (56, 3), (2, 0)] {
            let mut out = BytesMut::new();
            farewell.clone().write(Version::V5, bytes_max, &mut out);
            assert_eq!(out.len(), len, "{bytes_max}");
        }
        let mut out = BytesMut::new();
        farewell.write(Version::V3_1_1, usize::MAX, &mut out);
        assert!(out.is_empty());
    }
}
