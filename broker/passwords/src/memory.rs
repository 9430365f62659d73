//! The memory that Argon2 works in.

use std::fmt;

use argon2::Block;

use crate::Hash;

/// Room for comparing with some hashes. Taken once, so that too little memory shows when hashes are read and not when
/// somebody logs in.
#[derive(Default)]
pub struct Memory(pub(crate) Vec<Block>);

/// There is not enough memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoMemory {
    /// How much the hashes need, MiB.
    pub mib: usize,
}

impl Memory {
    /// As much as the costliest of these hashes needs.
    ///
    /// # Errors
    /// There is not so much.
    pub fn for_hashes<'a>(hashes: impl IntoIterator<Item = &'a Hash>) -> Result<Self, NoMemory> {
        let blocks = hashes.into_iter().map(Hash::memory_kib).max().unwrap_or_default();
        let mut memory = Vec::new();
        memory.try_reserve_exact(blocks).map_err(|_| NoMemory {
            mib: blocks.div_ceil(1024),
        })?;
        memory.resize(blocks, Block::default());
        Ok(Self(memory))
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Memory({} KiB)", self.0.len())
    }
}
