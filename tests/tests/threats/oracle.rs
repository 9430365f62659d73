//! What must hold after every case, whatever it was.

use std::fs;
use std::net::TcpStream;

use hookwire_tests::{Broker, Client, PATIENCE, Witness, v5};

/// Memory that a case may leave behind: the allocator gives back late, and more brokers run beside this one.
const MEMORY_SLACK: usize = 64 << 20;

/// Descriptors that the broker opens soon after it listens: it begins to watch its files.
const DESCRIPTOR_SLACK: usize = 8;

/// As many as a broker answers in half a minute or so.
const PINGS_MAX: usize = 300_000;

/// Looks at the broker before the case, and again after it.
pub(crate) struct Oracle<'b> {
    broker: &'b Broker,
    /// A client whose answered pings are the clock.
    clock: Client,
    witness: Witness,
    descriptors: usize,
    resident: usize,
}

impl<'b> Oracle<'b> {
    /// Sends the witness pair to work.
    pub(crate) fn watch(broker: &'b Broker, case: &str) -> Self {
        let witness = Witness::start(broker, case);
        let clock = Client::connect(broker, v5(&format!("clock of {case}")));
        Self {
            broker,
            clock,
            witness,
            descriptors: descriptors(broker) + DESCRIPTOR_SLACK,
            resident: resident(broker),
        }
    }

    /// Bytes that the broker has taken since.
    pub(crate) fn grown(&self) -> usize {
        resident(self.broker).saturating_sub(self.resident)
    }

    /// The system tells nobody that a descriptor was closed or memory given back: it is asked after each answer of the
    /// broker.
    #[track_caller]
    fn wait_until(&mut self, what: &str, is_so: impl Fn() -> bool) {
        for _ in 0..PINGS_MAX {
            if is_so() {
                return;
            }
            self.clock.expect_nothing();
        }
        panic!("{what}, in vain");
    }

    /// No more connections than before are open.
    #[track_caller]
    pub(crate) fn wait_until_they_are_gone(&mut self) {
        let (broker, most) = (self.broker, self.descriptors);
        self.wait_until("descriptors are closed", || descriptors(broker) <= most);
    }

    /// Nothing was lost, doubled or refused; nobody panicked; connections are gone and memory is given back.
    #[track_caller]
    pub(crate) fn conclude(mut self) {
        self.wait_until_they_are_gone();
        let most = self.resident + self.resident / 10 + MEMORY_SLACK;
        let broker = self.broker;
        self.wait_until("memory is given back", || resident(broker) <= most);
        self.witness.finish();
        assert!(
            !self.broker.log().text().contains("panicked"),
            "{}",
            self.broker.log().text()
        );
    }
}

/// How many the broker has open.
pub(crate) fn descriptors(broker: &Broker) -> usize {
    fs::read_dir(format!("/proc/{}/fd", broker.pid()))
        .expect("the broker runs")
        .count()
}

fn resident(broker: &Broker) -> usize {
    let statm = fs::read_to_string(format!("/proc/{}/statm", broker.pid())).expect("the broker runs");
    let pages: usize = statm
        .split_whitespace()
        .nth(1)
        .and_then(|pages| pages.parse().ok())
        .expect("a number of pages");
    pages * 4096
}

/// A connection that is nobody's yet.
pub(crate) fn dial(broker: &Broker) -> TcpStream {
    let stream = TcpStream::connect(broker.address()).expect("the broker listens");
    stream
        .set_read_timeout(Some(PATIENCE))
        .expect("a time-out can be set");
    stream
}

/// As many connections as the limit of descriptors lets this process and the broker have, at most `most`.
pub(crate) fn as_many_as(most: usize) -> usize {
    let limit = fs::read_to_string("/proc/self/limits").expect("Linux tells");
    let open_files = limit.lines().find(|line| line.starts_with("Max open files"));
    let soft = open_files
        .and_then(|line| line.split_whitespace().nth(3))
        .and_then(|soft| soft.parse::<usize>().ok())
        .unwrap_or(1024);
    // Other tests of this process run at the same time.
    most.min(soft / 4)
}
