//! Which addresses plugins may reach, whatever the name of the server that they belong to: a name means what others say,
//! and a plugin must not be led to what is meant for this machine or this network.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whose an address is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Realm {
    Public,
    /// This machine, or a network that is not the public one.
    Private,
    /// Nobody's, everybody's, or that of the machine's own link, where clouds tell a machine its secrets.
    Forbidden,
}

/// Whether a name that resolves to an address may be followed there.
pub(crate) fn is_allowed(host: &str, address: IpAddr, private: bool) -> bool {
    match realm(address) {
        Realm::Public => true,
        // This name is the machine's own by definition.
        Realm::Private => private || (host == "localhost" && address.is_loopback()),
        Realm::Forbidden => false,
    }
}

fn realm(address: IpAddr) -> Realm {
    match address {
        IpAddr::V4(address) => realm_v4(address),
        IpAddr::V6(address) => realm_v6(address),
    }
}

fn realm_v4(address: Ipv4Addr) -> Realm {
    match address.octets() {
        // "This network", link-local, multicast, reserved, broadcast.
        [0, ..] | [169, 254, ..] | [224..=255, ..] => Realm::Forbidden,
        [10 | 127, ..] | [172, 16..=31, ..] | [192, 168, ..] => Realm::Private,
        // Shared by providers, protocol assignments, benchmarks, documentation.
        [100, 64..=127, ..]
        | [192, 0, 0 | 2, _]
        | [198, 18 | 19, ..]
        | [198, 51, 100, _]
        | [203, 0, 113, _] => Realm::Private,
        _ => Realm::Public,
    }
}

fn realm_v6(address: Ipv6Addr) -> Realm {
    if let Some(inner) = embedded(address) {
        return realm_v4(inner);
    }
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 1] => Realm::Private,
        // Unspecified and the rest of ::/96, link-local, multicast.
        [0, 0, 0, 0, 0, 0, ..] | [0xfe80..=0xfebf, ..] | [0xff00..=0xffff, ..] => Realm::Forbidden,
        // Unique local, the old site-local, documentation.
        [0xfc00..=0xfdff, ..] | [0xfec0..=0xfeff, ..] | [0x2001, 0xdb8, ..] => Realm::Private,
        _ => Realm::Public,
    }
}

/// The address of the other kind that one stands for: mapped, or translated on the way (NAT64, 6to4).
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let of = |high: u16, low: u16| {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        Some(Ipv4Addr::new(a, b, c, d))
    };
    match address.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => of(high, low),
        [0x2002, high, low, ..] => of(high, low),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(host: &str, address: &str, private: bool) -> bool {
        is_allowed(host, address.parse().unwrap(), private)
    }

    #[test]
    fn public_addresses_are_everybodys() {
        for address in [
            "93.184.216.34",
            "2606:4700::1111",
            "::ffff:93.184.216.34",
            "172.32.0.1",
        ] {
            assert!(allowed("auth.example.com", address, false), "{address}");
        }
    }

    #[test]
    fn a_name_does_not_lead_into_the_house() {
        for address in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "100.64.0.1",
            "::1",
            "fd00::1",
            "::ffff:127.0.0.1",
            "64:ff9b::10.0.0.1",
            "2002:7f00:1::",
        ] {
            assert!(!allowed("auth.example.com", address, false), "{address}");
            assert!(allowed("auth.example.com", address, true), "{address}");
        }
        assert!(allowed("localhost", "127.0.0.1", false));
        assert!(allowed("localhost", "::1", false));
        assert!(!allowed("localhost", "10.0.0.1", false));
    }

    #[test]
    fn some_addresses_are_nobodys() {
        for address in [
            "169.254.169.254",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "fe80::1",
            "ff02::1",
            "::ffff:169.254.169.254",
        ] {
            assert!(!allowed("metadata", address, true), "{address}");
            assert!(!allowed("localhost", address, true), "{address}");
        }
    }
}
