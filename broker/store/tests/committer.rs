//! What those who wait for a batch are told, whatever becomes of it.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use hookwire_store::{
    Committer, CommitterSettings, Durability, Fault, Faulty, Health, Key, Memory, Space, Store, Waiter,
};
use rustix::io::Errno;

/// Longer than any of these takes.
const PATIENCE: Duration = Duration::from_secs(10);

struct Told(Sender<bool>);

impl Waiter for Told {
    fn settled(&self, is_safe: bool) {
        // Who does not listen any more does not matter.
        let _ = self.0.send(is_safe);
    }
}

fn settings() -> CommitterSettings {
    CommitterSettings {
        durability: Durability::Always,
        bytes_max: u64::MAX,
        free_bytes_min: 1,
    }
}

fn started() -> (Arc<Faulty<Memory>>, Committer) {
    let store = Arc::new(Faulty::new(Memory::default()));
    let committer = Committer::start(Arc::clone(&store) as Arc<dyn Store>, settings()).expect("starts");
    (store, committer)
}

fn key(text: &str) -> Key {
    Key::from_slice(text.as_bytes())
}

fn waiting(committer: &Committer, number: u64) -> Receiver<bool> {
    let (sender, receiver) = channel();
    committer.wait(number, Arc::new(Told(sender)));
    receiver
}

fn is_safe(committer: &Committer, number: u64) -> bool {
    waiting(committer, number)
        .recv_timeout(PATIENCE)
        .expect("settled")
}

fn record(committer: &Committer, text: &str) -> u64 {
    committer.put(Space::Queue, key(text), b"value".to_vec())
}

#[test]
fn whoever_waits_is_told_once_it_is_there() {
    let (store, committer) = started();
    let number = record(&committer, "a");
    assert!(is_safe(&committer, number));
    assert!(committer.is_safe(number));
    assert_eq!(store.get(Space::Queue, b"a").unwrap().unwrap(), b"value");
    assert!(is_safe(&committer, number), "and at once if it is known already");
}

#[test]
fn what_belongs_together_is_in_one_batch() {
    let (_, committer) = started();
    let whole = committer.whole();
    let first = record(&committer, "a");
    let told = waiting(&committer, first);
    let second = record(&committer, "b");
    assert_eq!(first, second);
    assert!(told.try_recv().is_err(), "not before all of it is recorded");
    drop(whole);
    assert!(told.recv_timeout(PATIENCE).unwrap());
}

#[test]
fn a_message_that_arrived_before_its_batch_was_taken_costs_no_write() {
    let (store, committer) = started();
    let whole = committer.whole();
    let number = committer.put_new(Space::Queue, key("a"), b"value".to_vec());
    committer.delete(Space::Queue, key("a"));
    drop(whole);
    assert!(is_safe(&committer, number));
    assert_eq!(store.commits(), 0);
}

#[test]
fn what_nobody_waits_for_is_written_all_the_same() {
    let (store, committer) = started();
    record(&committer, "a");
    committer.close();
    assert_eq!(store.inner().len(), 1, "at the end at the latest");
}

#[test]
fn after_a_failure_nothing_is_confirmed_any_more() {
    for fault in [Fault::Write, Fault::Sync] {
        let (store, committer) = started();
        let good = record(&committer, "a");
        assert!(is_safe(&committer, good));
        store.fail_after(0, fault);
        let bad = record(&committer, "b");
        assert!(!is_safe(&committer, bad), "{fault:?}");
        assert_eq!(committer.health(), Health::Failed);
        let later = record(&committer, "c");
        assert!(!is_safe(&committer, later), "{fault:?}");
        assert_eq!(committer.safe(), good);
    }
}

#[test]
fn without_room_everybody_waits_and_nothing_is_lost() {
    let (store, committer) = started();
    store.fail_after(0, Fault::Full);
    let first = record(&committer, "a");
    let told = waiting(&committer, first);
    while committer.health() != Health::Full {
        std::thread::yield_now();
    }
    let second = record(&committer, "b");
    assert!(told.try_recv().is_err());
    store.make_room();
    assert!(told.recv_timeout(PATIENCE).unwrap());
    assert!(is_safe(&committer, second));
    assert_eq!(store.inner().len(), 2);
    while committer.health() != Health::Good {
        std::thread::yield_now();
    }
}

#[test]
fn a_store_that_is_closed_for_want_of_room_is_opened_once_there_is() {
    let (store, committer) = started();
    store.fail_after(0, Fault::Closed);
    let first = record(&committer, "a");
    let told = waiting(&committer, first);
    while store.refused() == 0 && committer.health() != Health::Failed {
        std::thread::yield_now();
    }
    let error = store.get(Space::Queue, b"a").expect_err("it is closed");
    committer.note_failed_read(&error);
    assert_eq!((committer.health(), committer.reads_failed()), (Health::Full, 1));
    store.make_room();
    assert!(told.recv_timeout(PATIENCE).unwrap());
    assert_eq!(store.get(Space::Queue, b"a").unwrap().unwrap(), b"value");
}

