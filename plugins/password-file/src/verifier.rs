//! The work of comparing passwords, which says nothing about who exists.

use std::cell::RefCell;
use std::hint::black_box;

use hookwire_passwords::{Hash, Memory, NoMemory};

/// Compares passwords with the same work for everyone: that of the costliest hash there is. So the time of an answer
/// tells neither whether a user exists nor how its password is kept.
pub(crate) struct Verifier {
    costliest: Option<Hash>,
    /// For Argon2. Taken once, when the plugin loads: too little memory shows then and not when somebody logs in.
    memory: RefCell<Memory>,
}

impl Verifier {
    /// For all these hashes; the error is a text for a person.
    pub(crate) fn new<'a>(hashes: impl Iterator<Item = &'a Hash> + Clone) -> Result<Self, String> {
        let memory = Memory::for_hashes(hashes.clone()).map_err(|NoMemory { mib }| {
            format!(
                "the hashes need {mib} MiB of memory; set the plugin's `memory` to {} MiB or more",
                mib + 4
            )
        })?;
        Ok(Self {
            costliest: hashes.max_by_key(|hash| hash.cost()).cloned(),
            memory: RefCell::new(memory),
        })
    }

    /// Whether the password is that of the hash; false without the one or the other, after the same work.
    pub(crate) fn verify(&self, hash: Option<&Hash>, password: Option<&[u8]>) -> bool {
        let mut memory = self.memory.borrow_mut();
        let text = password.unwrap_or_default();
        let correct = hash.is_some_and(|hash| hash.verify(text, &mut memory));
        if let Some(costliest) = &self.costliest
            && hash.is_none_or(|hash| hash.cost() < costliest.cost())
        {
            black_box(costliest.verify(text, &mut memory));
        }
        correct & password.is_some()
    }
}
