//! How components are compiled and run.

use wasmtime::{Config, Engine};

use crate::{EngineError, HostLimits};

/// Frames of a guest's stack that a failure may quote.
const BACKTRACE_FRAMES: usize = 8;

/// Address space that each linear memory reserves.
const MEMORY_RESERVATION_BYTES: u64 = 4 << 30;

/// The engine that all plugins of a host share.
///
/// - Epochs interrupt, fuel does not count: fuel would cost every call 5 to 10 %, epochs cost next to nothing there.
/// - Everything asynchronous is off: it is not in the contract, and costs each call 0.6 µs.
/// - Code is compiled by one thread (the feature is not even built in): a reload must not take the machine from the
///   clients.
/// - A memory reserves 4 GiB of address space, not of memory. Then no access needs a bounds check and growing never
///   moves anything: measured against 64 MiB, a call costs 12 to 20 % less and a new instance (50 µs) 10 % more. 1,000
///   instances reserve 4 TiB of the 128 TiB that a process has.
pub(crate) fn new(limits: &HostLimits) -> Result<Engine, EngineError> {
    let mut config = Config::new();
    config
        .wasm_component_model(true)
        .concurrency_support(false)
        .epoch_interruption(true)
        .consume_fuel(false)
        .max_wasm_stack(limits.stack_bytes)
        .memory_reservation(MEMORY_RESERVATION_BYTES)
        .wasm_memory64(false)
        .wasm_backtrace_max_frames(std::num::NonZeroUsize::new(BACKTRACE_FRAMES))
        .generate_address_map(false);
    Engine::new(&config).map_err(|error| EngineError(format!("{error:#}")))
}
