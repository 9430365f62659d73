//! What a connection keeps of what its client sends.

use bytes::Bytes;
use hookwire_protocol::{
    DecodeError, DecodeLimits, Decoder, FrameHeader, Packet, PacketId, PacketType, Publish, PublishReason,
};

use super::pace::Pace;
use crate::broker::{Connected, Publisher};
use crate::metrics::Tally;
use crate::net::hearing::{Hearing, Held};
use crate::net::read_buffer::ReadBuffer;
use crate::session::Violation;

/// Bytes and packets that were read, on their way to the broker. Most clients say nothing most of the time, and then there is
/// none of this.
pub(super) struct Input {
    decoder: Decoder,
    pub(super) buffer: ReadBuffer,
    /// Whole packets that were read, not all of which were handled yet.
    pub(super) chunk: Bytes,
    at: usize,
    pub(super) run: Vec<Publish>,
    /// Acknowledgements of QoS 1 that follow each other, handled in one go.
    pub(super) acks: Vec<(PacketId, PublishReason)>,
    /// Of a client that has published: most only listen.
    pub(super) publisher: Option<Box<Publisher>>,
    pub(super) pace: Pace,
    /// Policies that the client's input waits for.
    pub(super) hearing: Hearing,
    /// What was read since it was last added to the broker's counts.
    pub(super) tally: Tally,
}

impl Input {
    pub(super) fn new(connected: &Connected, buffer: ReadBuffer) -> Self {
        let limits = &connected.settings.limits.decode;
        Self {
            decoder: Decoder {
                version: connected.version,
                limits: DecodeLimits {
                    packet_bytes_max: limits.packet_bytes_max.min(connected.packet_bytes_max),
                    ..limits.clone()
                },
            },
            buffer,
            chunk: Bytes::new(),
            at: 0,
            run: Vec::new(),
            acks: Vec::new(),
            publisher: None,
            pace: Pace::default(),
            hearing: Hearing::default(),
            tally: Tally::default(),
        }
    }

    /// Whether nothing would be lost, and no memory of a client that sends messages or takes them: that is kept for the next.
    pub(super) fn is_blank(&self) -> bool {
        self.publisher.is_none()
            && self.acks.capacity() == 0
            && self.run.capacity() == 0
            && self.chunk.is_empty()
            && self.buffer.filled().is_empty()
            && self.hearing.is_idle()
            && self.tally == Tally::default()
    }

    /// Gives memory back while nothing is expected.
    pub(super) fn rest(&mut self) {
        self.buffer.rest();
        self.let_go();
    }

    /// Lets go of packets that were all handled, so that there is room for others where they were.
    pub(super) fn let_go(&mut self) {
        if self.waiting() == 0 {
            self.chunk = Bytes::new();
            self.at = 0;
        }
    }

    /// Bytes of whole packets that wait to be handled.
    #[inline]
    pub(super) fn waiting(&self) -> usize {
        self.chunk.len() - self.at
    }

    /// Cuts whole packets off what was read.
    pub(super) fn cut_packets(&mut self) -> Result<(), DecodeError> {
        if self.waiting() > 0 {
            return Ok(());
        }
        let filled = self.buffer.filled();
        let mut end = 0;
        loop {
            let header = match FrameHeader::peek(filled.get(end..).unwrap_or_default()) {
                Ok(Some(header)) => header,
                Ok(None) => break,
                // It is found again when its turn comes: what came before it counts.
                Err(_) => {
                    end = filled.len();
                    break;
                }
            };
            if header.total_len() > self.decoder.limits.packet_bytes_max {
                // What came before it counts.
                if end == 0 {
                    return Err(DecodeError::PacketTooLarge);
                }
                break;
            }
            if filled.len() - end < header.total_len() {
                break;
            }
            end += header.total_len();
        }
        self.chunk = self.buffer.take(end);
        self.at = 0;
        Ok(())
    }

    /// The next packet of those that were cut off; else what is wrong with it.
    pub(super) fn next_packet(&mut self) -> Result<Option<Packet>, Held> {
        let rest = self.chunk.get(self.at..).unwrap_or_default();
        let Some(header) = FrameHeader::peek(rest).map_err(Held::Malformed)? else {
            return Ok(None);
        };
        match self.decoder.decode_frame(&self.chunk, self.at, header) {
            Ok(packet) => {
                self.at += header.total_len();
                Ok(Some(packet))
            }
            Err(error) => Err(violation_by(header).map_or(Held::Malformed(error), Held::Violation)),
        }
    }
}

/// A packet that must not come at all, whatever is in it.
fn violation_by(header: FrameHeader) -> Option<Violation> {
    // With flags that it must not have it is malformed first of all. [MQTT-2.1.3-1]
    if header.flags() != 0 {
        return None;
    }
    match header.packet_type()? {
        PacketType::Connect => Some(Violation::SecondConnect),
        PacketType::Connack | PacketType::Suback | PacketType::Unsuback | PacketType::Pingresp => {
            Some(Violation::ServerPacket)
        }
        _ => None,
    }
}
