//! What a value may be. A kind turns an [`Item`] into a checked value, or complains and gives none.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use hookwire_protocol::{QoS, TopicFilter};
use ipnet::IpNet;
use toml::de::DeValue;
use tracing_subscriber::EnvFilter;

use super::reader::Item;
use super::units::{parse_duration, parse_size, show_duration, show_size};

/// Longest name of a listener or plugin: names are labels of logs and metrics.
const NAME_BYTES_MAX: usize = 64;

pub(super) fn boolean(item: Item<'_>) -> Option<bool> {
    item.value().as_bool().or_else(|| item.refuse("true or false"))
}

/// A whole number of the type that the setting has; `range` must lie within that type.
pub(super) fn integer<'a, T: TryFrom<u64>>(range: RangeInclusive<u64>) -> impl FnOnce(Item<'a>) -> Option<T> {
    move |item| {
        let number = unsigned(item.value()).filter(|number| range.contains(number));
        number.and_then(|number| T::try_from(number).ok()).or_else(|| {
            item.refuse(format!(
                "a whole number from {} to {}",
                range.start(),
                range.end()
            ))
        })
    }
}

/// Bytes: `"1MiB"` or a plain number.
pub(super) fn size<'a>(range: RangeInclusive<u64>) -> impl FnOnce(Item<'a>) -> Option<usize> {
    move |item| {
        let Some(bytes) = item
            .string()
            .and_then(parse_size)
            .or_else(|| unsigned(item.value()))
        else {
            return item.refuse("a size such as \"1MiB\"");
        };
        let bounded = range
            .contains(&bytes)
            .then(|| usize::try_from(bytes).ok())
            .flatten();
        bounded.or_else(|| {
            item.refuse(format!(
                "a size from {} to {}",
                show_size(*range.start()),
                show_size(*range.end())
            ))
        })
    }
}

pub(super) fn duration<'a>(range: RangeInclusive<Duration>) -> impl FnOnce(Item<'a>) -> Option<Duration> {
    move |item| {
        let Some(duration) = item.string().and_then(parse_duration) else {
            return item.refuse("a duration such as \"10s\"");
        };
        let bounds = || {
            format!(
                "a duration from {} to {}",
                show_duration(*range.start()),
                show_duration(*range.end())
            )
        };
        range
            .contains(&duration)
            .then_some(duration)
            .or_else(|| item.refuse(bounds()))
    }
}

/// A duration that MQTT carries as whole seconds in 16 bits.
pub(super) fn seconds_u16(item: Item<'_>) -> Option<u16> {
    let duration = duration(Duration::ZERO..=Duration::from_secs(u16::MAX.into()))(item.clone())?;
    let seconds = u16::try_from(duration.as_secs())
        .ok()
        .filter(|_| duration.subsec_nanos() == 0);
    seconds.or_else(|| item.refuse("a duration of whole seconds"))
}

/// One of a few words.
pub(super) fn choice<'a, T: Copy>(
    choices: &'static [(&'static str, T)],
) -> impl FnOnce(Item<'a>) -> Option<T> {
    move |item| {
        let chosen = choices
            .iter()
            .find(|(word, _)| item.string() == Some(word))
            .map(|(_, value)| *value);
        chosen.or_else(|| item.refuse(alternatives(choices.iter().map(|(word, _)| *word))))
    }
}

/// `"a", "b" or "c"`.
pub(super) fn alternatives<'w>(words: impl Iterator<Item = &'w str>) -> String {
    let words: Vec<_> = words.map(|word| format!("{word:?}")).collect();
    match words.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => "there is none".to_owned(),
    }
}

pub(super) fn qos(item: Item<'_>) -> Option<QoS> {
    let level = integer::<u8>(0..=2)(item)?;
    QoS::try_from(level).ok()
}

/// Whether a text is fit to be the name of something.
pub(super) fn is_name(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=NAME_BYTES_MAX).contains(&text.len()) && text.bytes().all(allowed)
}

pub(super) fn name(item: Item<'_>) -> Option<String> {
    let name = item.string().filter(|name| is_name(name));
    name.map(str::to_owned).or_else(|| {
        item.refuse(format!(
            "a name of 1 to {NAME_BYTES_MAX} letters, digits, \"-\", \"_\" and \".\""
        ))
    })
}

