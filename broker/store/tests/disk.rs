//! What becomes of a store whose files are damaged, cut short, old, or somebody else's.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hookwire_store::{
    Batch, Committer, CommitterSettings, DataLoss, Disk, Durability, FORMAT, Health, Key, Space, Store,
    StoreError,
};

const CACHE_BYTES: u64 = 1 << 20;

fn open(folder: &Path) -> Result<Disk, StoreError> {
    Disk::open(folder, CACHE_BYTES, DataLoss::Refuse)
}

fn put(store: &Disk, number: u32) {
    let mut batch = Batch::default();
    batch.put(Space::Queue, key(number), value(number));
    store.commit(&batch, true).expect("commits");
}

fn key(number: u32) -> Key {
    Key::from_slice(&number.to_be_bytes())
}

fn value(number: u32) -> Vec<u8> {
    format!("message {number}").into_bytes()
}

/// The numbers of the records, all of which must be what was written.
fn numbers(store: &Disk) -> Result<Vec<u32>, StoreError> {
    let mut numbers = Vec::new();
    store.scan(Space::Queue, &[], &mut |key, found| {
        let number = u32::from_be_bytes(key.try_into().expect("a number"));
        assert_eq!(found, value(number));
        numbers.push(number);
        ControlFlow::Continue(())
    })?;
    Ok(numbers)
}

/// A store with so many commits, closed, and known to be safe up to its end if `is_marked`.
fn filled(commits: u32, is_marked: bool) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path()).expect("opens");
    (0..commits).for_each(|number| put(&store, number));
    if is_marked {
        store.mark().expect("marks");
    }
    folder
}

fn journal(folder: &Path) -> PathBuf {
    let files = fs::read_dir(folder.join("records")).expect("a folder");
    let paths = files.map(|file| file.expect("a file").path());
    paths
        .filter(|path| path.extension().is_some_and(|extension| extension == "jnl"))
        .max()
        .expect("a journal")
}

/// What is written of a file that was made larger than its content.
fn used(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .rposition(|byte| *byte > 0)
        .map_or(0, |last| last + 1)
}

#[test]
fn a_store_is_for_one_process_at_a_time() {
    let folder = filled(1, true);
    let first = open(folder.path()).expect("opens");
    let error = open(folder.path()).expect_err("is in use");
    assert!(matches!(error, StoreError::InUse), "{error}");
    drop(first);
    open(folder.path()).expect("opens again");
}

#[test]
fn nobody_else_may_look_into_it() {
    use std::os::unix::fs::PermissionsExt;
    let parent = tempfile::tempdir().expect("a folder");
    let folder = parent.path().join("data");
    open(&folder).expect("opens");
    for folder in [&folder, &folder.join("records")] {
        let mode = fs::metadata(folder).expect("is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o700, "{}", folder.display());
    }
}

#[test]
fn a_first_start_that_was_cut_off_is_begun_anew_and_a_store_without_its_marker_is_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let records = folder.path().join("records");
    fs::create_dir(&records).expect("makes");
    fs::write(records.join("0.jnl"), [0; 100]).expect("writes");
    let store = open(folder.path()).expect("nothing was ever in it");
    put(&store, 1);
    drop(store);
    fs::remove_file(records.join("version")).expect("removes");
    let error = open(folder.path()).expect_err("is damaged");
    assert_eq!(error.to_string(), "the file records/version is missing");
}

#[test]
fn a_journal_cut_anywhere_near_its_end_opens_at_a_commit() {
    let folder = filled(40, false);
    let journal = journal(folder.path());
    let bytes = fs::read(&journal).expect("a journal");
    let end = used(&bytes);
    for cut in end.saturating_sub(4096)..end {
        fs::write(&journal, &bytes[..cut]).expect("cuts");
        let store = open(folder.path()).expect("a torn end is no damage");
        let found = numbers(&store).expect("reads");
        let count = u32::try_from(found.len()).expect("few");
        assert_eq!(found, (0..count).collect::<Vec<_>>(), "cut at {cut}");
        assert_eq!(store.committed(), u64::from(count), "cut at {cut}");
    }
}

#[test]
fn confirmed_commits_that_are_gone_are_noticed() {
    let folder = filled(40, true);
    let journal = journal(folder.path());
    let mut bytes = fs::read(&journal).expect("a journal");
    bytes.truncate(used(&bytes) / 2);
    fs::write(&journal, &bytes).expect("cuts");
    let error = open(folder.path()).expect_err("commits are missing");
    let StoreError::Lost {
        found,
        confirmed,
        missing,
    } = error
    else {
        panic!("{error}");
    };
    assert_eq!((confirmed, missing), (40, 40 - found));
    assert!(found < 40);

    let store = Disk::open(folder.path(), CACHE_BYTES, DataLoss::Accept).expect("opens with what is left");
    assert_eq!(numbers(&store).expect("reads").len() as u64, found);
    put(&store, 1000);
    drop(store);
    open(folder.path()).expect("and is a good store from then on");
}

