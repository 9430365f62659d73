//! How components are compiled and run.

use wasmtime::{Config, Engine};

use crate::{EngineError, HostLimits};

/// Frames of a guest's stack that a failure may quote.
const BACKTRACE_FRAMES: usize = 8;

/// Address space that each linear memory reserves.
const MEMORY_RESERVATION_BYTES: u64 = 4 << 30;

/// What the host's own functions may use of the stack of a call that may wait, beyond the guest's part. Address space:
/// only what is touched takes memory.
const HOST_STACK_BYTES: usize = 512 << 10;

/// The engine that all plugins of a host share.
///
/// - Epochs interrupt, fuel does not count: fuel would cost every call 5 to 10 %, epochs cost next to nothing there.
/// - The component model's own concurrency is off: it is not in the contract, and costs each call 0.6 µs. A call that
///   may wait runs on a stack of its own (a fiber), which the guest does not notice; other calls do not.
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
        .async_stack_size(limits.stack_bytes + HOST_STACK_BYTES)
        .memory_reservation(MEMORY_RESERVATION_BYTES)
        .wasm_memory64(false)
        .wasm_backtrace_max_frames(std::num::NonZeroUsize::new(BACKTRACE_FRAMES))
        .generate_address_map(false);
    Engine::new(&config).map_err(|error| EngineError(format!("{error:#}")))
}
