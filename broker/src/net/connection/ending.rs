//! How a connection ends, and what is said and done then.

use std::future::poll_fn;
use std::io;
use std::time::Duration;

use bytestring::ByteString;
use hookwire_hooks::WillCause;
use hookwire_protocol::{DecodeError, Disconnect, DisconnectReason};
use tokio::io::AsyncWriteExt;

use super::{Connection, violation};
use crate::broker::{Connected, Departure, Stop};
use crate::clock;
use crate::metrics::Limit;
use crate::net::{Stream, writer};
use crate::session::{Closure, Ending, Farewell, Violation};

/// How long a client is given to take its DISCONNECT.
const FAREWELL_TIMEOUT: Duration = Duration::from_secs(1);

/// Why a connection ends.
#[derive(Debug)]
pub(super) enum End {
    /// DISCONNECT from the client.
    Disconnect(Disconnect),
    /// The socket was closed or failed.
    Lost(String),
    /// Nothing was heard for too long.
    KeepAlive,
    /// The client did not take what was written to it.
    Stalled,
    /// The time that its admission was granted for is over.
    Expired,
    /// Bytes that are no packet.
    Malformed(DecodeError),
    /// Packets that must not come.
    Stop(Stop),
    /// Somebody else in the broker ended it.
    Closed(Closure),
}

impl<S: Stream> Connection<S> {
    pub(super) async fn leave(mut self: Box<Self>, end: End) {
        let now = clock::now();
        self.connected.link.end();
        // What was handled before the end is still answered.
        self.collect_output();
        if let Some(greeting) = self.connected.greeting.take() {
            self.out.tail().extend_from_slice(&greeting);
        }
        let end = self.checked(end);
        let departure = departure_of(&self, &end);
        self.count_limit(&end);
        let farewell = match &end {
            End::Closed(closure) => Farewell {
                reason: closure.reason,
                text: closure.text.clone(),
                server_reference: closure.server_reference.clone(),
            },
            End::Stop(Stop::Policy { reason, text }) => Farewell {
                text: text.clone(),
                ..Farewell::of(*reason)
            },
            _ => Farewell::of(departure.reason),
        };
        let tells = !matches!(end, End::Disconnect(_) | End::Lost(_) | End::Stalled);
        let Connected {
            client, link, key, ..
        } = &self.connected;
        self.broker.disconnected(now, client, *key, link, departure);
        if tells {
            let bytes_max = self.connected.client_packet_bytes_max;
            farewell.write(self.connected.version, bytes_max, self.out.tail());
        }
        if !matches!(end, End::Lost(_) | End::Stalled) {
            // A client that does not take its farewell is left to itself.
            let _ = tokio::time::timeout(FAREWELL_TIMEOUT, self.say_farewell(tells)).await;
        }
    }

    async fn say_farewell(&mut self, tells: bool) -> io::Result<()> {
        poll_fn(|cx| writer::poll_flush(&mut self.stream, &mut self.out, cx)).await?;
        if tells {
            writer::finish(&mut self.stream).await
        } else {
            self.stream.shutdown().await
        }
    }

    fn count_limit(&self, end: &End) {
        let limits = &self.broker.metrics().limits;
        match end {
            End::Malformed(error) => limits.reached_by(*error),
            End::Stalled => limits.reached(Limit::WriteTimeout),
            End::Stop(Stop::Violation(violation)) => match violation {
                Violation::ReceiveMaximumExceeded => limits.reached(Limit::ReceiveMaximum),
                Violation::TopicAliasInvalid => limits.reached(Limit::TopicAliasMaximum),
                Violation::QosNotSupported => limits.reached(Limit::QosMax),
                _ => {}
            },
            _ => {}
        }
    }

    /// A DISCONNECT may itself break the protocol.
    fn checked(&self, end: End) -> End {
        let End::Disconnect(disconnect) = &end else {
            return end;
        };
        let asked = disconnect.properties.session_expiry_interval;
        let session = self.connected.client.session();
        match session.disconnect_expiry(asked) {
            Ok(_) => end,
            Err(broken) => violation(broken),
        }
    }
}

fn departure_of<S: Stream>(connection: &Connection<S>, end: &End) -> Departure {
    let by_broker = |reason, text: String, cause| Departure {
        reason,
        text,
        by_client: false,
        ending: Ending {
            will_cause: Some(cause),
            expiry: None,
        },
    };
    match end {
        End::Disconnect(disconnect) => {
            let asked = disconnect.properties.session_expiry_interval;
            let session = connection.connected.client.session();
            // [MQTT-3.14.4-3]: a normal DISCONNECT takes the will away; any other reason leaves it.
            let leaves_will = disconnect.reason != DisconnectReason::NormalDisconnection;
            Departure {
                reason: disconnect.reason,
                text: "DISCONNECT from the client".into(),
                by_client: true,
                ending: Ending {
                    will_cause: leaves_will.then_some(WillCause::Requested),
                    expiry: session.disconnect_expiry(asked).ok().flatten(),
                },
            }
        }
        End::Lost(text) => Departure {
            by_client: true,
            ..by_broker(
                DisconnectReason::Unspecified,
                text.clone(),
                WillCause::ConnectionLost,
            )
        },
        End::KeepAlive => by_broker(
            DisconnectReason::KeepAliveTimeout,
            "keep alive timeout".into(),
            WillCause::KeepAliveTimeout,
        ),
        End::Stalled => by_broker(
            DisconnectReason::Unspecified,
            "the client does not take what is written to it".into(),
            WillCause::ConnectionLost,
        ),
        End::Expired => by_broker(
            DisconnectReason::MaximumConnectTime,
            "the time of its admission is over".into(),
            WillCause::Kicked,
        ),
        End::Malformed(error) => by_broker(
            DisconnectReason::from(*error),
            error.to_string(),
            WillCause::ProtocolError,
        ),
        End::Stop(Stop::Violation(violation)) => by_broker(
            DisconnectReason::from(*violation),
            violation.to_string(),
            WillCause::ProtocolError,
        ),
        End::Stop(Stop::Policy { reason, text }) => {
            by_broker(*reason, or_else(text, "closed by policy"), WillCause::Kicked)
        }
        End::Closed(closure) => by_broker(
            closure.reason,
            or_else(&closure.text, closure.reason.as_str()),
            closure.cause,
        ),
    }
}

fn or_else(text: &Option<ByteString>, otherwise: &str) -> String {
    text.as_deref().unwrap_or(otherwise).to_owned()
}
