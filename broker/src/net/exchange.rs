//! The client's side of an enhanced authentication, between its CONNECT and its CONNACK.

use std::io;

use bytes::{Bytes, BytesMut};
use bytestring::ByteString;
use hookwire_hooks::Denial;
use hookwire_protocol::{
    Auth, AuthProperties, AuthReason, ConnectReason, DecodeError, DecodeLimits, Decoder, FrameHeader, Packet,
    Version,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;

use super::Stream;
use super::read_buffer::ReadBuffer;
use crate::broker::Dialogue;

/// Speaks AUTH with a client that is nobody yet.
pub(super) struct Interview<'a, S> {
    stream: &'a mut S,
    buffer: &'a mut ReadBuffer,
    decoder: Decoder,
    /// Largest packet that the client takes.
    taken_bytes_max: usize,
    /// Of the whole way from the accepted socket to the CONNACK.
    deadline: Instant,
    has_left: bool,
}

/// Why no answer came.
enum NoAnswer {
    /// The client is gone, or says that it goes: there is nobody to tell.
    Left,
    Malformed(DecodeError),
}

impl From<io::Error> for NoAnswer {
    fn from(_: io::Error) -> Self {
        Self::Left
    }
}

impl<'a, S: Stream> Interview<'a, S> {
    /// `bytes_max` is that of the CONNECT: the sender is nobody yet.
    pub(super) fn new(
        stream: &'a mut S,
        buffer: &'a mut ReadBuffer,
        limits: &DecodeLimits,
        bytes_max: usize,
        taken_bytes_max: usize,
        deadline: Instant,
    ) -> Self {
        Self {
            stream,
            buffer,
            decoder: Decoder {
                version: Version::V5,
                limits: DecodeLimits {
                    packet_bytes_max: bytes_max,
                    ..limits.clone()
                },
            },
            taken_bytes_max,
            deadline,
            has_left: false,
        }
    }

    /// Whether there is nobody left to refuse.
    pub(super) fn has_left(&self) -> bool {
        self.has_left
    }

    async fn exchange(&mut self, question: &Auth) -> Result<Packet, NoAnswer> {
        let mut bytes = BytesMut::new();
        question.encode(Version::V5, &mut bytes);
        self.stream.write_all(&bytes).await?;
        loop {
            if let Some(packet) = self.buffered().map_err(NoAnswer::Malformed)? {
                return Ok(packet);
            }
            if self.stream.read_buf(self.buffer.room()).await? == 0 {
                return Err(NoAnswer::Left);
            }
        }
    }

    fn buffered(&mut self) -> Result<Option<Packet>, DecodeError> {
        let Some(header) = FrameHeader::peek(self.buffer.filled())? else {
            return Ok(None);
        };
        if header.total_len() > self.decoder.limits.packet_bytes_max {
            return Err(DecodeError::PacketTooLarge);
        }
        if self.buffer.filled().len() < header.total_len() {
            return Ok(None);
        }
        let frame = self.buffer.take(header.total_len());
        self.decoder.decode_frame(&frame, 0, header).map(Some)
    }
}

impl<S: Stream> Dialogue for Interview<'_, S> {
    async fn challenge(&mut self, method: &ByteString, data: Bytes) -> Result<Option<Bytes>, Denial> {
        let question = auth(AuthReason::ContinueAuthentication, method, Some(data));
        // [MQTT-3.1.2-24]
        if question.encoded_len(Version::V5) > self.taken_bytes_max {
            return Err(too_large());
        }
        let answer = tokio::time::timeout_at(self.deadline, self.exchange(&question)).await;
        match answer {
            Err(_) => Err(denial(ConnectReason::NotAuthorized, "no AUTH in time")),
            Ok(Err(NoAnswer::Malformed(error))) => Err(Denial::new(ConnectReason::from(error))),
            Ok(Ok(Packet::Auth(auth))) => answer_of(*auth, method),
            Ok(Err(NoAnswer::Left) | Ok(Packet::Disconnect(_))) => {
                self.has_left = true;
                Err(denial(
                    ConnectReason::Unspecified,
                    "the client left in the middle of its authentication",
                ))
            }
            // [MQTT-3.1.2-30]
            Ok(Ok(_)) => Err(denial(
                ConnectReason::ProtocolError,
                "neither AUTH nor DISCONNECT in the middle of an authentication",
            )),
        }
    }
}

fn answer_of(auth: Auth, method: &ByteString) -> Result<Option<Bytes>, Denial> {
    // [MQTT-4.12.0-5]
    if auth.properties.authentication_method.as_ref() != Some(method) {
        return Err(Denial::new(ConnectReason::BadAuthenticationMethod));
    }
    // [MQTT-4.12.0-3]
    if auth.reason != AuthReason::ContinueAuthentication {
        return Err(denial(ConnectReason::ProtocolError, "an AUTH out of turn"));
    }
    Ok(auth.properties.authentication_data)
}

/// A step of the broker's. It names the method each time. [MQTT-4.12.0-5]
pub(super) fn auth(reason: AuthReason, method: &ByteString, data: Option<Bytes>) -> Auth {
    Auth {
        reason,
        properties: AuthProperties {
            authentication_method: Some(method.clone()),
            authentication_data: data,
            ..AuthProperties::default()
        },
    }
}

/// What a plugin says does not fit into a packet that the client takes.
pub(super) fn too_large() -> Denial {
    denial(
        ConnectReason::ImplementationSpecific,
        "an AUTH larger than the Maximum Packet Size",
    )
}

fn denial(reason: ConnectReason, text: &'static str) -> Denial {
    Denial {
        text: Some(ByteString::from_static(text)),
        ..Denial::new(reason)
    }
}
