//! Looks for the host through Rust's standard library. A message to `probe/NAME` runs the probe of that name and gets
//! what it saw as its payload; the test says what may be seen, which is nothing.
//!
//! Unlike a plugin made with `hookwire_plugin::export!` this component keeps the C library, and so imports WASI.

#![expect(
    clippy::disallowed_methods,
    reason = "to ask the host what time it is, is the point"
)]

use std::cell::OnceCell;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, ToSocketAddrs, UdpSocket};
use std::path::Path;
use std::time::{Instant, SystemTime};
use std::{env, fs, io, process, thread};

use hookwire_plugin::component::Component;
use hookwire_plugin::prelude::*;

struct Probe;

impl Plugin for Probe {
    type Config = NoConfig;

    fn new(_: NoConfig) -> Result<Self, Problems> {
        Ok(Self)
    }
}

impl OnPublish for Probe {
    fn on_publish(&self, message: &Message<'_>) -> Verdict {
        match message.topic().strip_prefix("probe/") {
            Some(name) => Replacement::payload(seen(name)).into(),
            None => Verdict::pass(),
        }
    }
}

/// What one probe sees.
fn seen(name: &str) -> String {
    match name {
        "environment" => format!("{:?}", env::vars_os().collect::<Vec<_>>()),
        "arguments" => format!("{:?}", env::args_os().collect::<Vec<_>>()),
        "directory" => format!("{:?}", env::current_dir()),
        "file" => format!("{:?}", fs::read("/etc/passwd").map(|bytes| bytes.len())),
        "write" => format!("{:?}", fs::write("/tmp/hookwire-probe", "seen")),
        "list" => format!("{:?}", list(Path::new("/"))),
        "connect" => format!("{:?}", TcpStream::connect("127.0.0.1:1883")),
        "listen" => format!("{:?}", TcpListener::bind("127.0.0.1:0")),
        "udp" => format!("{:?}", UdpSocket::bind("127.0.0.1:0")),
        "resolve" => format!("{:?}", "localhost:1883".to_socket_addrs().map(Iterator::count)),
        "time" => format!("{:?}", SystemTime::now()),
        "monotonic" => format!("{:?}", Instant::now()),
        "random" => format!("{:?}", RandomState::new().hash_one(0)),
        "stdin" => format!("{:?}", io::stdin().read(&mut [0; 16])),
        "stdout" => format!("{:?}", writeln!(io::stdout(), "probe speaks to stdout")),
        "stderr" => format!("{:?}", writeln!(io::stderr(), "probe speaks to stderr")),
        "thread" => format!("{:?}", thread::Builder::new().spawn(|| {}).map(drop)),
        "exit" => process::exit(7),
        "panic" => panic!("probe panics"),
        _ => "no such probe".to_owned(),
    }
}

fn list(path: &Path) -> io::Result<Vec<String>> {
    fs::read_dir(path)?
        .map(|entry| Ok(entry?.path().display().to_string()))
        .collect()
}

struct Exported;

impl Component for Exported {
    type Plugin = Probe;

    fn with_cell<R>(use_cell: impl FnOnce(&OnceCell<Probe>) -> R) -> R {
        thread_local! {
            static PROBE: OnceCell<Probe> = const { OnceCell::new() };
        }
        PROBE.with(use_cell)
    }
}

hookwire_plugin::__export_hook!(Lifecycle, Exported);
hookwire_plugin::__export_hook!(OnPublish, Exported);
