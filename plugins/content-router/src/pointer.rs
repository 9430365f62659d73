//! Where a field of a JSON document is.

/// A JSON pointer (RFC 6901), or the plain name of a member of the outermost object.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Pointer(Vec<String>);

impl Pointer {
    /// `""` is the whole document.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        match text.strip_prefix('/') {
            Some(keys) => keys.split('/').map(unescape).collect::<Result<_, _>>().map(Self),
            None if text.is_empty() => Ok(Self(Vec::new())),
            None if text.contains('/') => Err("a JSON pointer begins with `/`"),
            None => Ok(Self(vec![text.to_owned()])),
        }
    }

    /// Member names and array indices, the outermost first.
    pub(crate) fn into_keys(self) -> Vec<String> {
        self.0
    }
}

fn unescape(key: &str) -> Result<String, &'static str> {
    let mut parts = key.split('~');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (char, rest) = match (part.strip_prefix('0'), part.strip_prefix('1')) {
            (Some(rest), _) => ('~', rest),
            (_, Some(rest)) => ('/', rest),
            (None, None) => return Err("`~` in a JSON pointer is written `~0`, and `/` in a name `~1`"),
        };
        out.push(char);
        out.push_str(rest);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_and_plain_names() {
        let cases: [(&str, &[&str]); 7] = [
            ("", &[]),
            ("temperature", &["temperature"]),
            ("a.b~c", &["a.b~c"]),
            ("/", &[""]),
            ("/a/0", &["a", "0"]),
            ("/a//b", &["a", "", "b"]),
            ("/m~0n/x~1y/~01", &["m~n", "x/y", "~1"]),
        ];
        for (text, keys) in cases {
            assert_eq!(Pointer::parse(text).unwrap().into_keys(), keys, "{text}");
        }
    }

    #[test]
    fn bad_pointers() {
        for text in ["a/b", "a/", "/a~", "/a~2", "/~/x"] {
            assert!(Pointer::parse(text).is_err(), "{text}");
        }
    }
}
