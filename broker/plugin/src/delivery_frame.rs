//! The frames of `deliver-batch`; `wit/deliver.wit` has the layout byte by byte.

use std::sync::Arc;

use hookwire_hooks::{DeliverDecision, Parcel};

use crate::frame::{self, Read, Reader, Unusable, VERSION};
use crate::hook::convert::Shown;

/// Writes the frame of some deliveries in place of what `out` holds. Neighbours of one message share it.
pub(crate) fn encode(parcels: &[&Parcel], shown: Shown, out: &mut Vec<u8>) {
    let messages = || parcels.chunk_by(|one, other| Arc::ptr_eq(&one.message, &other.message));
    out.clear();
    out.push(VERSION);
    frame::put_len(out, messages().count());
    for recipients in messages() {
        if let Some(first) = recipients.first() {
            frame::encode_message(&first.message, shown, out);
        }
        frame::put_len(out, recipients.len());
        for parcel in recipients {
            out.extend_from_slice(&parcel.recipient.0.to_le_bytes());
        }
    }
}

/// How many bytes a delivery adds to a frame that ends with one of `last`.
pub(crate) fn approximate_len(parcel: &Parcel, last: Option<&Parcel>, shown: Shown) -> usize {
    const KEY_BYTES: usize = 8;
    let is_shared = last.is_some_and(|last| Arc::ptr_eq(&last.message, &parcel.message));
    if is_shared {
        KEY_BYTES
    } else {
        KEY_BYTES + frame::approximate_len(&parcel.message, shown) + size_of::<u32>()
    }
}

/// Reads the decisions on `count` deliveries. Every byte must be accounted for.
pub(crate) fn decode(bytes: Vec<u8>, count: usize) -> Result<Vec<DeliverDecision>, Unusable> {
    frame::decode_all(bytes, count, decision)
}

fn decision(reader: &mut Reader) -> Read<DeliverDecision> {
    Ok(match reader.u8()? {
        0 => Ok(DeliverDecision::Pass),
        1 => frame::replacement(reader)?.map(|change| DeliverDecision::Replace(Box::new(change))),
        2 => Ok(DeliverDecision::Drop),
        other => return Err(Unusable::Layout(format!("decision {other} does not exist"))),
    })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use hookwire_hooks::{ClientKey, Message, Source};
    use hookwire_protocol::{PublishProperties, QoS, TopicName};

    use super::*;

    const ALL: Shown = Shown {
        payload: true,
        properties: true,
    };

    fn message(payload: &'static str) -> Arc<Message> {
        Arc::new(Message {
            source: Source::Admin,
            topic: TopicName::new("t").unwrap(),
            payload: Bytes::from_static(payload.as_bytes()),
            qos: QoS::AtMostOnce,
            retain: false,
            properties: PublishProperties::default(),
            expires_at: None,
        })
    }

    #[test]
    fn recipients_of_one_message_share_it() {
        let (one, other) = (message("x"), message("y"));
        let parcels = [
            Parcel::new(ClientKey(7), one.clone()),
            Parcel::new(ClientKey(8), one),
            Parcel::new(ClientKey(7), other),
        ];
        let parcels: Vec<_> = parcels.iter().collect();
        let mut out = vec![9; 3];
        encode(&parcels, ALL, &mut out);

        let head = [3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0];
        let mut expected = vec![1, 2, 0, 0, 0];
        expected.extend(head);
        expected.extend(b"tx");
        expected.extend([2, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0]);
        expected.extend(head);
        expected.extend(b"ty");
        expected.extend([1, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(out, expected);

        let lens = (0..3).map(|at| {
            let last = (at > 0).then(|| parcels[at - 1]);
            approximate_len(parcels[at], last, ALL)
        });
        assert_eq!(lens.sum::<usize>() + 5, out.len());
    }

    #[test]
    fn every_decision_is_understood_and_nothing_else() {
        let decode = |bytes: &[u8]| decode([&[1, 1, 0, 0, 0], bytes].concat(), 1);
        assert!(matches!(decode(&[0]).unwrap()[..], [DeliverDecision::Pass]));
        assert!(matches!(decode(&[2]).unwrap()[..], [DeliverDecision::Drop]));
        let changed = decode(&[1, 0b10, 2, 0, 0, 0, b'p', b'l']).unwrap();
        let [DeliverDecision::Replace(change)] = &changed[..] else {
            panic!("{changed:?}")
        };
        assert_eq!(change.payload.as_deref(), Some(&b"pl"[..]));
        for bad in [&[3][..], &[], &[0, 0], &[1], &[1, 1, 1, 0, 0, 0, b'#']] {
            assert!(decode(bad).is_err(), "{bad:?}");
        }
    }
}
