//! Topic names and topic filters. A value of one of these types is valid by construction.

mod error;
mod filter;
mod limits;
mod name;
mod shared;

pub use error::TopicError;
pub use filter::TopicFilter;
pub use limits::TopicLimits;
pub use name::TopicName;
pub use shared::{ShareName, SharedFilter};

/// The longest string that MQTT can carry `[MQTT-4.7.3-3]`.
const BYTES_MAX: usize = 65_535;

/// What one pass over the bytes of a topic finds.
#[derive(Default)]
struct Scan {
    separators: usize,
    null: bool,
    wildcard: bool,
}

impl Scan {
    #[inline]
    fn of(bytes: &[u8]) -> Self {
        let mut scan = Self::default();
        // So short that one byte can count the separators; with that, and without branches, the compiler looks
        // at sixteen bytes at once.
        for part in bytes.chunks(usize::from(u8::MAX)) {
            let mut separators = 0_u8;
            for &byte in part {
                separators = separators.wrapping_add(u8::from(byte == b'/'));
                scan.null |= byte == 0;
                scan.wildcard |= (byte == b'+') | (byte == b'#');
            }
            scan.separators = scan.separators.saturating_add(usize::from(separators));
        }
        scan
    }
}