#[test]
fn a_cap_is_noticed_and_so_is_room_that_comes_back() {
    let store = Arc::new(Memory::default());
    let capped = CommitterSettings {
        bytes_max: 1000,
        ..settings()
    };
    let committer = Committer::start(Arc::clone(&store) as Arc<dyn Store>, capped).expect("starts");
    let number = committer.put(Space::Queue, key("large"), vec![0; 950]);
    assert!(
        is_safe(&committer, number),
        "it was taken before the cap was reached"
    );
    while committer.health() != Health::Full {
        std::thread::yield_now();
    }
    let number = committer.delete(Space::Queue, key("large"));
    assert!(
        is_safe(&committer, number),
        "what goes away is still taken note of"
    );
    while committer.health() != Health::Good {
        std::thread::yield_now();
    }
}

#[test]
fn many_who_wait_share_few_commits() {
    let (store, committer) = started();
    let committer = &committer;
    std::thread::scope(|scope| {
        for writer in 0..8 {
            scope.spawn(move || {
                for n in 0..50 {
                    let number = record(committer, &format!("{writer}/{n}"));
                    assert!(is_safe(committer, number));
                }
            });
        }
    });
    assert_eq!(store.inner().len(), 400);
    assert!(store.commits() <= 400);
}

#[test]
fn after_a_read_that_failed_nothing_is_confirmed_any_more_and_what_was_is_there() {
    for seed in 0..200_u32 {
        let (store, committer) = started();
        let committer = Arc::new(committer);
        let recording = Arc::clone(&committer);
        let recorder = std::thread::spawn(move || {
            let mut told = Vec::new();
            for number in 0..50_u32 {
                let name = number.to_string();
                let commit = record(&recording, &name);
                told.push((name, waiting(&recording, commit)));
            }
            told
        });
        for _ in 0..seed {
            std::thread::yield_now();
        }
        committer.note_failed_read(&std::io::Error::other("cannot read").into());
        assert_eq!(committer.health(), Health::Failed);
        for (name, told) in recorder.join().expect("no panic") {
            if told.recv_timeout(PATIENCE).expect("settled") {
                let value = store.get(Space::Queue, name.as_bytes()).expect("reads");
                assert!(value.is_some(), "{name} was confirmed");
            }
        }
        assert!(!is_safe(&committer, record(&committer, "later")));
        committer.close();
        assert_eq!(committer.health(), Health::Failed, "for good");
        assert_eq!(committer.reads_failed(), 1);
    }
}

#[test]
fn what_was_confirmed_before_a_read_failed_is_made_safe() {
    let store = Arc::new(Faulty::new(Memory::default()));
    let seldom = CommitterSettings {
        durability: Durability::Interval(Duration::from_secs(3600)),
        ..settings()
    };
    let committer = Committer::start(Arc::clone(&store) as Arc<dyn Store>, seldom).expect("starts");
    assert!(is_safe(&committer, record(&committer, "a")));
    committer.note_failed_read(&std::io::Error::other("cannot read").into());
    committer.close();
    let (syncs, marks) = store.syncs_and_marks();
    assert_eq!(syncs, 1);
    assert!(marks > 0);
    assert_eq!(committer.health(), Health::Failed, "for good");
}

#[test]
fn a_read_that_fails_for_the_moment_is_counted_and_no_failure_of_the_store() {
    let (_, committer) = started();
    for errno in [
        Errno::MFILE,
        Errno::NFILE,
        Errno::NOMEM,
        Errno::INTR,
        Errno::AGAIN,
    ] {
        committer.note_failed_read(&std::io::Error::from(errno).into());
    }
    assert_eq!((committer.health(), committer.reads_failed()), (Health::Good, 5));
    assert!(is_safe(&committer, record(&committer, "a")));
    committer.note_failed_read(&std::io::Error::from(Errno::IO).into());
    assert_eq!(committer.health(), Health::Failed);
}

#[test]
fn a_damaged_record_is_counted_and_no_failure_of_the_store() {
    let (_, committer) = started();
    committer.note_failed_read(&hookwire_store::StoreError::corrupt(
        Space::Queue,
        b"a",
        "for the test",
    ));
    assert_eq!((committer.health(), committer.reads_failed()), (Health::Good, 1));
    assert!(is_safe(&committer, record(&committer, "a")));
}
