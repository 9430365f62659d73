//! Filters and names, against a matcher that is as simple as can be.
#![no_main]

use hookwire_protocol::{SharedFilter, TopicFilter, TopicName};
use libfuzzer_sys::fuzz_target;

/// Section 4.7 read aloud.
fn naive(filter: &[&str], topic: &[&str]) -> bool {
    let Some((level, filter)) = filter.split_first() else {
        return topic.is_empty();
    };
    if *level == "#" {
        return true;
    }
    let Some((name, topic)) = topic.split_first() else {
        return false;
    };
    (*level == "+" || level == name) && naive(filter, topic)
}

fuzz_target!(|data: &str| {
    if let Ok(shared) = SharedFilter::parse(data) {
        assert_eq!(shared.to_string(), data);
    }
    // Both on one line each; the naive matcher calls itself, so they are not to be long.
    let Some((filter, topic)) = data.split_once('\n') else {
        return;
    };
    if data.len() > 1000 {
        return;
    }
    let (Ok(valid_filter), Ok(valid_topic)) = (TopicFilter::new(filter), TopicName::new(topic)) else {
        return;
    };
    let levels = |text| str::split(text, '/').collect::<Vec<_>>();
    let hidden = topic.starts_with('$') && filter.starts_with(['+', '#']);
    let expected = !hidden && naive(&levels(filter), &levels(topic));
    assert_eq!(valid_filter.matches(&valid_topic), expected);
});
