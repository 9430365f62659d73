//! Topic names, topic filters, shared filters, and what matches what.

use hookwire_protocol::{ShareName, SharedFilter, TopicError, TopicFilter, TopicLimits, TopicName};
use proptest::prelude::*;

fn name(text: &str) -> TopicName {
    TopicName::new(text).expect("a topic name")
}

fn filter(text: &str) -> TopicFilter {
    TopicFilter::new(text).expect("a topic filter")
}

#[test]
fn names_and_filters() {
    use TopicError::{Empty, MisplacedWildcard, NullCharacter, Wildcard};
    for (text, as_name, as_filter) in [
        ("a", Ok(()), Ok(())),
        ("/", Ok(()), Ok(())),
        ("//", Ok(()), Ok(())),
        ("a/b/c", Ok(()), Ok(())),
        ("/a/", Ok(()), Ok(())),
        ("a b/c.d/*/>", Ok(()), Ok(())),
        ("$SYS/broker/load", Ok(()), Ok(())),
        ("$", Ok(()), Ok(())),
        ("Ärger/\u{1F600}", Ok(()), Ok(())),
        ("\u{feff}a", Ok(()), Ok(())),
        ("a\nb", Ok(()), Ok(())),
        ("", Err(Empty), Err(Empty)),
        ("\0", Err(NullCharacter), Err(NullCharacter)),
        ("a/\0/b", Err(NullCharacter), Err(NullCharacter)),
        ("#", Err(Wildcard), Ok(())),
        ("+", Err(Wildcard), Ok(())),
        ("/#", Err(Wildcard), Ok(())),
        ("a/#", Err(Wildcard), Ok(())),
        ("a//#", Err(Wildcard), Ok(())),
        ("+/+", Err(Wildcard), Ok(())),
        ("/+", Err(Wildcard), Ok(())),
        ("+/a/#", Err(Wildcard), Ok(())),
        ("a/+/b", Err(Wildcard), Ok(())),
        ("+/", Err(Wildcard), Ok(())),
        ("$SYS/#", Err(Wildcard), Ok(())),
        ("a#", Err(Wildcard), Err(MisplacedWildcard)),
        ("a/b#", Err(Wildcard), Err(MisplacedWildcard)),
        ("#/", Err(Wildcard), Err(MisplacedWildcard)),
        ("#/a", Err(Wildcard), Err(MisplacedWildcard)),
        ("a/#/b", Err(Wildcard), Err(MisplacedWildcard)),
        ("##", Err(Wildcard), Err(MisplacedWildcard)),
        ("+a", Err(Wildcard), Err(MisplacedWildcard)),
        ("a+", Err(Wildcard), Err(MisplacedWildcard)),
        ("a+/b", Err(Wildcard), Err(MisplacedWildcard)),
        ("a/+b/c", Err(Wildcard), Err(MisplacedWildcard)),
        ("++", Err(Wildcard), Err(MisplacedWildcard)),
        ("+#", Err(Wildcard), Err(MisplacedWildcard)),
        ("/+#", Err(Wildcard), Err(MisplacedWildcard)),
    ] {
        assert_eq!(TopicName::new(text).map(drop), as_name, "name {text:?}");
        assert_eq!(TopicFilter::new(text).map(drop), as_filter, "filter {text:?}");
    }
}

#[test]
fn no_longer_than_mqtt_can_carry() {
    let longest = "a".repeat(65_535);
    let too_long = "a".repeat(65_536);
    assert!(TopicName::new(&*longest).is_ok());
    assert!(TopicFilter::new(&*longest).is_ok());
    assert_eq!(TopicName::new(&*too_long), Err(TopicError::TooLong));
    assert_eq!(TopicFilter::new(&*too_long), Err(TopicError::TooLong));
    assert_eq!(
        SharedFilter::parse(format!("$share/g/{longest}")),
        Err(TopicError::TooLong)
    );
}

#[test]
fn bytes_that_are_not_utf_8() {
    let bytes = bytes::Bytes::from_static(b"a/\xff");
    assert_eq!(TopicName::try_from(bytes.clone()), Err(TopicError::NotUtf8));
    assert_eq!(TopicFilter::try_from(bytes), Err(TopicError::NotUtf8));
}

