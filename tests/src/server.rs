//! An HTTP server for policies to ask. It answers as the test says, when the test says.

use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::PATIENCE;

/// A request, as it came.
#[derive(Debug, Clone)]
pub struct Asked {
    /// `POST`.
    pub method: String,
    /// `/login?x=y`.
    pub target: String,
    /// Names in small letters.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Asked {
    /// A header, by its name in small letters.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(found, _)| found == name)?;
        Some(&found.1)
    }
}

/// What a request is answered.
#[derive(Debug, Clone)]
pub struct Reply {
    status: u16,
    headers: String,
    body: Vec<u8>,
    after: Option<Gate>,
    /// Said in the place of an answer.
    raw: Option<Vec<u8>>,
}

impl Reply {
    /// An answer with this status and no body.
    pub fn status(status: u16) -> Self {
        Self {
            status,
            headers: String::new(),
            body: Vec::new(),
            after: None,
            raw: None,
        }
    }

    /// A success with this body.
    pub fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self {
            body: body.into(),
            ..Self::status(200)
        }
    }

    /// Bytes that need not be an answer.
    pub fn raw(bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            raw: Some(bytes.into()),
            ..Self::status(0)
        }
    }

    /// With a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers += &format!("{name}: {value}\r\n");
        self
    }

    /// Not before a gate is opened.
    #[must_use]
    pub fn after(mut self, gate: &Gate) -> Self {
        self.after = Some(gate.clone());
        self
    }

    fn bytes(&self) -> Vec<u8> {
        if let Some(raw) = &self.raw {
            return raw.clone();
        }
        let head = format!(
            "HTTP/1.1 {} Told\r\ncontent-length: {}\r\n{}\r\n",
            self.status,
            self.body.len(),
            self.headers
        );
        [head.as_bytes(), &self.body].concat()
    }
}

/// Answers wait behind it until the test opens it.
#[derive(Debug, Clone, Default)]
pub struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    /// A closed one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets through whoever waits, and whoever comes.
    pub fn open(&self) {
        *lock(&self.0.0) = true;
        self.0.1.notify_all();
    }

    fn pass(&self) {
        let is_open = lock(&self.0.0);
        drop(
            self.0
                .1
                .wait_while(is_open, |is_open| !*is_open)
                .unwrap_or_else(PoisonError::into_inner),
        );
    }
}

/// The server, on a port of its own.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    seen: Arc<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    log: Mutex<Log>,
    news: Condvar,
}

#[derive(Debug, Default)]
struct Log {
    connections: usize,
    requests: Vec<Asked>,
}

impl Server {
    /// A server that answers each request like this. One thread for each connection.
    pub fn start(answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
        let address = listener.local_addr().expect("it has an address");
        let seen = Arc::new(Seen::default());
        let answer = Arc::new(answer);
        let watched = Arc::clone(&seen);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                lock(&watched.log).connections += 1;
                let (seen, answer) = (Arc::clone(&watched), Arc::clone(&answer));
                thread::spawn(move || drop(serve(stream, &seen, &*answer)));
            }
        });
        Self { address, seen }
    }

    /// Where it listens: `http://127.0.0.1:12345`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The requests so far.
    pub fn requests(&self) -> Vec<Asked> {
        lock(&self.seen.log).requests.clone()
    }

    /// Connections so far.
    pub fn connections(&self) -> usize {
        lock(&self.seen.log).connections
    }

    /// Waits until it was asked so many times in all.
    #[track_caller]
    pub fn wait_requests(&self, count: usize) {
        let log = lock(&self.seen.log);
        let (log, timeout) = self
            .seen
            .news
            .wait_timeout_while(log, PATIENCE, |log| log.requests.len() < count)
            .unwrap_or_else(PoisonError::into_inner);
        assert!(
            !timeout.timed_out(),
            "asked {} times, not {count}",
            log.requests.len()
        );
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn serve(stream: TcpStream, seen: &Seen, answer: &dyn Fn(&Asked) -> Reply) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut writer = stream;
    loop {
        let asked = read(&mut reader)?;
        lock(&seen.log).requests.push(asked.clone());
        seen.news.notify_all();
        let reply = answer(&asked);
        if let Some(gate) = &reply.after {
            gate.pass();
        }
        writer.write_all(&reply.bytes())?;
    }
}

fn read(reader: &mut impl BufRead) -> std::io::Result<Asked> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        if line.trim().is_empty() {
            break;
        }
        lines.push(line.trim().to_owned());
    }
    let mut lines = lines.into_iter();
    let first = lines.next().unwrap_or_default();
    let mut words = first.split(' ').map(str::to_owned);
    let headers: Vec<_> = lines
        .filter_map(|line| {
            let (name, value) = line.split_once(':')?;
            Some((name.trim().to_lowercase(), value.trim().to_owned()))
        })
        .collect();
    let length = headers
        .iter()
        .find(|(name, _)| name == "content-length")
        .and_then(|(_, value)| value.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body)?;
    Ok(Asked {
        method: words.next().unwrap_or_default(),
        target: words.next().unwrap_or_default(),
        headers,
        body,
    })
}
