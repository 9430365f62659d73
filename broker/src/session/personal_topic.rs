//! Topics with the name of a client in them.

/// Puts the client id in the place of `%c` and the user name in that of `%u`. `None` for a client whose name is empty or
/// contains a wildcard or a separator: it must not reach into the topics of others.
pub fn personal_topic(pattern: &str, client_id: &str, username: Option<&str>) -> Option<String> {
    let mut text = pattern.to_owned();
    for (placeholder, value) in [("%c", Some(client_id)), ("%u", username)] {
        if text.contains(placeholder) {
            let value = value.filter(|value| !value.is_empty() && !value.contains(['+', '#', '/']))?;
            text = text.replace(placeholder, value);
        }
    }
    Some(text)
}
