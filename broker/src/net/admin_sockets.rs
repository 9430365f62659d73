//! The sockets of the admin endpoint. The endpoint itself is [`admin`](crate::admin).

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use tokio::net::{TcpListener, UnixListener};

use super::Stream;
use crate::config::AdminSettings;

/// Only who runs the broker may connect to the socket in the file system.
const SOCKET_MODE: u32 = 0o600;

/// By which way a request came: what has to be shown for it differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Over TCP, at a loopback address or another.
    Tcp {
        /// Only this machine can connect there.
        is_loopback: bool,
    },
    /// Through a file that the system guards.
    File,
}

/// A listening socket of the endpoint.
#[derive(Debug)]
pub enum AdminSocket {
    /// An address.
    Tcp(TcpListener),
    /// A file, removed when it is dropped.
    File(UnixListener, SocketFile),
}

/// A socket's place in the file system.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    /// To know it again: another broker may have put its own there.
    inode: u64,
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let is_ours = fs::symlink_metadata(&self.path).is_ok_and(|meta| meta.ino() == self.inode);
        if is_ours {
            // Best effort: what is left is replaced at the next start.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Opens the sockets that the configuration names.
///
/// # Errors
/// One cannot be opened.
pub async fn open_admin_sockets(settings: &AdminSettings) -> anyhow::Result<Vec<AdminSocket>> {
    let mut sockets = Vec::new();
    if let Some(address) = settings.address {
        let listener = TcpListener::bind(address).await;
        let listener = listener.with_context(|| format!("admin endpoint: cannot listen on {address}"))?;
        sockets.push(AdminSocket::Tcp(listener));
    }
    if let Some(path) = &settings.socket {
        let socket = open_file(path);
        sockets.push(socket.with_context(|| format!("admin endpoint: cannot open {}", path.display()))?);
    }
    Ok(sockets)
}

/// It is made under another name and gets its own when nobody else can use it any more.
fn open_file(path: &Path) -> anyhow::Result<AdminSocket> {
    check_place(path)?;
    let mut made = path.as_os_str().to_owned();
    made.push(format!(".{}", std::process::id()));
    let made = PathBuf::from(made);
    let _ = fs::remove_file(&made);
    let listener = UnixListener::bind(&made)?;
    fs::set_permissions(&made, fs::Permissions::from_mode(SOCKET_MODE))?;
    let inode = fs::symlink_metadata(&made)?.ino();
    fs::rename(&made, path)?;
    let file = SocketFile {
        path: path.to_owned(),
        inode,
    };
    Ok(AdminSocket::File(listener, file))
}

/// What a broker that was killed left behind may be replaced; nothing else.
fn check_place(path: &Path) -> anyhow::Result<()> {
    let Ok(meta) = fs::symlink_metadata(path) else {
        return Ok(());
    };
    if !meta.file_type().is_socket() {
        bail!("there is a file that is no socket");
    }
    if std::os::unix::net::UnixStream::connect(path).is_ok() {
        bail!("another broker uses it");
    }
    Ok(())
}

impl AdminSocket {
    /// Where it is, for a person.
    ///
    /// # Errors
    /// The system does not tell.
    pub fn place(&self) -> io::Result<String> {
        match self {
            Self::Tcp(listener) => Ok(format!("http://{}", listener.local_addr()?)),
            Self::File(_, file) => Ok(file.path.display().to_string()),
        }
    }

    /// The way that leads here.
    ///
    /// # Errors
    /// The system does not tell.
    pub fn way(&self) -> io::Result<Way> {
        match self {
            Self::Tcp(listener) => Ok(Way::Tcp {
                is_loopback: is_loopback(listener.local_addr()?),
            }),
            Self::File(..) => Ok(Way::File),
        }
    }

    /// Waits for a connection.
    ///
    /// # Errors
    /// The system has no descriptor left, or the connection died in the queue.
    pub async fn accept(&self) -> io::Result<Box<dyn Stream>> {
        match self {
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                Ok(Box::new(stream))
            }
            Self::File(listener, _) => Ok(Box::new(listener.accept().await?.0)),
        }
    }
}

fn is_loopback(address: SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}
