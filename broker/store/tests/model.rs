//! Every store does what an ordered map does, and does it again after it was closed or killed.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use hookwire_store::{Batch, DataLoss, Disk, Fault, Faulty, Key, Memory, Space, Store};
use proptest::collection::vec;
use proptest::prelude::*;

const CACHE_BYTES: u64 = 1 << 20;

type Model = BTreeMap<(Space, Vec<u8>), Vec<u8>>;

#[derive(Debug, Clone)]
enum Step {
    Commit(Vec<(Space, Vec<u8>, Option<Vec<u8>>)>),
    /// Closed and opened again, or killed, which leaves the same.
    Again,
}

fn space() -> impl Strategy<Value = Space> {
    prop::sample::select(vec![
        Space::Session,
        Space::Queue,
        Space::Message,
        Space::Retained,
    ])
}

/// Few keys, so that they meet again; some are the beginning of others.
fn key() -> impl Strategy<Value = Vec<u8>> {
    vec(prop::sample::select(vec![0, b'/', 0xff]), 0..4).prop_map(|key| [&[1][..], &key].concat())
}

fn step() -> impl Strategy<Value = Step> {
    let value = prop::option::weighted(0.7, vec(any::<u8>(), 0..600));
    prop_oneof![
        5 => vec((space(), key(), value), 1..12).prop_map(Step::Commit),
        1 => Just(Step::Again),
    ]
}

/// A record and its new value; none: it goes.
type Change = (Space, Vec<u8>, Option<Vec<u8>>);

fn batch(changes: &[Change]) -> Batch {
    let mut batch = Batch::default();
    for (space, key, value) in changes {
        let key = Key::from_slice(key);
        match value {
            Some(value) => batch.put(*space, key, value.clone()),
            None => batch.delete(*space, key),
        }
    }
    batch
}

fn apply(model: &mut Model, changes: &[Change]) {
    for (space, key, value) in changes {
        match value {
            Some(value) => model.insert((*space, key.clone()), value.clone()),
            None => model.remove(&(*space, key.clone())),
        };
    }
}

fn everything(store: &dyn Store) -> Model {
    let mut found = Model::new();
    for space in Space::ALL.into_iter().filter(|space| *space != Space::Meta) {
        let mut last = None;
        store
            .scan(space, &[], &mut |key, value| {
                assert!(last.as_deref() < Some(key), "out of order");
                last = Some(key.to_vec());
                found.insert((space, key.to_vec()), value.to_vec());
                ControlFlow::Continue(())
            })
            .expect("scans");
    }
    found
}

fn check(store: &dyn Store, model: &Model) {
    assert_eq!(&everything(store), model);
    for ((space, key), value) in model {
        assert_eq!(store.get(*space, key).expect("gets").as_ref(), Some(value));
        let mut behind = Vec::new();
        store
            .scan(*space, key, &mut |found, _| {
                behind.push(found.to_vec());
                ControlFlow::Continue(())
            })
            .expect("scans");
        let keys = model
            .keys()
            .filter(|(of, found)| of == space && found.starts_with(key));
        let keys: Vec<_> = keys.map(|(_, found)| found.clone()).collect();
        assert_eq!(behind, keys, "a scan has what begins with its prefix");
    }
    assert_eq!(store.get(Space::Ban, b"nobody").expect("gets"), None);
}

fn run<S: Store>(steps: &[Step], mut store: S, again: impl Fn(S) -> S) {
    let mut model = Model::new();
    for (at, step) in steps.iter().enumerate() {
        match step {
            Step::Commit(changes) => {
                store.commit(&batch(changes), at % 2 == 0).expect("commits");
                apply(&mut model, changes);
            }
            Step::Again => store = again(store),
        }
        check(&store, &model);
    }
    let store = again(store);
    check(&store, &model);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn in_memory(steps in vec(step(), 1..24)) {
        run(&steps, Memory::default(), |store| store.after_crash());
    }

    #[test]
    fn behind_a_store_that_could_fail(steps in vec(step(), 1..24)) {
        run(&steps, Faulty::new(Memory::default()), |store| Faulty::new(store.inner().after_crash()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn on_disk(steps in vec(step(), 1..16)) {
        let folder = tempfile::tempdir().expect("a folder");
        let open = || Disk::open(folder.path(), CACHE_BYTES, DataLoss::Refuse).expect("opens");
        run(&steps, open(), |store| {
            drop(store);
            open()
        });
    }
}

#[test]
fn a_commit_that_fails_leaves_nothing_or_all() {
    let changes: Vec<_> = (0..5)
        .map(|n| (Space::Queue, vec![n], Some(vec![n; 10])))
        .collect();
    for fault in [Fault::Full, Fault::Write, Fault::Sync] {
        let store = Faulty::new(Memory::default());
        store.fail_after(0, fault);
        assert!(store.commit(&batch(&changes), true).is_err());
        let left = everything(&store).len();
        assert!(
            left == 0 || (fault == Fault::Sync && left == changes.len()),
            "{fault:?} {left}"
        );
    }
}
