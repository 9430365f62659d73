//! What a component is, before it is trusted with anything.

use hookwire_hooks::HookSet;

/// What a component's type tells about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Inspection {
    /// Digest of the file.
    pub sha256: [u8; 32],
    /// Its version, where it tells one.
    pub version: Option<String>,
    /// Its size.
    pub bytes: usize,
    /// The hooks that it implements.
    pub hooks: HookSet,
    /// It answers many messages in one call.
    pub batch: bool,
    /// All interfaces that it exports.
    pub exports: Vec<String>,
    /// All interfaces that it imports, those of types only left out.
    pub imports: Vec<String>,
    /// What the configuration must grant it, for example `grant = { metrics = true }`.
    pub grants_needed: Vec<&'static str>,
}
