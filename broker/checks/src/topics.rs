//! Filters and names, against a matcher that is as simple as can be.

use hookwire_protocol::{SharedFilter, TopicFilter, TopicName};

/// Section 4.7 read aloud.
pub fn naive(filter: &str, topic: &str) -> bool {
    let levels = |text| str::split(text, '/').collect::<Vec<_>>();
    let is_hidden = topic.starts_with('$') && filter.starts_with(['+', '#']);
    !is_hidden && naive_levels(&levels(filter), &levels(topic))
}

fn naive_levels(filter: &[&str], topic: &[&str]) -> bool {
    let Some((level, filter)) = filter.split_first() else {
        return topic.is_empty();
    };
    if *level == "#" {
        return true;
    }
    let Some((name, topic)) = topic.split_first() else {
        return false;
    };
    (*level == "+" || level == name) && naive_levels(filter, topic)
}

/// A filter and a topic, on one line each.
pub fn topic_match(data: &[u8]) {
    let Ok(data) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(shared) = SharedFilter::parse(data) {
        assert_eq!(shared.to_string(), data);
    }
    let Some((filter, topic)) = data.split_once('\n') else {
        return;
    };
    // The naive matcher calls itself, so they are not to be long.
    if data.len() > 1000 {
        return;
    }
    let (Ok(valid_filter), Ok(valid_topic)) = (TopicFilter::new(filter), TopicName::new(topic)) else {
        return;
    };
    assert_eq!(valid_filter.matches(&valid_topic), naive(filter, topic));
}
