//! Why a connection ended, by name.

use hookwire_plugin::prelude::*;

/// All causes, as the contract spells them.
const NAMES: [(Cause, &str); 7] = [
    (Cause::ConnectionLost, "connection-lost"),
    (Cause::KeepAliveTimeout, "keep-alive-timeout"),
    (Cause::ProtocolError, "protocol-error"),
    (Cause::Requested, "requested"),
    (Cause::TakenOver, "taken-over"),
    (Cause::Kicked, "kicked"),
    (Cause::ServerShutdown, "server-shutdown"),
];

pub(crate) fn name(cause: Cause) -> &'static str {
    NAMES
        .iter()
        .find(|&&(named, _)| named == cause)
        .map_or("unknown", |&(_, name)| name)
}

/// Whether the client may be back in a moment, and would take its will away.
///
/// A client that asked for its will means it. One that was taken over is back already. And a broker that stops asks
/// nobody again.
pub(crate) fn leaves_hope(cause: Cause) -> bool {
    match cause {
        Cause::ConnectionLost | Cause::KeepAliveTimeout | Cause::ProtocolError | Cause::Kicked => true,
        Cause::Requested | Cause::TakenOver | Cause::ServerShutdown => false,
    }
}

/// A cause in the configuration.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct NamedCause(pub(crate) Cause);

impl TryFrom<String> for NamedCause {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if let Some(&(cause, _)) = NAMES.iter().find(|&&(_, name)| name == text) {
            return Ok(Self(cause));
        }
        let names = NAMES.map(|(_, name)| name).join(", ");
        Err(format!("unknown cause `{text}`, expected one of {names}"))
    }
}