#[test]
fn limits() {
    let limits = TopicLimits {
        levels_max: 2,
        bytes_max: 5,
    };
    for (text, expected) in [
        ("a/b", Ok(())),
        ("ab/cd", Ok(())),
        ("a/b/", Err(TopicError::TooManyLevels)),
        ("ab/cde", Err(TopicError::TooLong)),
    ] {
        assert_eq!(name(text).check(&limits), expected, "{text}");
        assert_eq!(filter(text).check(&limits), expected, "{text}");
    }
    let deep = "/".repeat(127);
    assert_eq!(name(&deep).check(&TopicLimits::default()), Ok(()), "128 levels");
    let too_deep = "/".repeat(128);
    assert_eq!(
        name(&too_deep).check(&TopicLimits::default()),
        Err(TopicError::TooManyLevels)
    );
}

#[test]
fn levels() {
    assert_eq!(
        name("/a//b/").levels().collect::<Vec<_>>(),
        ["", "a", "", "b", ""]
    );
    assert_eq!(filter("+/#").levels().collect::<Vec<_>>(), ["+", "#"]);
    assert!(filter("+/a").has_wildcards());
    assert!(filter("a/#").has_wildcards());
    assert!(!filter("a/b").has_wildcards());
}

#[test]
fn matches() {
    for (filter_text, matching, others) in [
        ("a", &["a"][..], &["/a", "a/", "A", "b", "a/b"][..]),
        ("a/b", &["a/b"], &["a", "a/b/", "/a/b", "a/bc", "a//b"]),
        ("/", &["/"], &["a", "//", "a/"]),
        ("#", &["a", "/", "a/b/c", "//"], &["$SYS", "$SYS/a", "$"]),
        ("+", &["a", " "], &["/", "a/", "/a", "$a", "$"]),
        ("/+", &["/a", "/", "/$a"], &["a", "//", "/a/"]),
        ("+/+", &["/", "a/b", "a/", "/b"], &["a", "a/b/c", "$a/b"]),
        ("a/+", &["a/b", "a/"], &["a", "a/b/c"]),
        (
            "a/+/c",
            &["a/b/c", "a//c", "a/$b/c"],
            &["a/c", "a/b/d", "a/b/c/d"],
        ),
        ("a/#", &["a", "a/", "a/b", "a/b/c"], &["ab", "b/a", "/a"]),
        ("/#", &["/", "/a", "/a/b", "//"], &["a", "a/b"]),
        ("a/+/#", &["a/", "a/b", "a/b/c"], &["a"]),
        ("+/a/#", &["x/a", "/a", "x/a/b"], &["a", "$x/a", "$x/a/b"]),
        ("$SYS/#", &["$SYS", "$SYS/a"], &["SYS/a", "$sys/a", "a"]),
        ("$SYS/+", &["$SYS/a"], &["$SYS", "$SYS/a/b"]),
    ] {
        for topic in matching {
            assert!(
                filter(filter_text).matches(&name(topic)),
                "{filter_text} and {topic}"
            );
        }
        for topic in others {
            assert!(
                !filter(filter_text).matches(&name(topic)),
                "{filter_text} and {topic}"
            );
        }
    }
}

#[test]
fn a_leading_wildcard_does_not_match_a_dollar() {
    for text in ["#", "+", "+/b", "+/#", "+/+"] {
        for topic in ["$a", "$a/b", "$SYS/b", "$"] {
            assert!(!filter(text).matches(&name(topic)), "{text} and {topic}");
        }
    }
    assert!(name("$a").is_dollar());
    assert!(!name("a$").is_dollar());
}

