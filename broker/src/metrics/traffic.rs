//! Packets and bytes that came and went.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Threads that count into places of their own; more of them share.
const SHARDS: usize = 16;

/// Counts of one moment, or of one connection's last step. Connections count in one of these by themselves and hand it
/// over once for many packets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Connections accepted.
    pub sockets: u64,
    /// CONNECTs accepted.
    pub connections: u64,
    /// Packets of any type from clients.
    pub packets_received: u64,
    /// Packets of any type to clients.
    pub packets_sent: u64,
    /// PUBLISH packets from clients.
    pub publishes_received: u64,
    /// PUBLISH packets to clients.
    pub publishes_sent: u64,
    /// Messages that did not reach a client that they were for.
    pub publishes_dropped: u64,
    /// Payload bytes from clients.
    pub publish_bytes_received: u64,
    /// Payload bytes to clients.
    pub publish_bytes_sent: u64,
    /// Bytes from clients.
    pub bytes_received: u64,
    /// Bytes to clients.
    pub bytes_sent: u64,
    /// Sessions that reached their expiry.
    pub sessions_expired: u64,
}

macro_rules! counters {
    ($($field:ident),+) => {
        /// In a cache line of its own: threads that count must not wait for each other's.
        #[derive(Debug, Default)]
        #[repr(align(128))]
        struct Shard {
            $($field: AtomicU64,)+
        }

        impl std::ops::AddAssign for Tally {
            fn add_assign(&mut self, other: Self) {
                $(self.$field += other.$field;)+
            }
        }

        impl Shard {
            fn add(&self, tally: &Tally) {
                $(if tally.$field > 0 {
                    self.$field.fetch_add(tally.$field, Ordering::Relaxed);
                })+
            }

            fn add_to(&self, sum: &mut Tally) {
                $(sum.$field += self.$field.load(Ordering::Relaxed);)+
            }
        }
    };
}
counters!(
    sockets,
    connections,
    packets_received,
    packets_sent,
    publishes_received,
    publishes_sent,
    publishes_dropped,
    publish_bytes_received,
    publish_bytes_sent,
    bytes_received,
    bytes_sent,
    sessions_expired
);

/// All counts since the start.
#[derive(Debug, Default)]
pub struct Traffic {
    shards: [Shard; SHARDS],
}

impl Traffic {
    /// Adds what one connection has counted.
    pub fn add(&self, tally: &Tally) {
        if let Some(shard) = self.shards.get(own_shard()) {
            shard.add(tally);
        }
    }

    /// The sums. Others may be counting at the same time.
    pub fn sum(&self) -> Tally {
        let mut sum = Tally::default();
        for shard in &self.shards {
            shard.add_to(&mut sum);
        }
        sum
    }
}

fn own_shard() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static OWN: usize = NEXT.fetch_add(1, Ordering::Relaxed) % SHARDS;
    }
    OWN.with(|own| *own)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_many_threads_count_is_summed_up() {
        let traffic = Traffic::default();
        let tally = Tally {
            packets_received: 3,
            bytes_sent: 7,
            ..Tally::default()
        };
        std::thread::scope(|scope| {
            for _ in 0..40 {
                scope.spawn(|| traffic.add(&tally));
            }
        });
        let expected = Tally {
            packets_received: 120,
            bytes_sent: 280,
            ..Tally::default()
        };
        assert_eq!(traffic.sum(), expected);
    }
}
