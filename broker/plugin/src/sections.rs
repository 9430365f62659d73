//! The parts of a module or component, read without trusting them and without the engine.

const PREAMBLE_BYTES: usize = 8;

/// A part of a module or component.
pub(crate) struct Section<'b> {
    pub(crate) id: u8,
    pub(crate) content: &'b [u8],
    /// The bytes go as far as it says.
    pub(crate) is_whole: bool,
}

impl Section<'_> {
    pub(crate) const CUSTOM: u8 = 0;
    /// In a component.
    pub(crate) const CORE_MODULE: u8 = 1;
    /// In a component: another one.
    pub(crate) const COMPONENT: u8 = 4;
}

/// The sections of a module or component; of the last one what there is.
pub(crate) fn sections(mut bytes: &[u8]) -> impl Iterator<Item = Section<'_>> {
    bytes = bytes.get(PREAMBLE_BYTES..).unwrap_or_default();
    std::iter::from_fn(move || {
        let (&id, rest) = bytes.split_first()?;
        let (len, rest) = leb128(rest)?;
        let whole = rest.split_at_checked(usize::try_from(len).ok()?);
        let (content, behind) = whole.unwrap_or((rest, &[]));
        bytes = behind;
        Some(Section {
            id,
            content,
            is_whole: whole.is_some(),
        })
    })
}

/// Bytes with their length in front, and what follows.
pub(crate) fn sized(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
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
