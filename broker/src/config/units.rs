//! Durations and sizes as people write them.

use std::time::Duration;

/// Milliseconds in each unit, smallest first.
const DURATIONS: [(&str, u64); 5] = [
    ("ms", 1),
    ("s", 1000),
    ("m", 60 * 1000),
    ("h", 60 * 60 * 1000),
    ("d", 24 * 60 * 60 * 1000),
];

/// Bytes in each unit: the decimal ones, then the binary ones.
const SIZES: [(&str, u64); 9] = [
    ("B", 1),
    ("kB", 1000),
    ("MB", 1000 * 1000),
    ("GB", 1000 * 1000 * 1000),
    ("TB", 1000 * 1000 * 1000 * 1000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
];

/// `"500ms"`, `"10s"`, `"5m"`, `"1h"`, `"7d"`.
pub(super) fn parse_duration(text: &str) -> Option<Duration> {
    parse(text, &DURATIONS).map(Duration::from_millis)
}

/// `"512B"`, `"10MB"`, `"64KiB"`, `"1GiB"`.
pub(super) fn parse_size(text: &str) -> Option<u64> {
    // The one spelling besides the table that is met often enough, and cannot mean anything else.
    let text = text
        .strip_suffix("KB")
        .map_or_else(|| text.to_owned(), |number| format!("{number}kB"));
    parse(&text, &SIZES)
}

fn parse(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

/// As [`parse_duration`] reads it, in the largest unit that leaves no fraction.
pub(super) fn show_duration(duration: Duration) -> String {
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    if millis == 0 {
        "\"0s\"".to_owned()
    } else {
        show(millis, &DURATIONS)
    }
}

/// As [`parse_size`] reads it, in the largest unit that leaves no fraction.
pub(super) fn show_size(bytes: u64) -> String {
    if bytes == 0 {
        "0".to_owned()
    } else {
        show(bytes, &SIZES)
    }
}

fn show(value: u64, units: &[(&str, u64)]) -> String {
    let whole = units.iter().filter(|(_, factor)| value.is_multiple_of(*factor));
    let (name, factor) = whole.max_by_key(|(_, factor)| *factor).unwrap_or(&units[0]);
    format!("\"{}{name}\"", value / factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let millis = |text| parse_duration(text).map(|duration| duration.as_millis());
        assert_eq!(millis("500ms"), Some(500));
        assert_eq!(millis("10s"), Some(10_000));
        assert_eq!(millis("5m"), Some(300_000));
        assert_eq!(millis("1h"), Some(3_600_000));
        assert_eq!(millis("7d"), Some(604_800_000));
        for bad in [
            "",
            "10",
            "s",
            "-1s",
            "1.5s",
            "1 s",
            "1S",
            "1h30m",
            "１s",
            "99999999999999999999d",
            "18446744073709551615d",
        ] {
            assert_eq!(millis(bad), None, "{bad}");
        }
    }

    #[test]
    fn sizes() {
        assert_eq!(parse_size("512B"), Some(512));
        assert_eq!(parse_size("64KiB"), Some(65_536));
        assert_eq!(parse_size("1MiB"), Some(1 << 20));
        assert_eq!(parse_size("10MB"), Some(10_000_000));
        assert_eq!(parse_size("3kB"), parse_size("3KB"));
        for bad in [
            "",
            "1",
            "MiB",
            "1.5MiB",
            "1 MiB",
            "1mib",
            "1M",
            "-1B",
            "18446744073709551615KiB",
        ] {
            assert_eq!(parse_size(bad), None, "{bad}");
        }
    }

    #[test]
    fn shown_as_written() {
        for text in ["1ms", "1500ms", "90s", "5m", "25h", "7d"] {
            assert_eq!(
                parse_duration(text).map(show_duration),
                Some(format!("\"{text}\""))
            );
        }
        for text in ["1B", "3kB", "64KiB", "1MiB", "10MB", "3GiB"] {
            assert_eq!(parse_size(text).map(show_size), Some(format!("\"{text}\"")));
        }
    }
}
