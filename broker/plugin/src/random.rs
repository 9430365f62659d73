//! Unpredictable bytes from the operating system.

use wasmtime::format_err;

pub(crate) fn bytes(length: usize) -> wasmtime::Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    fill(&mut bytes)?;
    Ok(bytes)
}

pub(crate) fn number() -> wasmtime::Result<u64> {
    let mut bytes = [0; 8];
    fill(&mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}

fn fill(bytes: &mut [u8]) -> wasmtime::Result<()> {
    getrandom::fill(bytes).map_err(|error| format_err!("no random bytes: {error}"))
}
