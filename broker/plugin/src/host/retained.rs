//! `retained`: the last message of a topic.

use hookwire_hooks::{Message, RetainedAmount};
use hookwire_protocol::{TopicFilter, TopicName};

use super::publish;
use crate::bindings::imports::publish::Error as PublishError;
use crate::bindings::imports::retained::{Error, Host, Page};
use crate::bindings::imports::types::{MessageResult, Qos};
use crate::guest::Guest;
use crate::hook::convert;
use crate::note;

/// Most messages of a page; the contract says so.
const PAGE_MAX: u32 = 1000;

impl Host for Guest {
    fn get(&mut self, topic: String) -> Result<Option<MessageResult>, Error> {
        let topic = TopicName::new(topic).map_err(|_| Error::TopicNameInvalid)?;
        self.note(|| format!("retained.get({:?})", topic.as_str()));
        if !self.readable().iter().any(|granted| granted.matches(&topic)) {
            return Err(Error::NotGranted);
        }
        let message = self.services.foundation.broker.retained(&topic);
        let Some(message) = message.map_err(|_| Error::Unreadable)? else {
            return Ok(None);
        };
        if !self.may_read(&message) {
            return Err(Error::QuotaExceeded);
        }
        Ok(Some(convert::owned_message(&message)))
    }

    fn put(&mut self, message: MessageResult) -> Result<(), Error> {
        if message.payload.is_empty() {
            return self.delete(message.topic);
        }
        self.write(message)
    }

    fn delete(&mut self, topic: String) -> Result<(), Error> {
        self.write(MessageResult {
            topic,
            payload: Vec::new(),
            qos: Qos::AtMostOnce,
            retain: true,
            properties: None,
        })
    }

    fn find(&mut self, filter: String, limit: u32, cursor: Option<String>) -> Result<Page, Error> {
        if !self.takes_its_time() {
            return Err(Error::NotInThisHook);
        }
        let filter = TopicFilter::new(filter).map_err(|_| Error::TopicFilterInvalid)?;
        if !self
            .readable()
            .iter()
            .any(|granted| granted.covers(filter.as_str()))
        {
            return Err(Error::NotGranted);
        }
        self.note(|| format!("retained.find({:?})", filter.as_str()));
        let wanted = limit.clamp(1, PAGE_MAX) as usize;
        let broker = &self.services.foundation.broker;
        // One more than wanted tells whether there are more.
        let bytes_max = self.retained_bytes_max();
        let amount = RetainedAmount {
            count: wanted + 1,
            bytes: bytes_max.saturating_sub(self.retained_bytes_read),
        };
        let found = broker.retained_matching(&filter, cursor.as_deref(), amount);
        let found = found.map_err(|_| Error::Unreadable)?;
        let mut messages = Vec::new();
        for message in found.iter().take(wanted) {
            if !self.may_read(message) {
                break;
            }
            messages.push(convert::owned_message(message));
        }
        if messages.is_empty() && !found.is_empty() {
            return Err(Error::QuotaExceeded);
        }
        let cursor = (messages.len() < found.len())
            .then(|| messages.last().map(|message| message.topic.clone()))
            .flatten();
        Ok(Page { messages, cursor })
    }
}

impl Guest {
    fn readable(&self) -> &[TopicFilter] {
        self.services
            .grants
            .retained
            .as_ref()
            .map_or(&[], |grant| &grant.read)
    }

    fn writable(&self) -> &[TopicFilter] {
        self.services
            .grants
            .retained
            .as_ref()
            .map_or(&[], |grant| &grant.write)
    }

    fn retained_bytes_max(&self) -> usize {
        self.services.limits().retained_bytes_per_call_max * self.shares
    }

    /// Counts what a guest is shown: it is copied, and its memory may not be large enough for all.
    fn may_read(&mut self, message: &Message) -> bool {
        let bytes = message.topic.as_str().len() + message.payload.len();
        let sum = self.retained_bytes_read.saturating_add(bytes);
        let fits = sum <= self.retained_bytes_max();
        if fits {
            self.retained_bytes_read = sum;
        }
        fits
    }

