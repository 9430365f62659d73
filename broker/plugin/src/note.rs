//! Arguments and results of the host's functions, as a test reads them.

use std::fmt::Write;

/// Bytes: text where they are text, else hexadecimal.
pub(crate) fn bytes(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => format!("{text:?}"),
        Err(_) => bytes.iter().fold("0x".to_owned(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        }),
    }
}

pub(crate) fn optional_bytes(value: Option<&[u8]>) -> String {
    value.map_or_else(|| "none".to_owned(), bytes)
}

pub(crate) fn optional(text: Option<&str>) -> String {
    text.map_or_else(|| "none".to_owned(), |text| format!("{text:?}"))
}

/// A time to live.
pub(crate) fn millis(ms: Option<u64>) -> String {
    ms.map_or_else(|| "none".to_owned(), |ms| format!("{ms} ms"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_text_where_they_can_be() {
        assert_eq!(bytes(b"a\"b"), r#""a\"b""#);
        assert_eq!(bytes(b"\xff\x01"), "0xff01");
        assert_eq!(
            (optional_bytes(None), millis(Some(5))),
            ("none".to_owned(), "5 ms".to_owned())
        );
    }
}
