//! A write-ahead log that was cut or damaged: either every acknowledged write is there, or the mark says that it is
//! not. Never silently fewer.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc;

use bytes::Bytes;
use keeper::store::{
    GroupId, Hooks, LogEngine as _, LogLost, LogOp, Position, Record, Recovered, RocksEngine, RocksOptions, StoreError,
};

const GROUP: GroupId = 0;

/// What a test wrote, and what must therefore be there.
struct Acknowledged {
    records: Vec<Record>,
    vote: Bytes,
}

fn open(root: &Path) -> Result<RocksEngine, StoreError> {
    let options = RocksOptions { memtable_bytes_max: 3 << 20, ..RocksOptions::default() };
    RocksEngine::open(&root.join("log"), &root.join("mark"), &options, Hooks::ignore())
}

fn record(term: u64, index: u64, bytes: usize) -> Record {
    let mut record = format!("{term:04}{index:08}").into_bytes();
    // Not compressible to nothing, and different for each record.
    record.extend((0..bytes as u64).map(|at| (at.wrapping_mul(index + 7) >> 3) as u8));
    Record { index, bytes: record.into() }
}

fn position(record: &Record) -> Position {
    Position { index: record.index, log_id: record.bytes.slice(..12) }
}

/// Submits one operation and waits for it, so that it is a sync of its own.
fn durable(engine: &RocksEngine, op: impl FnOnce(keeper::store::Done) -> LogOp) {
    let (done, finished) = mpsc::channel();
    engine.submit(op(Box::new(move |result| done.send(result).expect("the test waits"))));
    finished.recv().expect("an answer").expect("a sync");
}

fn append(engine: &RocksEngine, records: Vec<Record>) {
    let last = position(records.last().expect("a record"));
    durable(engine, |done| LogOp::Append { group: GROUP, records, last, done });
}

/// A log with votes, and a truncation in its middle.
fn write(root: &Path, count: u64, bytes: usize) -> Acknowledged {
    let engine = open(root).expect("an empty log");
    let vote = |term: u64| Bytes::from(format!("vote {term:04}"));
    durable(&engine, |done| LogOp::SaveVote { group: GROUP, vote: vote(1), done });
    let mut records: Vec<_> = (0..count).map(|index| record(1, index, bytes)).collect();
    records.iter().for_each(|record| append(&engine, vec![record.clone()]));
    durable(&engine, |done| LogOp::SaveVote { group: GROUP, vote: vote(2), done });
    records.truncate(records.len() - 3);
    let last = records.last().map(position);
    durable(&engine, |done| LogOp::TruncateAfter { group: GROUP, last, done });
    for index in count - 3..count - 1 {
        records.push(record(2, index, bytes));
        append(&engine, records.last().cloned().into_iter().collect());
    }
    Acknowledged { records, vote: vote(2) }
}

/// The newest write-ahead log.
fn wal(root: &Path) -> PathBuf {
    let files = fs::read_dir(root.join("log")).expect("the log").map(|entry| entry.expect("an entry").path());
    files.filter(|path| path.extension().is_some_and(|extension| extension == "log")).max().expect("a log file")
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a directory");
    for entry in fs::read_dir(from).expect("a directory") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("its type").is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("a copy");
        }
    }
}

/// Opens a copy with its newest write-ahead log changed.
fn damaged(
    root: &Path,
    change: impl FnOnce(&mut Vec<u8>),
) -> Result<(RocksEngine, Recovered, tempfile::TempDir), StoreError> {
    let directory = tempfile::tempdir().expect("a directory");
    copy(root, directory.path());
    let path = wal(directory.path());
    let mut bytes = fs::read(&path).expect("its bytes");
    change(&mut bytes);
    fs::write(&path, bytes).expect("a write");
    let engine = open(directory.path())?;
    let recovered = engine.recover(GROUP)?;
    Ok((engine, recovered, directory))
}

