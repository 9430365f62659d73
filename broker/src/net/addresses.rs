//! How many connections one address has, and how fast it opens them.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use hashbrown::HashMap;
use parking_lot::Mutex;

use crate::config::Limits;
use crate::metrics::Limit;

/// What is remembered of an address, for so long after its last connection: all of the burst is free again by then.
const BURST: Duration = Duration::from_secs(1);
/// So many addresses are remembered; beyond it, each time they have become twice as many, those that have no connection and have been
/// quiet are forgotten.
const REMEMBERED_MIN: usize = 64 * 1024;

/// All addresses with connections.
#[derive(Debug, Default)]
pub(super) struct Addresses(Mutex<Visitors>);

#[derive(Debug, Default)]
struct Visitors {
    known: HashMap<Network, Visitor, std::hash::RandomState>,
    /// How many there were when some were forgotten last.
    left: usize,
}

#[derive(Debug)]
struct Visitor {
    connections: u32,
    /// When all its connects would have come at the highest rate allowed.
    paid_until: Instant,
}

/// Whose connections are counted together: whoever has one IPv6 address has the 64 bits behind it, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Network {
    V4(u32),
    V6(u64),
}

impl Addresses {
    /// Counts a connection, until its network is said to be left.
    ///
    /// # Errors
    /// The limit that it is above.
    pub(super) fn admit(&self, address: IpAddr, limits: &Limits, now: Instant) -> Result<Network, Limit> {
        let network = Network::of(address);
        let mut visitors = self.0.lock();
        visitors.forget(now);
        let visitor = visitors.known.entry(network).or_insert(Visitor {
            connections: 0,
            paid_until: now,
        });
        let most = limits.connections_per_address_max;
        if most > 0 && visitor.connections >= most {
            return Err(Limit::ConnectionsPerAddressMax);
        }
        let per_second = limits.connects_per_address_per_second;
        if per_second > 0 {
            let paid_until = visitor.paid_until.max(now) + BURST / per_second;
            if paid_until > now + BURST {
                return Err(Limit::ConnectsPerAddressPerSecond);
            }
            visitor.paid_until = paid_until;
        }
        visitor.connections += 1;
        Ok(network)
    }

    /// A connection has ended.
    pub(super) fn leave(&self, network: Network) {
        if let Some(visitor) = self.0.lock().known.get_mut(&network) {
            visitor.connections -= 1;
        }
    }
}

impl Visitors {
    /// Looks at all of them only once there are twice as many, so that it costs each but little.
    fn forget(&mut self, now: Instant) {
        if self.known.len() >= REMEMBERED_MIN.max(2 * self.left) {
            self.known
                .retain(|_, visitor| visitor.connections > 0 || visitor.paid_until > now);
            self.left = self.known.len();
        }
    }
}

impl Network {
    fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address.to_bits()),
            IpAddr::V6(address) => {
                let [a, b, c, d, e, f, g, h, ..] = address.octets();
                Self::V6(u64::from_be_bytes([a, b, c, d, e, f, g, h]))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn connections_are_counted_until_they_end() {
        let limits = Limits {
            connections_per_address_max: 2,
            ..Limits::default()
        };
        let addresses = Addresses::default();
        let now = clock::now();
        let admit = |text| addresses.admit(address(text), &limits, now);
        let first = admit("2001:db8::1").expect("room");
        admit("2001:db8::2").expect("room");
        assert_eq!(
            admit("2001:db8::3").unwrap_err(),
            Limit::ConnectionsPerAddressMax,
            "of one /64"
        );
        assert!(admit("2001:db8:0:1::1").is_ok(), "another network");
        addresses.leave(first);
        assert!(admit("2001:db8::4").is_ok());
    }

    #[test]
    fn whoever_has_left_is_forgotten_some_time() {
        let limits = Limits::default();
        let addresses = Addresses::default();
        let now = clock::now();
        let come = |number, now| addresses.admit(IpAddr::V4(u32::to_be_bytes(number).into()), &limits, now);
        let many = u32::try_from(REMEMBERED_MIN).expect("fits");
        let networks: Vec<_> = (0..many).map(|number| come(number, now).expect("room")).collect();
        // All are there: half as much again is let in without another look at each.
        for number in many..many + many / 2 {
            addresses.leave(come(number, now + BURST).expect("room"));
        }
        assert_eq!(addresses.0.lock().left, networks.len());
        networks.iter().for_each(|&network| addresses.leave(network));
        for number in 0..many {
            addresses.leave(come(2 * many + number, now + 3 * BURST).expect("room"));
        }
        let visitors = addresses.0.lock();
        assert!(visitors.left < networks.len() / 2 && visitors.known.len() <= 2 * many as usize);
    }

    #[test]
    fn connects_are_counted_by_time() {
        let limits = Limits {
            connects_per_address_per_second: 2,
            ..Limits::default()
        };
        let addresses = Addresses::default();
        let start = clock::now();
        let admit = |millis| {
            let now = start + Duration::from_millis(millis);
            addresses.admit(address("192.0.2.1"), &limits, now).is_ok()
        };
        let tries: Vec<_> = [0, 1, 2, 499, 501, 502, 3000, 3001, 3002]
            .into_iter()
            .map(admit)
            .collect();
        assert_eq!(tries, [true, true, false, false, true, false, true, true, false]);
    }
}
