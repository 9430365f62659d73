//! What plugins take for the broker.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hookwire_hooks::{ClientFacts, ClientKey, Host, Message, PluginPublish, Surroundings};
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
        let messages = messages.into_iter().map(|publish| publish.message);
        self.0.lock().effects.published.extend(messages);
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

    fn logged(&self, _plugin: &str, level: &str, line: &str) {
        self.0.lock().effects.log.push(format!("{level}: {line}"));
    }
}
