//! What can go wrong in any hook.

use std::hint::black_box;

use hookwire_plugin::prelude::*;
use hookwire_plugin::{clock, kv, log, publish};

const MIB: usize = 1024 * 1024;

/// What goes wrong. What concerns the answer alone is done by the hooks, which know what their answers can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Behaviour {
    /// Never returns.
    Loop,
    /// Takes memory until there is no more, touches all of it, then asks for more.
    Memory,
    /// Panics with a message.
    Panic,
    /// Calls itself until the stack is used up.
    Recursion,
    /// Answers after `slow_ms`.
    Slow,
    /// Writes `count` lines into the log.
    LogFlood,
    /// Publishes `count` messages to `flood/topic`.
    PublishFlood,
    /// Publishes to the topic of the message in question.
    Answer,
    /// Writes `count` keys.
    KvFlood,
    /// Answers with `huge_bytes`: a payload where there is one, else a text.
    HugeAnswer,
    /// Answers with a text of `huge_bytes`.
    HugeText,
    /// Answers with a list of `count` elements.
    HugeList,
    /// Answers with a topic or filter that is none.
    InvalidTopic,
    /// Answers a batch with bytes that are no frame.
    GarbageFrame,
    /// Answers a batch with fewer verdicts than there are messages.
    ShortFrame,
    /// Refuses politely: no failure, to be told apart from one.
    Refuse,
    /// At `configure`: the first instance is made and every other refused.
    RefuseLater,
    /// Counts in `kv` and says how often so far.
    Count,
}

/// How much goes wrong.
#[derive(Deserialize)]
pub(crate) struct Sizes {
    #[serde(default = "default_huge_bytes")]
    huge_bytes: usize,
    #[serde(default = "default_count")]
    count: usize,
    #[serde(default = "default_slow_ms")]
    slow_ms: u64,
}

fn default_huge_bytes() -> usize {
    200 * MIB
}

fn default_count() -> usize {
    1_000_000
}

fn default_slow_ms() -> u64 {
    1_000
}

impl Sizes {
    /// So many bytes, or as many as there is memory for three times: they may have to be copied into a frame.
    pub(crate) fn huge_bytes(&self) -> Vec<u8> {
        let mut length = self.huge_bytes;
        while Vec::<u8>::new().try_reserve_exact(3 * length).is_err() {
            length /= 2;
        }
        vec![b'x'; length]
    }

    /// So many elements, or a quarter as many as there is memory for: they may have memory of their own.
    pub(crate) fn huge_list<T>(&self, element: impl Fn() -> T) -> Vec<T> {
        let mut list = Vec::new();
        let mut length = self.count;
        while Vec::<u8>::new()
            .try_reserve_exact(4 * length * size_of::<T>())
            .is_err()
        {
            length /= 2;
        }
        list.resize_with(length, element);
        list
    }
}

impl Behaviour {
    /// Goes wrong. Returns where that leaves the plugin able to.
    pub(crate) fn run(self, sizes: &Sizes) {
        match self {
            Self::Loop => spin(),
            Self::Memory => take_all_memory(),
            Self::Panic => panic!("hostile as asked"),
            Self::Recursion => {
                black_box(recurse(0));
            }
            Self::Slow => wait(sizes.slow_ms),
            Self::LogFlood => flood_log(sizes.count),
            Self::PublishFlood => flood_publish(sizes.count),
            Self::KvFlood => flood_kv(sizes.count),
            Self::Count => log::info!("counted {:?}", kv::increment("count", 1, None)),
            Self::Answer
            | Self::HugeAnswer
            | Self::HugeText
            | Self::HugeList
            | Self::InvalidTopic
            | Self::GarbageFrame
            | Self::ShortFrame
            | Self::Refuse
            | Self::RefuseLater => {}
        }
    }
}

fn spin() {
    let mut turns = 0_u64;
    while black_box(true) {
        turns = black_box(turns.wrapping_add(1));
    }
}

fn take_all_memory() {
    let mut taken: Vec<Vec<u8>> = Vec::with_capacity(4096);
    for bytes in [MIB, 64 * 1024, 1024] {
        let mut block = Vec::new();
        while taken.len() < 4096 && block.try_reserve_exact(bytes).is_ok() {
            block.resize(bytes, 1);
            taken.push(std::mem::take(&mut block));
        }
    }
    black_box(vec![1_u8; 1 << 30]);
    black_box(taken);
}

#[inline(never)]
fn recurse(depth: u64) -> u64 {
    let frame = black_box([depth; 16]);
    if black_box(false) {
        depth
    } else {
        recurse(frame[7] + 1) + frame[3]
    }
}

fn wait(ms: u64) {
    let end_ns = clock::monotonic_ns() + ms * 1_000_000;
    while clock::monotonic_ns() < end_ns {
        (0..1_000).for_each(|turn| {
            black_box(turn);
        });
    }
}

fn flood_log(count: usize) {
    let filling = "x".repeat(1024);
    for line in 0..count {
        log::warn!("line {line} {filling}");
    }
}

/// Goes on when a message is refused, and says in the end how many were not.
fn flood_publish(count: usize) {
    let message = MessageBuf::new("flood/topic", vec![b'x'; 64]);
    let accepted = (0..count).filter(|_| publish::publish(&message).is_ok()).count();
    log::info!("published {accepted} of {count}");
}

fn flood_kv(count: usize) {
    let accepted = (0..count)
        .filter(|key| kv::put(&format!("key-{key}"), &[0; 64], None).is_ok())
        .count();
    log::info!("wrote {accepted} of {count}");
}
