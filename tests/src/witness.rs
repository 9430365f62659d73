//! A pair of clients that notices when somebody else's trouble becomes theirs.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use hookwire_protocol::PublishReason;

use crate::{Broker, Client, QoS, v5, v311};

/// Between two messages. A pace, not a wait: nothing depends on it.
const PACE: Duration = Duration::from_millis(20);

/// One client that publishes numbers with QoS 1, and one that receives each of them, once and in order, until the test is over.
#[derive(Debug)]
pub struct Witness {
    stop: Sender<()>,
    thread: JoinHandle<usize>,
}

impl Witness {
    /// Connects a pair; it talks about `witness/<name>`.
    #[track_caller]
    pub fn start(broker: &Broker, name: &str) -> Self {
        let topic = format!("witness/{name}");
        let mut speaker = Client::connect(broker, v5(&format!("witness-speaker-{name}")));
        let mut listener = Client::connect(broker, v311(&format!("witness-listener-{name}")));
        listener.subscribe(&topic, QoS::AtLeastOnce);
        let (stop, stopped) = channel();
        let thread = thread::spawn(move || {
            for round in 0.. {
                let reason = speaker.publish(&topic, round.to_string(), QoS::AtLeastOnce);
                assert_eq!(reason, PublishReason::Success, "the witness was refused");
                assert_eq!(
                    listener.receive().payload,
                    round.to_string(),
                    "what the witness heard"
                );
                if stopped.recv_timeout(PACE) != Err(RecvTimeoutError::Timeout) {
                    listener.expect_nothing();
                    return round + 1;
                }
            }
            unreachable!("the loop is endless");
        });
        Self { stop, thread }
    }

    /// Ends the conversation; fails if anything was lost, doubled, out of order or refused.
    #[track_caller]
    pub fn finish(self) -> usize {
        let Self { stop, thread } = self;
        let _ = stop.send(());
        thread
            .join()
            .unwrap_or_else(|_| panic!("the witness saw something; see above"))
    }
}
