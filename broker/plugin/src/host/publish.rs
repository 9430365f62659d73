//! `publish`: messages of the plugin's own.

use hookwire_hooks::{Message, PluginPublish, Source};
use hookwire_protocol::TopicName;

use crate::bindings::imports::publish::{Error, Host};
use crate::bindings::imports::types::MessageResult;
use crate::guest::Guest;
use crate::hook::convert;
use crate::note;

/// Most plugin publishes in a row, each in answer to the one before: a chain of useful ones is short, a loop is endless.
const HOPS_MAX: u8 = 8;

impl Host for Guest {
    /// Keeps the message until the call has brought a good answer.
    fn publish(&mut self, message: MessageResult) -> Result<(), Error> {
        self.note(|| {
            format!(
                "publish.publish({:?}, {})",
                message.topic,
                note::bytes(&message.payload)
            )
        });
        let place = self.outbox_has_room_for(&message)?;
        let message = receive(message, place.hops).ok_or(Error::TopicNameInvalid)?;
        if !self
            .services
            .grants
            .publish
            .iter()
            .any(|filter| filter.matches(&message.topic))
        {
            return Err(Error::NotGranted);
        }
        self.send_later(message, place, false);
        Ok(())
    }
}

/// A place in the outbox.
pub(crate) struct Place {
    pub(crate) hops: u8,
    bytes: usize,
}

impl Guest {
    /// Whether the running call may send one more.
    pub(crate) fn outbox_has_room_for(&self, message: &MessageResult) -> Result<Place, Error> {
        let hops = self.outbox.hops.saturating_add(1);
        if hops > HOPS_MAX {
            return Err(Error::LoopDetected);
        }
        let bytes = self.outbox.bytes.saturating_add(size(message));
        let limits = self.services.limits();
        if bytes > limits.publish_bytes_per_call_max * self.shares
            || self.outbox.messages.len() >= limits.publishes_per_call_max * self.shares
        {
            return Err(Error::QuotaExceeded);
        }
        Ok(Place { hops, bytes })
    }

    /// Sends a message once the running call has brought a good answer.
    pub(crate) fn send_later(&mut self, message: Message, place: Place, is_only_kept: bool) {
        self.outbox.bytes = place.bytes;
        self.outbox.messages.push(PluginPublish {
            plugin: self.services.name.clone(),
            message,
            is_only_kept,
        });
    }
}

fn size(message: &MessageResult) -> usize {
    message.topic.len()
        + message.payload.len()
        + message.properties.as_ref().map_or(0, convert::properties_len)
}