/// Whether everything is there; panics if something is missing that nobody reported.
fn is_whole(
    found: Result<(RocksEngine, Recovered, tempfile::TempDir), StoreError>,
    written: &Acknowledged,
    how: &str,
) -> bool {
    match found {
        Ok((engine, recovered, _directory)) => {
            let end = written.records.len() as u64;
            let read = engine.read(GROUP, 0, end + 10, usize::MAX).expect("the records");
            assert!(read == written.records, "{how}: records are missing or changed, and nobody said so");
            assert_eq!(recovered.vote.as_ref(), Some(&written.vote), "{how}");
            true
        }
        Err(
            StoreError::LogLost(_) | StoreError::Open { .. } | StoreError::Corrupt { .. } | StoreError::Damaged { .. },
        ) => false,
        Err(error) => panic!("{how}: {error}"),
    }
}

#[test]
fn a_log_cut_anywhere_is_whole_or_reported_lost() {
    let directory = tempfile::tempdir().expect("a directory");
    let written = write(directory.path(), 30, 300);
    let length = fs::metadata(wal(directory.path())).expect("the log file").len() as usize;
    let mut lost = 0;
    for cut in (0..length).step_by(61) {
        let whole =
            is_whole(damaged(directory.path(), |bytes| bytes.truncate(cut)), &written, &format!("cut at {cut}"));
        lost += usize::from(!whole);
    }
    assert!(lost > 100, "only {lost} cuts of {length} bytes were noticed");
    assert!(is_whole(damaged(directory.path(), |_| {}), &written, "untouched"));
}

#[test]
fn a_log_with_a_flipped_bit_is_whole_or_reported_lost() {
    let directory = tempfile::tempdir().expect("a directory");
    let written = write(directory.path(), 30, 300);
    let length = fs::metadata(wal(directory.path())).expect("the log file").len() as usize;
    for at in (0..length).step_by(59) {
        let flipped = damaged(directory.path(), |bytes| bytes[at] ^= 1 << (at % 8));
        is_whole(flipped, &written, &format!("byte {at} of {length} flipped"));
    }
}

#[test]
fn a_recycled_log_file_is_no_less_safe() {
    let directory = tempfile::tempdir().expect("a directory");
    // Several memtables, so that the newest file is an old one written over.
    let written = write(directory.path(), 120, 60_000);
    let length = fs::metadata(wal(directory.path())).expect("the log file").len() as usize;
    let mut lost = 0;
    for at in (0..length).step_by(length / 24) {
        let how = format!("byte {at} of {length} flipped");
        lost += usize::from(!is_whole(damaged(directory.path(), |bytes| bytes[at] ^= 1), &written, &how));
        let how = format!("cut at {at} of {length}");
        lost += usize::from(!is_whole(damaged(directory.path(), |bytes| bytes.truncate(at)), &written, &how));
    }
    assert!(lost > 0, "no damage was noticed");
}

#[test]
fn a_lost_log_stays_lost() {
    let directory = tempfile::tempdir().expect("a directory");
    write(directory.path(), 30, 300);
    let path = wal(directory.path());
    let bytes = fs::read(&path).expect("its bytes");
    fs::write(&path, &bytes[..bytes.len() / 2]).expect("a write");
    for _ in 0..3 {
        let engine = open(directory.path()).expect("the database opens without a word");
        assert!(matches!(engine.recover(GROUP), Err(StoreError::LogLost(_))));
    }
}

#[test]
fn a_log_without_its_mark_is_lost() {
    let directory = tempfile::tempdir().expect("a directory");
    write(directory.path(), 5, 10);
    fs::remove_file(directory.path().join("mark")).expect("a removal");
    for _ in 0..2 {
        let engine = open(directory.path()).expect("the database opens");
        assert!(matches!(engine.recover(GROUP), Err(StoreError::LogLost(LogLost::Unmarked))));
    }
}
