//! What a session is subscribed to.

use bytestring::ByteString;
use hookwire_protocol::{QoS, SharedFilter, Suback, SubscriptionOptions, Unsuback};

use super::safety::Safety;
use super::{Session, Unsubscribed};

impl Session {
    /// The subscriptions, by filter as the client sent it.
    pub fn subscriptions(&self) -> impl Iterator<Item = (&ByteString, &SubscriptionOptions)> {
        self.subscriptions.iter()
    }

    /// The filters that the client has asked for, and the QoS of what is kept for each.
    pub fn asked_filters(&self) -> Vec<(ByteString, QoS)> {
        let as_asked = self
            .subscriptions
            .iter()
            .filter(|(kept, _)| !self.rewrites.is_made_of_others(kept))
            .map(|(kept, options)| (kept.clone(), options.qos));
        let rewritten = self
            .rewrites
            .all()
            .filter_map(|(asked, kept)| Some((asked.clone(), self.subscriptions.get(kept)?.qos)));
        as_asked.chain(rewritten).collect()
    }

    /// Those that are shared.
    pub fn shared_filters(&self) -> Vec<SharedFilter> {
        let shared = self
            .subscriptions
            .keys()
            .filter(|filter| filter.starts_with("$share/"));
        shared
            .filter_map(|filter| SharedFilter::parse(filter.clone()).ok())
            .collect()
    }

    /// How many filters the client has asked for: several may be kept as one.
    pub fn asked_count(&self) -> usize {
        self.subscriptions.len() + self.rewrites.surplus()
    }

    /// How many there are.
    pub fn subscription_count(&self) -> usize {
        self.subscriptions.len()
    }

    /// Whether there is a subscription that the client has made with this filter.
    pub fn is_subscribed(&self, filter: &str) -> bool {
        self.subscriptions.contains_key(filter) || self.rewrites.kept(filter).is_some()
    }

    /// Whether the client asks for this filter already, whatever is kept for it.
    pub fn asks_for(&self, filter: &str) -> bool {
        let is_kept_as_asked =
            || self.subscriptions.contains_key(filter) && !self.rewrites.is_made_of_others(filter);
        self.rewrites.kept(filter).is_some() || is_kept_as_asked()
    }

    /// Takes note of a subscription; true when there was none with this filter. [MQTT-3.8.4-3]
    pub fn subscribe(&mut self, filter: ByteString, options: SubscriptionOptions, id: Option<u32>) -> bool {
        if let Some(journal) = self.journal().filter(|_| !self.ended) {
            let commit = journal.subscribe(&filter, options, id);
            self.has_recorded(commit);
        }
        self.subscriptions.insert(filter, options).is_none()
    }

    /// A policy keeps `kept` where the client has asked for `asked`. Tells which other subscription that replaces; it is
    /// forgotten. To be called before [`Session::subscribe`].
    pub fn rewrite(&mut self, asked: &ByteString, kept: &ByteString) -> Option<ByteString> {
        let is_subscribed = |filter: &str| self.subscriptions.contains_key(filter);
        let note = noting(self.safety.as_deref_mut());
        let replaced = self.rewrites.note(asked, kept, is_subscribed, &mut { note });
        self.forget_subscription(&replaced?)
    }

    /// Forgets the subscription that was made when the client subscribed to this filter.
    pub fn unsubscribe(&mut self, asked: &str) -> Unsubscribed {
        if self.rewrites.kept(asked).is_none() {
            return self.unsubscribe_kept(asked);
        }
        let note = noting(self.safety.as_deref_mut());
        let ended = self.rewrites.forget(asked, &mut { note });
        match ended {
            Some(kept) => {
                self.forget_subscription(&kept);
                Unsubscribed::Ended(kept)
            }
            None => Unsubscribed::StillAsked,
        }
    }

    /// Forgets a subscription as the broker keeps it.
    pub fn unsubscribe_kept(&mut self, kept: &str) -> Unsubscribed {
        let note = noting(self.safety.as_deref_mut());
        self.rewrites.end(kept, &mut { note });
        match self.forget_subscription(kept) {
            Some(kept) => Unsubscribed::Ended(kept),
            None => Unsubscribed::Unknown,
        }
    }

    fn forget_subscription(&mut self, filter: &str) -> Option<ByteString> {
        let (filter, _) = self.subscriptions.remove_entry(filter)?;
        if let Some(journal) = self.journal() {
            let commit = journal.unsubscribe(&filter);
            self.has_recorded(commit);
        }
        Some(filter)
    }

    /// Answers a SUBSCRIBE.
    pub fn answer_subscribe(&mut self, suback: &Suback) {
        let commit = self.take_recorded_subscriptions();
        self.write_when_safe(commit, |version, out| suback.encode(version, out));
    }

    /// Answers an UNSUBSCRIBE.
    pub fn answer_unsubscribe(&mut self, unsuback: &Unsuback) {
        let commit = self.take_recorded_subscriptions();
        self.write_when_safe(commit, |version, out| unsuback.encode(version, out));
    }

    fn has_recorded(&mut self, commit: u64) {
        if let Some(safety) = &mut self.safety {
            safety.has_recorded(commit);
        }
    }

    fn take_recorded_subscriptions(&mut self) -> u64 {
        let safety = self.safety.as_mut();
        safety.map_or(0, |safety| std::mem::take(&mut safety.recorded))
    }
}

/// Records what a filter of the client is kept as; answers wait for the batch that it is in.
fn noting(mut safety: Option<&mut Safety>) -> impl FnMut(&str, Option<&str>) {
    move |asked, kept| {
        if let Some(safety) = &mut safety
            && let Some(journal) = &safety.journal
        {
            let commit = journal.rewrite(asked, kept);
            safety.has_recorded(commit);
        }
    }
}
