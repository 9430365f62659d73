//! What a component says of its own version: the custom section `version` of the tools' conventions, in the component
//! or in a module within it. Read before anything is compiled, and only shown.

use crate::journal::printable;
use crate::sections::{Section, sections, sized};

/// Longest version that is shown, bytes.
const VERSION_BYTES_MAX: usize = 64;

/// The version of a component, if it tells one.
pub(crate) fn of(component: &[u8]) -> Option<String> {
    let own = sections(component).find_map(of_section);
    let version = own.or_else(|| {
        let modules =
            sections(component).filter(|section| section.id == Section::CORE_MODULE && section.is_whole);
        modules
            .flat_map(|module| sections(module.content))
            .find_map(of_section)
    })?;
    let text = str::from_utf8(version).ok()?.trim();
    (!text.is_empty()).then(|| printable(text, VERSION_BYTES_MAX).into_owned())
}

fn of_section(section: Section<'_>) -> Option<&[u8]> {
    let (name, content) =
        sized(section.content).filter(|_| section.id == Section::CUSTOM && section.is_whole)?;
    (name == b"version").then_some(content)
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
