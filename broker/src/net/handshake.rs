//! From an accepted socket to an admitted client.

use std::io;
use std::time::Duration;

use bytes::BytesMut;
use hookwire_hooks::Denial;
use hookwire_protocol::{
    Connack, ConnackProperties, Connect, ConnectReason, DecodeError, DecodeLimits, Decoder, FrameHeader,
    Packet, Version,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::Stream;
use super::connection::{Connection, Serving};
use super::exchange::Interview;
use super::read_buffer::ReadBuffer;
use super::writer;
use crate::broker::{Arrival, Broker};
use crate::clock;
use crate::metrics::Limit;
use crate::session;

/// How long a refused client is given to take its CONNACK.
const REFUSAL_TIMEOUT: Duration = Duration::from_secs(1);

/// Why there was no CONNECT.
#[derive(Debug, thiserror::Error)]
enum NoConnect {
    #[error("closed before CONNECT")]
    Closed,
    #[error("no CONNECT in time")]
    Late,
    #[error("the first packet is not CONNECT")]
    NotConnect,
    #[error("CONNECT of {0} bytes is too large")]
    TooLarge(usize),
    #[error("{error}")]
    Malformed { error: DecodeError, version: Version },
    #[error("{0}")]
    Io(#[from] io::Error),
}

impl NoConnect {
    /// What the CONNACK says, for those that sent enough to be told.
    fn reason(&self) -> Option<ConnectReason> {
        match self {
            Self::Malformed {
                error: error @ DecodeError::UnsupportedProtocolVersion,
                ..
            } => Some(ConnectReason::from(*error)),
            // MQTT 3 has no words for a malformed CONNECT: it is closed without an answer. [MQTT-3.1.4-1]
            Self::Malformed {
                error,
                version: Version::V5,
            } => Some(ConnectReason::from(*error)),
            Self::Malformed { .. }
            | Self::TooLarge(_)
            | Self::Closed
            | Self::Late
            | Self::NotConnect
            | Self::Io(_) => None,
        }
    }
}

impl NoConnect {
    /// The limit of ours that was reached, if that is why.
    fn limit(&self) -> Option<Limit> {
        match self {
            Self::Late => Some(Limit::ConnectTimeout),
            Self::TooLarge(_) => Some(Limit::ConnectPacketBytesMax),
            Self::Malformed { error, .. } => Limit::broken_by(*error),
            Self::Closed | Self::NotConnect | Self::Io(_) => None,
        }
    }
}

/// Serves one connection from its first byte to its end. `refusal` turns the client away with a reason: there
/// is no room for it.
///
/// What the handshake took is given back before the connection begins, so that a client that is just there takes little.
pub fn serve<S: Stream>(
    stream: S,
    broker: Broker,
    arrival: Arrival,
    refusal: Option<ConnectReason>,
) -> impl Future<Output = ()> + Send {
    Serving::new(admit(stream, broker, arrival, refusal))
}

/// The connection of a client that may stay.
async fn admit<S: Stream>(
    mut stream: S,
    broker: Broker,
    arrival: Arrival,
    refusal: Option<ConnectReason>,
) -> Option<Box<Connection<S>>> {
    let settings = broker.settings().clone();
    let deadline = clock::now() + settings.limits.connect_timeout;
    let mut buffer = ReadBuffer::default();
    let reading = read_connect(
        &mut stream,
        &mut buffer,
        &settings.limits.decode,
        settings.limits.connect_packet_bytes_max,
    );
    let connect = match tokio::time::timeout_at(deadline.into(), reading).await {
        Ok(Ok(connect)) => connect,
        Ok(Err(failed)) => {
            turn_away(&mut stream, &broker, &arrival, &failed).await;
            return None;
        }
        Err(_) => {
            turn_away(&mut stream, &broker, &arrival, &NoConnect::Late).await;
            return None;
        }
    };
    let packet_bytes_max = session::packet_bytes_max(&connect);
    let version = connect.version;
    let problem_information = connect.properties.request_problem_information;
    let (client_id, username) = (connect.client_id.clone(), connect.username.clone());
    let taken_bytes_max = connect.properties.maximum_packet_size;
    let mut interview = Interview::new(
        &mut stream,
        &mut buffer,
        &settings.limits.decode,
        settings.limits.connect_packet_bytes_max,
        taken_bytes_max.map_or(usize::MAX, |max| usize::try_from(max.get()).unwrap_or(usize::MAX)),
        deadline.into(),
    );
    let admitted = match refusal {
        Some(reason) => Err(broker.no_room(reason, None)),
        // In a box of its own: a connection that says nothing should not take the room of one that does.
        None => Box::pin(broker.connect(connect, arrival.clone(), &mut interview)).await,
    };
    let has_left = interview.has_left();
    match admitted {
        Ok(connected) => Some(Box::new(Connection::new(stream, broker, connected, buffer))),
        Err(denial) => {
            let (address, code) = (&arrival.address, denial.reason.code());
            let text = denial.text.as_deref().unwrap_or("");
            tracing::info!(%address, client_id = %client_id.escape_debug(), code, "refused: {} {text}", denial.reason.as_str());
            broker.report_refused(&client_id, username, arrival.address, version, &denial);
            if has_left {
                return None;
            }
            // [MQTT-4.12.0-4]
            let mut connack = refused(denial, problem_information);
            if session::fit_connack(&mut connack, version, packet_bytes_max) {
                send_connack(&mut stream, version, connack).await;
            }
            None
        }
    }
}

async fn read_connect<S: Stream>(
    stream: &mut S,
    buffer: &mut ReadBuffer,
    limits: &DecodeLimits,
    bytes_max: usize,
) -> Result<Connect, NoConnect> {
    let decoder = Decoder {
        version: Version::V5,
        limits: limits.clone(),
    };
    loop {
        // [MQTT-3.1.0-1]: whatever else comes first is not even looked at.
        if buffer.filled().first().is_some_and(|&first| first >> 4 != 1) {
            return Err(NoConnect::NotConnect);
        }
        let malformed = |error| NoConnect::Malformed {
            error,
            version: version_of(buffer.filled()),
        };
        if let Some(header) = FrameHeader::peek(buffer.filled()).map_err(malformed)? {
            if header.total_len() > bytes_max {
                return Err(NoConnect::TooLarge(header.total_len()));
            }
            if buffer.filled().len() >= header.total_len() {
                let frame = buffer.take(header.total_len());
                return match decoder.decode_frame(&frame, 0, header) {
                    Ok(Packet::Connect(connect)) => Ok(*connect),
                    Ok(_) => Err(NoConnect::NotConnect),
                    Err(error) => Err(NoConnect::Malformed {
                        error,
                        version: version_of(&frame),
                    }),
                };
            }
        }
        if stream.read_buf(buffer.room()).await? == 0 {
            return Err(NoConnect::Closed);
        }
    }
}

async fn turn_away<S: Stream>(stream: &mut S, broker: &Broker, arrival: &Arrival, failed: &NoConnect) {
    tracing::debug!(address = %arrival.address, "no client: {failed}");
    if let Some(limit) = failed.limit() {
        broker.metrics().limits.reached(limit);
    }
    if let NoConnect::Malformed { version, .. } = failed
        && let Some(reason) = failed.reason()
    {
        let connack = Connack {
            session_present: false,
            reason,
            properties: ConnackProperties::default(),
        };
        send_connack(stream, *version, connack).await;
    }
}

/// The version that a CONNECT claims, read past what is wrong with it, so that its sender gets an answer that
/// it understands. Versions to come are answered as 5. [MQTT-3.1.2-2]
fn version_of(seen: &[u8]) -> Version {
    let level = seen
        .windows(5)
        .position(|window| window == b"\0\x04MQT")
        .and_then(|at| seen.get(at + 6));
    match level.map(|level| level & 0x7F) {
        Some(0..=4) => Version::V3_1_1,
        Some(_) => Version::V5,
        None => Version::V3_1,
    }
}

fn refused(denial: Denial, problem_information: bool) -> Connack {
    let Denial {
        reason,
        text,
        server_reference,
        user_properties,
    } = denial;
    let mut properties = ConnackProperties {
        server_reference,
        ..ConnackProperties::default()
    };
    if problem_information {
        properties.reason_string = text;
        properties.user_properties = user_properties;
    }
    Connack {
        session_present: false,
        reason,
        properties,
    }
}

/// [MQTT-3.1.4-2]: the connection is closed after it.
async fn send_connack<S: Stream>(stream: &mut S, version: Version, connack: Connack) {
    let mut bytes = BytesMut::new();
    connack.encode(version, &mut bytes);
    let sending = async {
        stream.write_all(&bytes).await?;
        writer::finish(stream).await
    };
    // A client that does not take its refusal is left to itself.
    let _ = tokio::time::timeout(REFUSAL_TIMEOUT, sending).await;
}
