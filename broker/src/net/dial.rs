//! Connecting to an admin endpoint, as the command line does.

use std::io;
use std::path::Path;

use tokio::net::{TcpStream, UnixStream};

use super::Stream;

/// Connects to `host:port`.
///
/// # Errors
/// Nobody listens there.
pub async fn dial(address: &str) -> io::Result<Box<dyn Stream>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(Box::new(stream))
}

/// Connects to a socket in the file system.
///
/// # Errors
/// Nobody listens there, or we may not.
pub async fn dial_file(path: &Path) -> io::Result<Box<dyn Stream>> {
    Ok(Box::new(UnixStream::connect(path).await?))
}