    /// Has a message kept once the running call has brought a good answer.
    fn write(&mut self, message: MessageResult) -> Result<(), Error> {
        self.note(|| {
            let payload = note::bytes(&message.payload);
            format!("retained.put({:?}, {payload})", message.topic)
        });
        let place = self.outbox_has_room_for(&message).map_err(|error| match error {
            PublishError::NotGranted => Error::NotGranted,
            PublishError::TopicNameInvalid => Error::TopicNameInvalid,
            PublishError::QuotaExceeded | PublishError::LoopDetected => Error::QuotaExceeded,
        })?;
        let message = publish::receive(message, place.hops).ok_or(Error::TopicNameInvalid)?;
        let message = Message {
            retain: true,
            ..message
        };
        if !self
            .writable()
            .iter()
            .any(|granted| granted.matches(&message.topic))
        {
            return Err(Error::NotGranted);
        }
        if !self.services.foundation.broker.has_room_to_retain(&message) {
            return Err(Error::QuotaExceeded);
        }
        self.send_later(message, place, true);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;
    use std::time::Duration;

    use hookwire_hooks::{ClientFacts, ClientKey, Host as Broker, PluginPublish, Source, Unread};
    use hookwire_protocol::{PublishProperties, QoS};

    use super::*;
    use crate::guest::Budget;
    use crate::guest::tests::guest_of;
    use crate::{Grants, HostLimits, RetainedGrant};

    /// Keeps messages of ten bytes, and has room for topics that do not begin with `full`.
    struct Memory(BTreeMap<String, usize>);

    fn kept(topic: &str, bytes: usize) -> Message {
        Message {
            source: Source::Broker,
            topic: TopicName::new(topic.to_owned()).unwrap(),
            payload: vec![b'x'; bytes].into(),
            qos: QoS::AtLeastOnce,
            retain: true,
            properties: PublishProperties::default(),
            expires_at: None,
        }
    }

    impl Broker for Memory {
        fn client(&self, _: ClientKey) -> Option<Arc<ClientFacts>> {
            None
        }

        fn disconnect(&self, _: ClientKey, _: Option<String>) -> bool {
            false
        }

        fn publish(&self, _: Vec<PluginPublish>) -> bool {
            true
        }

        fn forget_answers(&self, _: ClientKey) -> bool {
            false
        }

        fn reauthorize(&self, _: ClientKey) -> bool {
            false
        }

        fn retained(&self, topic: &TopicName) -> Result<Option<Message>, Unread> {
            match self.0.get(topic.as_str()) {
                Some(&UNREADABLE) => Err(Unread("for the test".to_owned())),
                bytes => Ok(bytes.map(|bytes| kept(topic.as_str(), *bytes))),
            }
        }

        fn retained_matching(
            &self,
            filter: &TopicFilter,
            after: Option<&str>,
            amount: RetainedAmount,
        ) -> Result<Vec<Message>, Unread> {
            if self.0.values().any(|bytes| *bytes == UNREADABLE) {
                return Err(Unread("for the test".to_owned()));
            }
            let behind = |topic: &str| after.is_none_or(|after| topic > after);
            let all = self.0.iter().map(|(topic, bytes)| kept(topic, *bytes));
            Ok(all
                .filter(|message| filter.matches(&message.topic) && behind(message.topic.as_str()))
                .take(amount.count)
                .collect())
        }

        fn has_room_to_retain(&self, message: &Message) -> bool {
            !message.topic.as_str().starts_with("full")
        }
    }

    /// As many bytes has a message that cannot be read.
    const UNREADABLE: usize = usize::MAX;

    fn filters(texts: &[&str]) -> Vec<TopicFilter> {
        texts
            .iter()
            .map(|text| TopicFilter::new(*text).unwrap())
            .collect()
    }

    /// A guest that may read `a/#` and write `b/+` and `full`, with this memory.
    fn reader(topics: &[(&str, usize)], limits: HostLimits) -> Guest {
        let memory = topics
            .iter()
            .map(|&(topic, bytes)| (topic.to_owned(), bytes))
            .collect();
        let grants = Grants {
            retained: Some(RetainedGrant {
                read: filters(&["a/#"]),
                write: filters(&["b/+", "full"]),
            }),
            ..Grants::default()
        };
        let mut guest = guest_of(Arc::new(Memory(memory)), grants, limits);
        guest.begin(Budget::slow(Duration::from_secs(1)));
        guest
    }

    fn name(error: &Error) -> &'static str {
        match error {
            Error::NotGranted => "not-granted",
            Error::TopicNameInvalid => "topic-name-invalid",
            Error::TopicFilterInvalid => "topic-filter-invalid",
            Error::QuotaExceeded => "quota-exceeded",
            Error::NotInThisHook => "not-in-this-hook",
            Error::Unreadable => "unreadable",
        }
    }