#[test]
fn shared() {
    for (text, share, inner) in [
        ("a/b", None, "a/b"),
        ("$share", None, "$share"),
        ("$Share/g/a", None, "$Share/g/a"),
        ("/$share/g/a", None, "/$share/g/a"),
        ("$share/g/a", Some("g"), "a"),
        ("$share/g/a/+", Some("g"), "a/+"),
        ("$share/g/#", Some("g"), "#"),
        ("$share/g//", Some("g"), "/"),
        ("$share/g//a", Some("g"), "/a"),
        ("$share/g/$SYS/#", Some("g"), "$SYS/#"),
        ("$share/$share/$share/g/a", Some("$share"), "$share/g/a"),
    ] {
        let shared = SharedFilter::parse(text).expect("a shared filter");
        assert_eq!(shared.share.as_ref().map(ShareName::as_str), share, "{text}");
        assert_eq!(shared.filter.as_str(), inner, "{text}");
        assert_eq!(shared.to_string(), text);
    }
    for (text, error) in [
        ("", TopicError::Empty),
        ("$share/", TopicError::ShareName),
        ("$share/g", TopicError::ShareName),
        ("$share//a", TopicError::ShareName),
        ("$share/+/a", TopicError::ShareName),
        ("$share/#", TopicError::ShareName),
        ("$share/g#/a", TopicError::ShareName),
        ("$share/g+h/a", TopicError::ShareName),
        ("$share/g\0/a", TopicError::ShareName),
        ("$share/g/", TopicError::Empty),
        ("$share/g/a#", TopicError::MisplacedWildcard),
        ("$share/g/a\0", TopicError::NullCharacter),
        ("a#", TopicError::MisplacedWildcard),
    ] {
        assert_eq!(SharedFilter::parse(text), Err(error), "{text:?}");
    }
}

/// Section 4.7 read aloud: as slow and as simple as can be.
fn naive(filter: &[String], topic: &[String]) -> bool {
    let Some((level, filter)) = filter.split_first() else {
        return topic.is_empty();
    };
    if level == "#" {
        return true;
    }
    let Some((name, topic)) = topic.split_first() else {
        return false;
    };
    (level == "+" || level == name) && naive(filter, topic)
}

fn naive_matches(filter: &str, topic: &str) -> bool {
    let hidden = topic.starts_with('$') && (filter.starts_with('+') || filter.starts_with('#'));
    let levels = |text: &str| text.split('/').map(str::to_owned).collect::<Vec<_>>();
    !hidden && naive(&levels(filter), &levels(topic))
}

/// Few different levels, so that there are matches at all.
fn topic_text() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(vec!["", "a", "b", "$a", "ä"]), 1..6)
        .prop_map(|levels| levels.join("/"))
}

fn filter_text() -> impl Strategy<Value = String> {
    let level = prop::sample::select(vec!["", "a", "b", "$a", "ä", "+", "+", "+"]);
    (prop::collection::vec(level, 1..6), any::<bool>()).prop_map(|(mut levels, all)| {
        if all {
            levels.push("#");
        }
        levels.join("/")
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn matches_as_the_specification_says(filter in filter_text(), topic in topic_text()) {
        if let (Ok(valid_filter), Ok(valid_topic)) = (TopicFilter::new(&*filter), TopicName::new(&*topic)) {
            prop_assert_eq!(valid_filter.matches(&valid_topic), naive_matches(&filter, &topic));
        }
    }

    #[test]
    fn a_name_is_the_filter_of_itself_alone(one in topic_text(), other in topic_text()) {
        if let (Ok(one), Ok(other)) = (TopicName::new(one), TopicName::new(other)) {
            prop_assert_eq!(TopicFilter::from(one.clone()).matches(&other), one == other);
        }
    }

    #[test]
    fn any_text_is_refused_or_kept_as_it_is(text in "[ab/+#$\0é]{0,8}|\\PC{0,20}|\\$share/.{0,12}") {
        if let Ok(name) = TopicName::new(&*text) {
            prop_assert_eq!(name.as_str(), &*text);
            prop_assert!(!text.is_empty() && !text.contains(['+', '#', '\0']));
            prop_assert!(TopicFilter::new(&*text).is_ok());
        }
        if let Ok(filter) = TopicFilter::new(&*text) {
            prop_assert_eq!(filter.as_str(), &*text);
        }
        if let Ok(shared) = SharedFilter::parse(&*text) {
            prop_assert_eq!(shared.to_string(), text);
        }
    }
}

#[test]
fn a_filter_covers_another_only_whole() {
    for (rule, asked, covered) in [
        ("a/#", "a/b", true),
        ("a/#", "a/+/c", true),
        ("a/#", "a/#", true),
        ("a/#", "a", true),
        ("a/+", "a/+", true),
        ("a/+", "a/b", true),
        ("a/+", "a/#", false),
        ("a/b", "a/+", false),
        ("#", "$SYS/x", false),
        ("a/+/c", "a/b/c", true),
        ("a/+", "a/b/c", false),
    ] {
        assert_eq!(
            TopicFilter::new(rule).unwrap().covers(asked),
            covered,
            "{rule} over {asked}"
        );
    }
}