/// Of a kind, and not seen before: `seen` has the line of each.
pub(super) fn unique<'a, T: Clone + fmt::Debug + Eq + Hash>(
    seen: &mut HashMap<T, usize>,
    kind: impl FnOnce(Item<'a>) -> Option<T>,
) -> impl FnOnce(Item<'a>) -> Option<T> {
    move |item| {
        let value = kind(item.clone())?;
        match seen.get(&value) {
            Some(line) => item.problem(format!("{value:?} is taken by line {line}")),
            None => {
                seen.insert(value.clone(), item.line());
                Some(value)
            }
        }
    }
}

pub(super) fn address(item: Item<'_>) -> Option<SocketAddr> {
    let address = item.string().and_then(|text| text.parse().ok());
    address.or_else(|| item.refuse("an IP address and port such as \"127.0.0.1:1883\" or \"[::]:1883\""))
}

pub(super) fn path(item: Item<'_>) -> Option<PathBuf> {
    item.string()
        .filter(|text| !text.is_empty())
        .map(PathBuf::from)
        .or_else(|| item.refuse("a path"))
}

/// A filter of messages. Shared subscriptions are nobody's here, so `$share/…` would never match.
pub(super) fn topic_filter(item: Item<'_>) -> Option<TopicFilter> {
    const EXPECTED: &str = "a topic filter such as \"factory/#\"";
    let Some(text) = item.string() else {
        return item.refuse(EXPECTED);
    };
    if text.starts_with("$share/") {
        return item.refuse(format!("{EXPECTED} without $share"));
    }
    TopicFilter::new(text)
        .or_else(|error| {
            item.problem(format!("expected {EXPECTED}, found {text:?}: {error}"))
                .ok_or(())
        })
        .ok()
}

/// A text that is not empty and that MQTT can carry.
pub(super) fn text<'a>(expected: &'static str) -> impl Fn(Item<'a>) -> Option<String> {
    move |item| {
        let text = item
            .string()
            .filter(|text| (1..=usize::from(u16::MAX)).contains(&text.len()) && !text.contains('\0'));
        text.map(str::to_owned).or_else(|| item.refuse(expected))
    }
}

/// An address, or a network such as `10.0.0.0/8`.
pub(super) fn network(item: Item<'_>) -> Option<IpNet> {
    let text = item.string();
    let address = text.and_then(|text| text.parse::<IpAddr>().ok()).map(IpNet::from);
    let network = address.or_else(|| text.and_then(|text| text.parse().ok()));
    network.or_else(|| item.refuse("an IP address or a network such as \"10.0.0.0/8\""))
}

/// An array with at least one element; every bad one is complained about.
pub(super) fn list<'a, T>(
    expected: &'static str,
    kind: impl Fn(Item<'a>) -> Option<T>,
) -> impl FnOnce(Item<'a>) -> Option<Vec<T>> {
    move |item| match item
        .elements()
        .map(|elements| elements.map(kind).collect::<Vec<_>>())
    {
        Some(elements) if !elements.is_empty() => elements.into_iter().collect(),
        _ => item.refuse(format!("an array of {expected}")),
    }
}

/// 64 hexadecimal digits.
pub(super) fn sha256(item: Item<'_>) -> Option<[u8; 32]> {
    item.string()
        .and_then(parse_sha256)
        .or_else(|| item.refuse("64 hexadecimal digits"))
}

fn parse_sha256(text: &str) -> Option<[u8; 32]> {
    let mut hash = [0; 32];
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != hash.len() || !rest.is_empty() {
        return None;
    }
    for (byte, [high, low]) in hash.iter_mut().zip(pairs) {
        *byte = hex_digit(*high)? << 4 | hex_digit(*low)?;
    }
    Some(hash)
}

fn hex_digit(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

/// Directives for the log. Checked here so that a slip in them is found with the others.
pub(super) fn log_filter(item: Item<'_>) -> Option<String> {
    let text = item.string().filter(|text| !text.trim().is_empty());
    let valid = text.filter(|text| EnvFilter::try_new(text).is_ok());
    valid
        .map(str::to_owned)
        .or_else(|| item.refuse("a log filter such as \"info\" or \"info,hookwire=debug\""))
}

fn unsigned(value: &DeValue<'_>) -> Option<u64> {
    let number = value.as_integer()?;
    u64::from_str_radix(number.as_str(), number.radix()).ok()
}
