//! Sending clients to another server (section 4.11 of MQTT 5).

use bytestring::ByteString;
use hookwire_hooks::Denial;
use hookwire_protocol::{ConnectReason, DisconnectReason};

use super::Broker;

impl Broker {
    /// The refusal of a client for whom there is no room: where another server is named, it is sent there.
    pub fn no_room(&self, reason: ConnectReason, text: Option<ByteString>) -> Denial {
        let settings = self.settings();
        let Some(redirect) = &settings.redirect else {
            return Denial {
                text,
                ..Denial::new(reason)
            };
        };
        let reason = if redirect.permanent {
            ConnectReason::ServerMoved
        } else {
            ConnectReason::UseAnotherServer
        };
        Denial {
            text,
            server_reference: Some(ByteString::from(redirect.server.as_str())),
            ..Denial::new(reason)
        }
    }

    /// What clients are told when the broker stops, and where to go.
    pub(super) fn farewell_of_shutdown(&self) -> (DisconnectReason, Option<ByteString>) {
        let settings = self.settings();
        let Some(redirect) = &settings.redirect else {
            return (DisconnectReason::ServerShuttingDown, None);
        };
        let reason = if redirect.permanent {
            DisconnectReason::ServerMoved
        } else {
            DisconnectReason::UseAnotherServer
        };
        (reason, Some(ByteString::from(redirect.server.as_str())))
    }
}
