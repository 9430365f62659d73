//! What a component says of its own version: the custom section `version` of the tools' conventions, in the component
//! or in a module within it. Read before anything is compiled, and only shown.

use crate::journal::printable;

/// Longest version that is shown, bytes.
const VERSION_BYTES_MAX: usize = 64;

const PREAMBLE_BYTES: usize = 8;
const CUSTOM: u8 = 0;
/// In a component: a core module.
const CORE_MODULE: u8 = 1;

/// The version of a component, if it tells one.
pub(crate) fn of(component: &[u8]) -> Option<String> {
    let own = sections(component).find_map(of_section);
    let version = own.or_else(|| {
        let modules = sections(component).filter(|section| section.id == CORE_MODULE);
        modules
            .flat_map(|module| sections(module.content))
            .find_map(of_section)
    })?;
    let text = str::from_utf8(version).ok()?.trim();
    (!text.is_empty()).then(|| printable(text, VERSION_BYTES_MAX).into_owned())
}

struct Section<'b> {
    id: u8,
    content: &'b [u8],
}

/// The sections of a module or component, as far as they are whole.
fn sections(mut bytes: &[u8]) -> impl Iterator<Item = Section<'_>> {
    bytes = bytes.get(PREAMBLE_BYTES..).unwrap_or_default();
    std::iter::from_fn(move || {
        let (&id, rest) = bytes.split_first()?;
        let (content, rest) = sized(rest)?;
        bytes = rest;
        Some(Section { id, content })
    })
}

fn of_section(section: Section<'_>) -> Option<&[u8]> {
    let (name, content) = sized(section.content).filter(|_| section.id == CUSTOM)?;
    (name == b"version").then_some(content)
}

/// Bytes with their length in front, and what follows.
fn sized(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = leb128(bytes)?;
    rest.split_at_checked(usize::try_from(len).ok()?)
}

fn leb128(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let mut value = 0_u32;
    for (at, byte) in bytes.iter().take(5).enumerate() {
        value |= u32::from(byte & 0x7f).checked_shl(7 * u32::try_from(at).ok()?)?;
        if byte & 0x80 == 0 {
            return Some((value, &bytes[at + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn component(text: &str) -> Vec<u8> {
        wat::parse_str(text).unwrap()
    }

    #[test]
    fn a_component_or_a_module_in_it_tells() {
        assert_eq!(of(&component("(component)")), None);
        let own = "(component (core module (@custom \"version\" \"0.9\")) (@custom \"version\" \"1.2.3\"))";
        assert_eq!(of(&component(own)).unwrap(), "1.2.3");
        let inner = "(component (core module (@custom \"other\" \"x\") (@custom \"version\" \" 0.9\\0a\")))";
        assert_eq!(of(&component(inner)).unwrap(), "0.9");
        let evil = "(component (@custom \"version\" \"1\\0a2\"))";
        assert_eq!(of(&component(evil)).unwrap(), "1\\n2");
        assert_eq!(of(&component("(component (@custom \"version\" \"\\ff\"))")), None);
    }

    #[test]
    fn what_is_cut_short_tells_nothing() {
        let whole = component("(component (@custom \"version\" \"1.2.3\"))");
        for end in 0..whole.len() {
            assert_eq!(of(&whole[..end]), None);
        }
        assert_eq!(of(b"\0asm\x0d\0\x01\0\0\xff\xff\xff\xff\xff\xff"), None);
    }
}
