//! How deep components lie within each other.

use crate::sections::{Section, sections};

/// Tools nest two or three. What a level costs the engine grows with all that are around it: 5,000 take half a GiB, in a file of 60
/// KiB, and 50,000 more than any machine has.
const DEPTH_MAX: usize = 100;

/// What is said about one that is.
pub(crate) const TOO_DEEP: &str = "components lie within each other more than 100 deep";

/// Whether a component is nested deeper than the engine should be asked to look.
pub(crate) fn is_too_deep(component: &[u8]) -> bool {
    let mut level = vec![component];
    for _ in 0..DEPTH_MAX {
        level = level.into_iter().flat_map(within).collect();
        if level.is_empty() {
            return false;
        }
    }
    true
}

fn within(component: &[u8]) -> impl Iterator<Item = &[u8]> {
    let inner = sections(component).filter(|section| section.id == Section::COMPONENT);
    inner.map(|section| section.content)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nested(depth: usize) -> Vec<u8> {
        const PREAMBLE: &[u8] = b"\0asm\x0d\0\x01\0";
        (1..depth).fold(PREAMBLE.to_vec(), |inner, _| {
            let [low, high] = [inner.len() & 0x7F, inner.len() >> 7].map(|bits| u8::try_from(bits).unwrap());
            [PREAMBLE, &[Section::COMPONENT, low | 0x80, high], &inner].concat()
        })
    }

    #[test]
    fn depth_is_counted() {
        assert!(!is_too_deep(&nested(1)));
        assert!(!is_too_deep(&nested(DEPTH_MAX)));
        assert!(is_too_deep(&nested(DEPTH_MAX + 1)));
    }

    /// The engine goes as deep as there are bytes, whatever the outermost says about its length.
    #[test]
    fn what_is_cut_short_is_as_deep_as_it_goes() {
        let deep = nested(DEPTH_MAX + 2);
        assert!(is_too_deep(&deep[..deep.len() - 1]));
        assert!(!is_too_deep(&deep[..deep.len() / 2]));
        for end in 0..20 {
            assert!(!is_too_deep(&deep[..end]));
        }
        assert!(!is_too_deep(b"\0asm\x01\0\0\0"));
    }
}
