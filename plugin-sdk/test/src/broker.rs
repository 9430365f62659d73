//! What plugins take for the broker.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use hookwire_hooks::{
    ClientFacts, ClientKey, Host, Message, PluginPublish, RetainedAmount, Surroundings, Unread,
};
use hookwire_protocol::{TopicFilter, TopicName};
use parking_lot::Mutex;

/// A broker with no connections, whose time stands still: it knows the clients that it was told of, and remembers what
/// plugins did to it.
///
/// Its clock and its random numbers begin as those of the SDK's mock do, so that a plugin sees the same in both.
#[derive(Debug)]
pub struct TestBroker(Mutex<State>);

#[derive(Debug)]
struct State {
    clients: BTreeMap<ClientKey, Arc<ClientFacts>>,
    /// By topic.
    retained: BTreeMap<String, Message>,
    unix: Duration,
    monotonic: Duration,
    random: u64,
    effects: Effects,
}

/// What a plugin did besides answering.
#[derive(Debug, Clone, Default)]
pub struct Effects {
    /// What it published, in order.
    pub published: Vec<Message>,
    /// Whose connections it closed, in order.
    pub disconnected: Vec<ClientKey>,
    /// Whose answers it had forgotten, in order.
    pub forgotten: Vec<ClientKey>,
    /// Whose rights it had looked at again, in order.
    pub reauthorized: Vec<ClientKey>,
    /// What histograms were told, with their names, in order.
    pub observed: Vec<(String, f64)>,
    /// What it logged: `level: text`.
    pub log: Vec<String>,
    /// What it called of the host, in order: `kv.get("a") = none`.
    pub calls: Vec<String>,
}

/// Some day in 2026: code that confuses the two clocks should fail in a test.
const UNIX_START: Duration = Duration::from_millis(1_780_000_000_000);

/// Where chance begins.
const RANDOM_START: u64 = 0x9E37_79B9_7F4A_7C15;

impl Default for TestBroker {
    fn default() -> Self {
        Self(Mutex::new(State {
            clients: BTreeMap::new(),
            retained: BTreeMap::new(),
            unix: UNIX_START,
            monotonic: Duration::ZERO,
            random: RANDOM_START,
            effects: Effects::default(),
        }))
    }
}

impl TestBroker {
    /// Makes a client known, or known differently.
    pub fn add_client(&self, facts: ClientFacts) {
        self.0.lock().clients.insert(facts.key, Arc::new(facts));
    }

    /// Makes all clients unknown.
    pub fn forget_clients(&self) {
        self.0.lock().clients.clear();
    }

    /// Replaces the retained messages.
    pub fn set_retained(&self, messages: Vec<Message>) {
        let by_topic = messages
            .into_iter()
            .map(|message| (message.topic.to_string(), message));
        self.0.lock().retained = by_topic.collect();
    }

    /// The retained messages, in the order of their topics.
    pub fn retained_messages(&self) -> Vec<Message> {
        self.0.lock().retained.values().cloned().collect()
    }

    /// Sets both clocks: since 1970, and since some moment.
    pub fn set_time(&self, unix: Duration, monotonic: Duration) {
        let mut state = self.0.lock();
        state.unix = unix;
        state.monotonic = monotonic;
    }

    /// Lets time pass, on both clocks.
    pub fn advance(&self, time: Duration) {
        let mut state = self.0.lock();
        state.unix += time;
        state.monotonic += time;
    }

    /// Sets what the next random bytes come from; not 0.
    pub fn set_random(&self, seed: u64) {
        self.0.lock().random = seed.max(1);
    }

    /// What the next random bytes come from.
    pub fn random(&self) -> u64 {
        self.0.lock().random
    }

    /// What plugins did since this was last asked.
    pub fn take_effects(&self) -> Effects {
        std::mem::take(&mut self.0.lock().effects)
    }
}

impl State {
    /// An empty payload removes what was retained, as in MQTT.
    fn retain(&mut self, message: Message) {
        let topic = message.topic.to_string();
        if message.payload.is_empty() {
            self.retained.remove(&topic);
        } else {
            self.retained.insert(topic, message);
        }
    }

    fn publish(&mut self, publish: PluginPublish) {
        if publish.is_only_kept {
            self.retain(publish.message);
        } else {
            // It would be judged by other plugins before it is retained, as far as it is.
            self.effects.published.push(publish.message);
        }
    }
}

impl Host for TestBroker {
    fn client(&self, key: ClientKey) -> Option<Arc<ClientFacts>> {
        self.0.lock().clients.get(&key).cloned()
    }

    fn disconnect(&self, key: ClientKey, _text: Option<String>) -> bool {
        let mut state = self.0.lock();
        let is_known = state.clients.contains_key(&key);
        state.effects.disconnected.extend(is_known.then_some(key));
        is_known
    }

    fn publish(&self, messages: Vec<PluginPublish>) -> bool {
        let mut state = self.0.lock();
        messages.into_iter().for_each(|message| state.publish(message));
        true
    }

    fn forget_answers(&self, key: ClientKey) -> bool {
        let mut state = self.0.lock();
        let is_known = state.clients.contains_key(&key);
        state.effects.forgotten.extend(is_known.then_some(key));
        is_known
    }

    fn reauthorize(&self, key: ClientKey) -> bool {
        let mut state = self.0.lock();
        let is_known = state.clients.contains_key(&key);
        state.effects.reauthorized.extend(is_known.then_some(key));
        is_known
    }

    fn retained(&self, topic: &TopicName) -> Result<Option<Message>, Unread> {
        Ok(self.0.lock().retained.get(topic.as_str()).cloned())
    }

    fn retained_matching(
        &self,
        filter: &TopicFilter,
        after: Option<&str>,
        amount: RetainedAmount,
    ) -> Result<Vec<Message>, Unread> {
        let state = self.0.lock();
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let behind = state.retained.range::<str, _>((from, Bound::Unbounded));
        let matching = behind.filter(|(_, message)| filter.matches(&message.topic));
        let mut before = 0;
        let wanted = matching.take(amount.count).take_while(|(topic, message)| {
            let is_wanted = before <= amount.bytes;
            before += topic.len() + message.payload.len();
            is_wanted
        });
        Ok(wanted.map(|(_, message)| message.clone()).collect())
    }

    fn has_room_to_retain(&self, _message: &Message) -> bool {
        true
    }

    fn surroundings(&self) -> Option<&dyn Surroundings> {
        Some(self)
    }
}

impl Surroundings for TestBroker {
    fn unix(&self) -> Duration {
        self.0.lock().unix
    }

    fn monotonic(&self) -> Duration {
        self.0.lock().monotonic
    }

    /// The same bytes in every test (xorshift64), as the SDK's mock has them.
    fn random(&self, bytes: &mut [u8]) {
        let mut state = self.0.lock();
        for byte in bytes {
            state.random ^= state.random << 13;
            state.random ^= state.random >> 7;
            state.random ^= state.random << 17;
            *byte = state.random as u8;
        }
    }

    fn called(&self, _plugin: &str, call: &str) {
        self.0.lock().effects.calls.push(call.to_owned());
    }

    fn observed(&self, _plugin: &str, name: &str, value: f64) {
        self.0.lock().effects.observed.push((name.to_owned(), value));
    }

    fn logged(&self, _plugin: &str, level: &str, line: &str) {
        self.0.lock().effects.log.push(format!("{level}: {line}"));
    }
}
