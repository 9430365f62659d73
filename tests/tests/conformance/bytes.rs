//! Packets as they stand in the documents: hexadecimal digits, and text between quotes.

/// The bytes of `30 03 0001'a'`.
pub(crate) fn bytes(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (place, part) in text.split('\'').enumerate() {
        if place % 2 == 1 {
            bytes.extend(part.as_bytes());
            continue;
        }
        let digits: Vec<u8> = part.bytes().filter(u8::is_ascii_hexdigit).collect();
        for pair in digits.chunks(2) {
            let pair = str::from_utf8(pair).expect("digits");
            bytes.push(u8::from_str_radix(pair, 16).expect("two digits"));
        }
    }
    bytes
}