/// The message, if its topics and texts are such that a client could have sent it.
pub(crate) fn receive(message: MessageResult, hops: u8) -> Option<Message> {
    let topic: TopicName = convert::topic(message.topic).ok()?;
    let properties = message
        .properties
        .map(convert::properties)
        .transpose()
        .ok()?
        .unwrap_or_default();
    Some(Message {
        source: Source::Plugin { hops },
        topic,
        payload: message.payload.into(),
        qos: convert::qos_in(message.qos),
        retain: message.retain,
        expires_at: convert::expires_at(&properties),
        properties,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use hookwire_protocol::TopicFilter;

    use super::*;
    use crate::bindings::imports::types::{PropertiesResult, Qos, UserPropertyResult};
    use crate::guest::Budget;
    use crate::guest::tests::guest;
    use crate::{Grants, HostLimits};

    fn publisher(limits: HostLimits) -> Guest {
        let publish = vec![
            TopicFilter::new("out/#").unwrap(),
            TopicFilter::new("$SYS/#").unwrap(),
        ];
        guest(
            Grants {
                publish,
                ..Grants::default()
            },
            limits,
        )
    }

    fn message(topic: &str, payload_bytes: usize) -> MessageResult {
        MessageResult {
            topic: topic.into(),
            payload: vec![0; payload_bytes],
            qos: Qos::AtLeastOnce,
            retain: true,
            properties: None,
        }
    }

    fn refused(guest: &mut Guest, message: MessageResult) -> &'static str {
        match guest.publish(message).unwrap_err() {
            Error::NotGranted => "not-granted",
            Error::TopicNameInvalid => "topic-name-invalid",
            Error::QuotaExceeded => "quota-exceeded",
            Error::LoopDetected => "loop-detected",
        }
    }

    #[test]
    fn a_message_waits_in_the_outbox() {
        let mut guest = publisher(HostLimits::default());
        guest.publish(message("out/a", 3)).unwrap();
        let publish = &guest.outbox.messages[0];
        assert_eq!(&*publish.plugin, "test");
        assert_eq!(publish.message.source, Source::Plugin { hops: 1 });
        assert!(publish.message.retain && publish.message.payload.len() == 3);

        guest.begin(Budget::new(Duration::ZERO));
        assert!(
            guest.outbox.messages.is_empty(),
            "the next call knows nothing of it"
        );
    }

    #[test]
    fn only_granted_and_valid_topics_are_accepted() {
        let mut guest = publisher(HostLimits::default());
        assert_eq!(refused(&mut guest, message("other", 0)), "not-granted");
        for bad in ["", "out/#", "$SYS/broker/version"] {
            assert_eq!(
                refused(&mut guest, message(bad, 0)),
                "topic-name-invalid",
                "{bad:?}"
            );
        }
        let mut ungranted = self::guest(Grants::default(), HostLimits::default());
        assert_eq!(refused(&mut ungranted, message("out/a", 0)), "not-granted");
    }

    #[test]
    fn count_and_bytes_are_limited_in_each_call() {
        let limits = HostLimits {
            publishes_per_call_max: 2,
            publish_bytes_per_call_max: 100,
            ..HostLimits::default()
        };
        let mut guest = publisher(limits);
        assert_eq!(refused(&mut guest, message("out/a", 96)), "quota-exceeded");
        guest.publish(message("out/a", 50)).unwrap();
        assert_eq!(refused(&mut guest, message("out/a", 50)), "quota-exceeded");
        guest.publish(message("out/a", 0)).unwrap();
        assert_eq!(refused(&mut guest, message("out/a", 0)), "quota-exceeded");

        guest.begin(Budget::new(Duration::ZERO));
        let pair = UserPropertyResult {
            name: "n".into(),
            value: "v".repeat(200),
        };
        let properties = PropertiesResult {
            payload_format_utf8: None,
            message_expiry_secs: None,
            response_topic: None,
            correlation_data: None,
            content_type: None,
            user_properties: vec![pair],
        };
        let heavy = MessageResult {
            properties: Some(properties),
            ..message("out/a", 0)
        };
        assert_eq!(
            refused(&mut guest, heavy),
            "quota-exceeded",
            "properties count as well"
        );
    }

    #[test]
    fn a_call_about_many_messages_may_publish_more() {
        let mut guest = publisher(HostLimits {
            publishes_per_call_max: 2,
            publish_bytes_per_call_max: 100,
            ..HostLimits::default()
        });
        for (questions, room) in [(0, 2), (256, 2), (257, 4), (1024, 8)] {
            guest.begin(Budget::new(Duration::ZERO).about(questions));
            (0..room).for_each(|_| guest.publish(message("out/a", 45)).unwrap());
            assert_eq!(
                refused(&mut guest, message("out/a", 0)),
                "quota-exceeded",
                "{questions}"
            );
        }
    }

    #[test]
    fn the_eighth_answer_is_the_last() {
        let mut guest = publisher(HostLimits::default());
        guest.begin(Budget::new(Duration::ZERO).with_hops(7));
        guest.publish(message("out/a", 0)).unwrap();
        assert_eq!(
            guest.outbox.messages[0].message.source,
            Source::Plugin { hops: 8 }
        );
        for hops in [8, 255] {
            guest.begin(Budget::new(Duration::ZERO).with_hops(hops));
            assert_eq!(refused(&mut guest, message("out/a", 0)), "loop-detected");
        }
    }
}