#[test]
fn a_bit_flipped_in_any_file_is_refused_or_reported_and_never_served() {
    let folder = filled(40, true);
    // Written to tables, too.
    open(folder.path()).expect("opens").compact().expect("compacts");
    let store = open(folder.path()).expect("opens");
    (40..60).for_each(|number| put(&store, number));
    store.mark().expect("marks");
    drop(store);
    let files = files_below(folder.path());
    assert!(files.len() > 3, "{files:?}");
    let damaged = tempfile::tempdir().expect("a folder");
    let mut refused = 0;
    for path in files {
        let good = fs::read(folder.path().join(&path)).expect("a file");
        let end = used(&good);
        for at in [0, end / 3, end / 2, end.saturating_sub(1)] {
            if at >= end {
                continue;
            }
            let copied = damaged.path().join("copy");
            copy(folder.path(), &copied);
            let mut bytes = good.clone();
            bytes[at] ^= 1;
            fs::write(copied.join(&path), &bytes).expect("damages");
            // Whether it opens depends on what the bit was good for. What it serves is what was written.
            match open(&copied).and_then(|store| numbers(&store)) {
                Ok(found) => assert_eq!(found, (0..60).collect::<Vec<_>>(), "{} at {at}", path.display()),
                Err(_) => refused += 1,
            }
            fs::remove_dir_all(&copied).expect("removes");
        }
    }
    assert!(refused > 0);
}

#[test]
fn a_damaged_record_is_nothing_to_a_scan_that_it_does_not_belong_to() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path()).expect("opens");
    let mut batch = Batch::default();
    for name in [&b"a/1"[..], b"a/2"] {
        batch.put(Space::Plugin, Key::from_slice(name), name.to_vec());
    }
    store.commit(&batch, true).expect("commits");
    drop(store);
    damage(folder.path(), Space::Plugin, b"b/1");
    let store = open(folder.path()).expect("opens");
    let scan = |prefix: &[u8]| {
        let mut count = 0;
        let scanned = store.scan(Space::Plugin, prefix, &mut |_, _| {
            count += 1;
            ControlFlow::Continue(())
        });
        scanned.map(|()| count)
    };
    assert_eq!(scan(b"a/").expect("its records are good"), 2);
    assert!(scan(b"b/").expect_err("its record is damaged").is_damage());
}

/// Makes a record that nobody can have written, behind the back of the store.
fn damage(folder: &Path, space: Space, key: &[u8]) {
    let database = fjall::Database::builder(folder.join("records"))
        .open()
        .expect("opens");
    let records = database
        .keyspace(space.as_str(), fjall::KeyspaceCreateOptions::default)
        .expect("is there");
    records.insert(key, b"?").expect("writes");
    database.persist(fjall::PersistMode::SyncAll).expect("writes");
}

/// Where the first block of a table has its mark, its kind, and something of what it holds.
const IN_THE_FIRST_BLOCK: [usize; 3] = [0, 4, 64];

#[test]
fn a_damaged_block_of_a_table_is_damage_of_its_records_and_no_failure_of_the_store() {
    const COUNT: u32 = 2000;
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path()).expect("opens");
    let mut batch = Batch::default();
    (0..COUNT).for_each(|number| batch.put(Space::Queue, key(number), value(number)));
    store.commit(&batch, true).expect("commits");
    store.compact().expect("writes a table");
    drop(store);
    let table = folder.path().join(largest_table(folder.path()));
    let good = fs::read(&table).expect("a table");
    for at in IN_THE_FIRST_BLOCK {
        let mut bytes = good.clone();
        bytes[at] ^= 0x40;
        fs::write(&table, bytes).expect("damages");
        let store = Arc::new(open(folder.path()).expect("opens"));
        let committer = Committer::start(Arc::clone(&store) as Arc<dyn Store>, settings()).expect("starts");
        let mut damaged = 0;
        for number in 0..COUNT {
            match store.get(Space::Queue, &key(number)) {
                Ok(found) => assert_eq!(found, Some(value(number)), "{number}, bit at {at}"),
                Err(error) => {
                    let place = format!("the record {number:08x} of queue is damaged: its block is damaged");
                    assert_eq!(error.to_string(), place, "bit at {at}");
                    assert!(error.is_damage());
                    committer.note_failed_read(&error);
                    damaged += 1;
                }
            }
        }
        assert!(damaged > 0 && damaged < COUNT / 2, "{damaged}, bit at {at}");
        assert_eq!(committer.reads_failed(), u64::from(damaged));
        let error = numbers(&store).expect_err("a scan says so, too");
        assert!(error.is_damage(), "{error}");
        let mut found = Vec::new();
        let checked = store.check(Space::Queue, &mut |error| found.push(error));
        checked.expect("it is said, and the next space can be looked at");
        assert!(found.len() == 1 && found[0].is_damage(), "{found:?}");
        assert_eq!(committer.health(), Health::Good);
    }
}

