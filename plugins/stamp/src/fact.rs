//! What a stamp can say.

use hookwire_plugin::prelude::*;

/// Something that the broker knows of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fact {
    ClientId,
    Username,
    /// Remote address and port.
    Address,
    Listener,
    Protocol,
    /// A fact that whoever admitted the client attached to it.
    Attribute(String),
    /// Whether it was a client, its will or a plugin.
    Source,
    /// When the broker took it in.
    Time,
    /// The same, in milliseconds since 1970.
    TimeMs,
}

impl Fact {
    /// By its name in the configuration.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "client_id" => Self::ClientId,
            "username" => Self::Username,
            "address" => Self::Address,
            "listener" => Self::Listener,
            "protocol" => Self::Protocol,
            "source" => Self::Source,
            "time" => Self::Time,
            "time_ms" => Self::TimeMs,
            other => Self::Attribute(other.strip_prefix("attribute.")?.to_owned()),
        })
    }
}

pub(crate) fn protocol_name(protocol: hookwire_plugin::Protocol) -> &'static str {
    match protocol {
        hookwire_plugin::Protocol::Mqtt31 => "3.1",
        hookwire_plugin::Protocol::Mqtt311 => "3.1.1",
        hookwire_plugin::Protocol::Mqtt5 => "5.0",
    }
}

pub(crate) fn source_name(source: Source) -> &'static str {
    match source {
        Source::Client(_) => "client",
        Source::Will(_) => "will",
        Source::Plugin => "plugin",
        Source::Admin => "admin",
        Source::Bridge => "bridge",
    }
}
