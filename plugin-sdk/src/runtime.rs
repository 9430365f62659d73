//! Stands in for the few functions of the C library through which Rust's standard library speaks when a plugin
//! panics or prints. They would import WASI's standard streams, environment and exit into every plugin; these import
//! `log`, which is there anyway and needs no grant. So a panic's message is an error line in the broker's log.

use crate::log::{self, Level};

const STDOUT: i32 = 1;
const STDERR: i32 = 2;
/// What the standard library adds to a panic's message, and what nobody can do here.
const BACKTRACE_HINT: &str = "note: run with `RUST_BACKTRACE";

/// What `write` does: a line for the log, or -1 when the descriptor is none of the two that there are.
pub fn write(descriptor: i32, bytes: &[u8]) -> isize {
    let level = match descriptor {
        STDOUT => Level::Info,
        STDERR => Level::Error,
        _ => return -1,
    };
    let text = bytes
        .utf8_chunks()
        .next()
        .map_or("", |chunk| chunk.valid())
        .trim();
    if !text.is_empty() && !text.starts_with(BACKTRACE_HINT) {
        log::write(level, text);
    }
    bytes.len() as isize
}

/// Defines the functions. Part of [`export!`](crate::export!) and not of this crate, so that a component that is
/// made without that macro keeps the C library as it is.
#[macro_export]
#[doc(hidden)]
macro_rules! __stand_in_for_libc {
    () => {
        #[unsafe(no_mangle)]
        extern "C" fn write(descriptor: i32, data: *const u8, length: usize) -> isize {
            // SAFETY: whoever calls `write` owes `length` readable bytes at `data`.
            let bytes = unsafe { ::std::slice::from_raw_parts(data, length) };
            $crate::runtime::write(descriptor, bytes)
        }

        /// There is no environment. Asked for `RUST_BACKTRACE` in a panic.
        #[unsafe(no_mangle)]
        extern "C" fn getenv(_name: *const u8) -> *const u8 {
            ::std::ptr::null()
        }

        /// There is no working directory. Asked for to shorten the paths of a backtrace.
        #[unsafe(no_mangle)]
        extern "C" fn getcwd(_buffer: *mut u8, _length: usize) -> *mut u8 {
            ::std::ptr::null_mut()
        }

        /// What the C library defines beside `getcwd`: with it the linker needs nothing of that file.
        #[unsafe(no_mangle)]
        static __wasilibc_cwd: ::std::sync::atomic::AtomicPtr<::std::ffi::c_char> =
            ::std::sync::atomic::AtomicPtr::new(c"/".as_ptr().cast_mut());

        #[unsafe(no_mangle)]
        extern "C" fn abort() -> ! {
            ::std::arch::wasm32::unreachable()
        }
    };
}
