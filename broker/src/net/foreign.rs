//! Descriptors that the runtime watches though it has not made them.

use std::io;
use std::os::fd::AsRawFd;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// What has one descriptor all its life, which nobody else closes.
pub(super) trait Foreign: AsRawFd {}

impl Foreign for mio::Poll {}
impl Foreign for mio::net::TcpListener {}

/// Has the runtime tell when there is something to read.
///
/// # Errors
/// The system cannot watch it.
#[expect(
    unsafe_code,
    reason = "the runtime asks for a promise about descriptors of others"
)]
pub(super) fn watched<T: Foreign>(source: T) -> io::Result<AsyncFd<T>> {
    // SAFETY: the descriptor stays the same, and is closed with what has it: see `Foreign`.
    let watched = unsafe { AsyncFd::register_with_interest(source, Interest::READABLE) };
    Ok(watched?)
}