fn settings() -> CommitterSettings {
    CommitterSettings {
        durability: Durability::Always,
        bytes_max: u64::MAX,
        free_bytes_min: 0,
    }
}

/// Relative to the folder.
fn largest_table(folder: &Path) -> PathBuf {
    let files = files_below(folder).into_iter();
    let tables = files.filter(|file| file.parent().is_some_and(|parent| parent.ends_with("tables")));
    tables
        .max_by_key(|table| fs::metadata(folder.join(table)).expect("is there").len())
        .expect("a table")
}

/// Relative to the folder.
fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = PathBuf::from(path.file_name().expect("a name"));
        if path.is_dir() {
            files.extend(files_below(&path).into_iter().map(|file| name.join(file)));
        } else {
            files.push(name);
        }
    }
    files.sort();
    files
}

#[test]
fn another_format_is_refused_with_a_clear_text() {
    let folder = filled(1, true);
    let store = open(folder.path()).expect("opens");
    let mut batch = Batch::default();
    batch.put(Space::Meta, Key::from_slice(b"format"), vec![FORMAT + 1]);
    store.commit(&batch, true).expect("commits");
    drop(store);
    let error = open(folder.path()).expect_err("is not ours");
    let (found, known) = (FORMAT + 1, FORMAT);
    assert_eq!(
        error.to_string(),
        format!("the store has format {found}, this version reads formats up to {known}")
    );
}

#[test]
fn opening_again_and_again_converges() {
    let folder = filled(40, true);
    for number in 40..60 {
        let store = open(folder.path()).expect("opens");
        assert_eq!(store.committed(), u64::from(number));
        put(&store, number);
        // As a process that is killed right after its start leaves it.
        drop(store);
    }
    let store = open(folder.path()).expect("opens");
    assert_eq!(numbers(&store).expect("reads"), (0..60).collect::<Vec<_>>());
}

#[test]
fn what_was_deleted_gives_its_room_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path()).expect("opens");
    let mut batch = Batch::default();
    for number in 0..2000_u32 {
        let noise: Vec<u8> = (0..1000_u32)
            .map(|n| (n.wrapping_mul(number) >> 3) as u8)
            .collect();
        batch.put(Space::Message, key(number), noise);
    }
    store.commit(&batch, true).expect("commits");
    store.compact().expect("compacts");
    let before = store.room().expect("tells").used;
    let mut batch = Batch::default();
    (0..2000).for_each(|number| batch.delete(Space::Message, key(number)));
    store.commit(&batch, true).expect("commits");
    store.compact().expect("compacts");
    let after = store.room().expect("tells").used;
    assert!(after + (1 << 20) < before, "{before} {after}");
}

/// A store as format 1 was first released, made by `hookwire store import`. Its records are looked at, not only that it opens.
#[test]
fn the_first_format_is_read_and_taken_over_with_the_first_commit() {
    let folder = fixture("format-1");
    for _ in 0..2 {
        let store = open(folder.path()).expect("opens");
        assert_eq!(numbers(&store).expect("reads"), (0..10).collect::<Vec<_>>());
        assert_eq!(store.committed(), 1);
        assert_eq!(format_of(&store), [1], "who only looks leaves it as it is");
    }
    let store = open(folder.path()).expect("opens");
    put(&store, 10);
    drop(store);
    let store = open(folder.path()).expect("opens");
    assert_eq!(format_of(&store), [FORMAT]);
    assert_eq!(numbers(&store).expect("reads"), (0..=10).collect::<Vec<_>>());
}

/// A store as format 2 was first released, made in the same way.
#[test]
fn the_second_format_is_read() {
    let folder = fixture("format-2");
    let store = open(folder.path()).expect("opens");
    assert_eq!(format_of(&store), [2]);
    assert_eq!(numbers(&store).expect("reads"), (0..10).collect::<Vec<_>>());
    let rewrite = store
        .get(Space::Rewrite, b"\0\0\0\0\0\0\0\x01old/1")
        .expect("reads");
    assert_eq!(rewrite.as_deref(), Some(&b"new/1"[..]));
}

fn fixture(name: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    copy(&Path::new("tests").join(name), folder.path());
    // Folders without files, which version control does not keep.
    for keyspace in fs::read_dir(folder.path().join("records/keyspaces")).expect("a folder") {
        let tables = keyspace.expect("a folder").path().join("tables");
        fs::create_dir_all(tables).expect("a folder");
    }
    folder
}

fn format_of(store: &Disk) -> Vec<u8> {
    let format = store.get(Space::Meta, b"format").expect("reads");
    format.expect("it has one")
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            let bytes = fs::read(&path).expect("a file");
            // A journal is made larger beforehand.
            let is_journal = path.extension().is_some_and(|extension| extension == "jnl");
            let end = if is_journal { used(&bytes) } else { bytes.len() };
            fs::write(&target, &bytes[..end]).expect("copies");
        }
    }
}
