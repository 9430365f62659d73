//! Bytes and secrets in JSON.

use base64ct::{Base64, Encoding};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Bytes: a string where they are UTF-8 text, else `{"base64": "…"}`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Blob(pub Vec<u8>);

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Written<'a> {
    Text(std::borrow::Cow<'a, str>),
    Bytes(Encoded),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Encoded {
    base64: String,
}

impl From<&[u8]> for Blob {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }
}

impl Serialize for Blob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match std::str::from_utf8(&self.0) {
            Ok(text) => Written::Text(text.into()),
            Err(_) => Written::Bytes(Encoded {
                base64: Base64::encode_string(&self.0),
            }),
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Written::deserialize(deserializer)? {
            Written::Text(text) => Ok(Self(text.into_owned().into_bytes())),
            Written::Bytes(encoded) => Base64::decode_vec(&encoded.base64)
                .map(Self)
                .map_err(|error| D::Error::custom(format!("base64: {error}"))),
        }
    }
}

/// Bytes that may be a password: `{"redacted": true}` unless it was asked for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Secret {
    /// The bytes.
    Given(Blob),
    /// There were bytes.
    Redacted,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Redacted {
    redacted: bool,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Kept {
    Redacted(Redacted),
    Given(Blob),
}

impl Secret {
    pub(super) fn new(bytes: &[u8], with_secrets: bool) -> Self {
        if with_secrets {
            Self::Given(bytes.into())
        } else {
            Self::Redacted
        }
    }

    /// The bytes, unless they were left out.
    pub fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Given(blob) => Some(&blob.0),
            Self::Redacted => None,
        }
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Given(blob) => blob.serialize(serializer),
            Self::Redacted => Redacted { redacted: true }.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Kept::deserialize(deserializer)? {
            Kept::Redacted(Redacted { redacted: true }) => Ok(Self::Redacted),
            Kept::Redacted(_) => Err(D::Error::custom("a secret that is not redacted is a string")),
            Kept::Given(blob) => Ok(Self::Given(blob)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_readable_and_bytes_stay_whole() {
        for (bytes, json) in [
            (&b"on"[..], r#""on""#),
            (b"", r#""""#),
            (b"\xff\x00", r#"{"base64":"/wA="}"#),
        ] {
            let blob = Blob(bytes.to_vec());
            assert_eq!(serde_json::to_string(&blob).unwrap(), json);
            assert_eq!(serde_json::from_str::<Blob>(json).unwrap(), blob);
        }
        assert!(serde_json::from_str::<Blob>(r#"{"base64":"?"}"#).is_err());
    }

    #[test]
    fn a_secret_is_written_only_if_asked_for() {
        let redacted = serde_json::to_string(&Secret::new(b"hunter2", false)).unwrap();
        assert_eq!(redacted, r#"{"redacted":true}"#);
        for secret in [Secret::new(b"hunter2", false), Secret::new(b"hunter2", true)] {
            let json = serde_json::to_string(&secret).unwrap();
            assert_eq!(serde_json::from_str::<Secret>(&json).unwrap(), secret);
        }
    }
}