    fn get(guest: &mut Guest, topic: &str) -> Result<Option<usize>, &'static str> {
        let got = guest.get(topic.into());
        got.map(|message| message.map(|message| message.payload.len()))
            .map_err(|error| name(&error))
    }

    fn find(
        guest: &mut Guest,
        filter: &str,
        limit: u32,
        cursor: Option<&str>,
    ) -> Result<(Vec<String>, Option<String>), &'static str> {
        let page = guest
            .find(filter.into(), limit, cursor.map(Into::into))
            .map_err(|error| name(&error))?;
        Ok((
            page.messages.into_iter().map(|message| message.topic).collect(),
            page.cursor,
        ))
    }

    fn message(topic: &str, payload: &str) -> MessageResult {
        MessageResult {
            topic: topic.into(),
            payload: payload.into(),
            qos: Qos::AtLeastOnce,
            retain: false,
            properties: None,
        }
    }

    #[test]
    fn what_is_granted_can_be_read() {
        let mut guest = reader(&[("a/1", 10), ("c/1", 10)], HostLimits::default());
        assert_eq!(get(&mut guest, "a/1"), Ok(Some(10)));
        assert_eq!(get(&mut guest, "a/2"), Ok(None));
        assert_eq!(get(&mut guest, "c/1"), Err("not-granted"));
        assert_eq!(get(&mut guest, "b/1"), Err("not-granted"));
        assert_eq!(get(&mut guest, "a/+"), Err("topic-name-invalid"));
        assert_eq!(find(&mut guest, "#", 10, None), Err("not-granted"));
        assert_eq!(find(&mut guest, "+/1", 10, None), Err("not-granted"));
        assert_eq!(find(&mut guest, "a/#/b", 10, None), Err("topic-filter-invalid"));
        assert_eq!(find(&mut guest, "a/+", 10, None), Ok((vec!["a/1".into()], None)));
    }

    #[test]
    fn what_cannot_be_read_is_not_said_to_be_absent() {
        let mut guest = reader(&[("a/1", UNREADABLE), ("a/2", 10)], HostLimits::default());
        assert_eq!(get(&mut guest, "a/1"), Err("unreadable"));
        assert_eq!(find(&mut guest, "a/#", 10, None), Err("unreadable"));
        assert_eq!(get(&mut guest, "a/2"), Ok(Some(10)));
    }

    #[test]
    fn a_list_comes_in_pages() {
        let mut guest = reader(&[("a/1", 1), ("a/2", 1), ("a/3", 1)], HostLimits::default());
        let first = find(&mut guest, "a/#", 2, None).unwrap();
        assert_eq!(first, (vec!["a/1".into(), "a/2".into()], Some("a/2".into())));
        let second = find(&mut guest, "a/#", 2, first.1.as_deref()).unwrap();
        assert_eq!(second, (vec!["a/3".into()], None));
        let whole = find(&mut guest, "a/#", 3, None).unwrap();
        assert_eq!(
            (whole.0.len(), whole.1),
            (3, None),
            "nothing comes behind the last"
        );
    }

    #[test]
    fn a_call_is_shown_so_many_bytes() {
        let limits = HostLimits {
            retained_bytes_per_call_max: 30,
            ..HostLimits::default()
        };
        let mut guest = reader(&[("a/1", 10), ("a/2", 10), ("a/3", 10), ("a/9", 100)], limits);
        let page = find(&mut guest, "a/#", 10, None).unwrap();
        assert_eq!(page, (vec!["a/1".into(), "a/2".into()], Some("a/2".into())));
        assert_eq!(get(&mut guest, "a/3"), Err("quota-exceeded"));
        assert_eq!(find(&mut guest, "a/#", 10, Some("a/2")), Err("quota-exceeded"));
        guest.begin(Budget::slow(Duration::from_secs(1)));
        assert_eq!(get(&mut guest, "a/3"), Ok(Some(10)), "the next call begins anew");
        assert_eq!(get(&mut guest, "a/9"), Err("quota-exceeded"));
        guest.begin(Budget::slow(Duration::from_secs(1)).about(1024));
        assert_eq!(
            get(&mut guest, "a/9"),
            Ok(Some(100)),
            "a call about many is shown more"
        );
        assert_eq!(get(&mut guest, "a/3"), Ok(Some(10)));
        let taken = "116 of 120 bytes are taken";
        assert_eq!(get(&mut guest, "a/1"), Err("quota-exceeded"), "{taken}");
    }

    #[test]
    fn lists_are_for_hooks_that_may_take_their_time() {
        let mut guest = reader(&[("a/1", 10)], HostLimits::default());
        guest.begin(Budget::new(Duration::from_millis(5)));
        assert_eq!(find(&mut guest, "a/#", 10, None), Err("not-in-this-hook"));
        assert_eq!(get(&mut guest, "a/1"), Ok(Some(10)));
    }

    #[test]
    fn what_is_written_waits_for_the_end_of_the_call() {
        let mut guest = reader(&[], HostLimits::default());
        guest.put(message("b/1", "x")).unwrap();
        guest.delete("b/2".into()).unwrap();
        guest.put(message("b/3", "")).unwrap();
        let written: Vec<_> = guest
            .outbox
            .messages
            .iter()
            .map(|publish| {
                assert!(publish.is_only_kept && publish.message.retain);
                (publish.message.topic.as_str(), publish.message.payload.len())
            })
            .collect();
        assert_eq!(written, [("b/1", 1), ("b/2", 0), ("b/3", 0)]);
    }

    #[test]
    fn only_what_is_granted_and_has_room_is_written() {
        let limits = HostLimits {
            publishes_per_call_max: 1,
            ..HostLimits::default()
        };
        let mut guest = reader(&[], limits);
        let mut put = |topic: &str| guest.put(message(topic, "x")).map_err(|error| name(&error));
        assert_eq!(put("a/1"), Err("not-granted"));
        assert_eq!(put("b/#"), Err("topic-name-invalid"));
        assert_eq!(put("$SYS/x"), Err("topic-name-invalid"));
        assert_eq!(put("full"), Err("quota-exceeded"));
        assert_eq!(put("b/1"), Ok(()));
        assert_eq!(put("b/2"), Err("quota-exceeded"), "one in a call");
    }
}
