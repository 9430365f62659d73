//! Requests to the admin endpoint, written as a test wants them.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use crate::{Broker, PATIENCE};

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpReply {
    /// Status code.
    pub status: u16,
    /// Names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// What was sent with it.
    pub body: String,
}

/// A connection to the admin endpoint.
#[derive(Debug)]
pub struct Http {
    stream: BufReader<TcpStream>,
}

impl Http {
    /// Connects.
    #[track_caller]
    pub fn open(broker: &Broker) -> Self {
        let stream = TcpStream::connect(broker.admin_address()).expect("the admin endpoint listens");
        stream
            .set_read_timeout(Some(PATIENCE))
            .expect("a time-out can be set");
        Self {
            stream: BufReader::new(stream),
        }
    }

    /// Asks for something and reads all of the answer.
    #[track_caller]
    pub fn get(broker: &Broker, path: &str) -> HttpReply {
        Self::ask(broker, "GET", path, None)
    }

    /// Sends a request, with JSON if there is some, and reads all of the answer.
    #[track_caller]
    pub fn ask(broker: &Broker, method: &str, path: &str, json: Option<&str>) -> HttpReply {
        let body = json.map_or_else(String::new, |json| {
            format!(
                "content-type: application/json\r\ncontent-length: {}\r\n\r\n{json}",
                json.len()
            )
        });
        let end = if json.is_none() { "\r\n" } else { "" };
        let mut http = Self::open(broker);
        http.send(&format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\n{body}{end}"
        ));
        http.reply()
    }

    /// Sends bytes as they are. The other end may have closed already.
    pub fn send(&mut self, bytes: &str) {
        let _ = self.stream.get_mut().write_all(bytes.as_bytes());
    }

    /// Reads the head of an answer; lines may follow.
    #[track_caller]
    pub fn begin(&mut self) -> HttpReply {
        let first = self.line();
        let status = first.split(' ').nth(1).and_then(|status| status.parse().ok());
        let mut headers = Vec::new();
        loop {
            let line = self.line();
            let Some((name, value)) = line.split_once(':') else {
                break;
            };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        HttpReply {
            status: status.unwrap_or_else(|| panic!("no status in {first:?}")),
            headers,
            body: String::new(),
        }
    }

    /// Reads all of an answer.
    #[track_caller]
    pub fn reply(&mut self) -> HttpReply {
        let mut reply = self.begin();
        if let Some(length) = reply.header("content-length") {
            let mut body = vec![0; length.parse().expect("a length is a number")];
            self.stream
                .read_exact(&mut body)
                .expect("the body is as long as it says");
            reply.body = String::from_utf8(body).expect("the body is text");
        } else if reply.header("transfer-encoding") == Some("chunked") {
            while let Some(chunk) = self.chunk() {
                reply.body.push_str(&chunk);
            }
        }
        reply
    }

    /// The next part of an answer without an end that is known; `None` at its end.
    #[track_caller]
    pub fn chunk(&mut self) -> Option<String> {
        let size = usize::from_str_radix(&self.line(), 16).expect("a chunk begins with its size");
        let mut chunk = vec![0; size + 2];
        self.stream
            .read_exact(&mut chunk)
            .expect("a chunk is as long as it says");
        chunk.truncate(size);
        (size > 0).then(|| String::from_utf8(chunk).expect("a chunk is text"))
    }

    /// Waits until the other end closes; what it says before is dropped.
    #[track_caller]
    pub fn closed(&mut self) {
        let mut rest = Vec::new();
        if let Err(error) = self.stream.read_to_end(&mut rest) {
            let is_reset = error.kind() == std::io::ErrorKind::ConnectionReset;
            assert!(is_reset, "still open: {error}");
        }
    }

    #[track_caller]
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).expect("an answer comes");
        assert!(!line.is_empty(), "the connection was closed");
        line.trim_end().to_owned()
    }
}

impl HttpReply {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(header, _)| header == name);
        found.map(|(_, value)| value.as_str())
    }
}
