use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;

use super::*;
use crate::store::{LogLost, Position};

const GROUP: GroupId = 0;

/// What the callbacks reported, in order.
type Reports = Arc<Mutex<Vec<Result<u64, String>>>>;

fn engine(disk: &MemoryDisk) -> MemoryEngine {
    MemoryEngine::open(disk, SyncPolicy::Notified(Box::new(|| {})), Hooks::ignore())
}

fn append(engine: &MemoryEngine, index: u64, reports: &Reports) {
    let record = Record { index, bytes: Bytes::from(format!("{index:04}payload")) };
    let last = Position { index, log_id: record.bytes.slice(..4) };
    let reports = Arc::clone(reports);
    let done = Box::new(move |result: Result<(), StoreError>| {
        reports.lock().push(result.map(|()| index).map_err(|error| error.to_string()));
    });
    engine.submit(LogOp::Append { group: GROUP, records: vec![record], last, done });
}

#[test]
fn a_crash_drops_what_was_not_synced() {
    let (disk, reports) = (MemoryDisk::default(), Reports::default());
    let first = engine(&disk);
    (1..=3).for_each(|index| append(&first, index, &reports));
    first.sync();
    (4..=6).for_each(|index| append(&first, index, &reports));
    disk.crash(1);
    assert_eq!(*reports.lock(), [Ok(1), Ok(2), Ok(3)], "what never became durable was never acknowledged");
    let second = engine(&disk);
    assert_eq!(second.recover(GROUP).expect("a log").last_index(), Some(4), "one operation had reached the disk");
    append(&first, 9, &reports);
    first.sync();
    assert_eq!(second.recover(GROUP).expect("a log").last_index(), Some(4), "the dead do not write");
}

#[test]
fn a_failed_sync_is_final() {
    let (disk, reports) = (MemoryDisk::default(), Reports::default());
    let fatal = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&fatal);
    let counted = Arc::new(move |_: &StoreError| {
        counter.fetch_add(1, Ordering::Relaxed);
    });
    let hooks = Hooks { fatal: counted, ..Hooks::ignore() };
    let engine = MemoryEngine::open(&disk, SyncPolicy::AtOnce, hooks);
    append(&engine, 1, &reports);
    disk.inject(Fault::NoSpace);
    append(&engine, 2, &reports);
    append(&engine, 3, &reports);
    let expected = [Ok(1), Err("the log cannot be written".into()), Err("the log has stopped".into())];
    assert_eq!(*reports.lock(), expected);
    assert_eq!(fatal.load(Ordering::Relaxed), 1);
}

#[test]
fn a_torn_log_is_reported_lost() {
    let (disk, reports) = (MemoryDisk::default(), Reports::default());
    let engine = engine(&disk);
    (1..=5).for_each(|index| append(&engine, index, &reports));
    engine.sync();
    disk.tear(GROUP, 2);
    let lost = LogLost::Shorter { marked: 5, found: Some(3) };
    assert!(matches!(engine.recover(GROUP), Err(StoreError::LogLost(found)) if found == lost));
}

#[test]
fn a_truncation_lowers_what_the_log_must_hold() {
    let (disk, reports) = (MemoryDisk::default(), Reports::default());
    let engine = engine(&disk);
    (1..=5).for_each(|index| append(&engine, index, &reports));
    let last = Some(Position { index: 3, log_id: Bytes::from_static(b"0003") });
    engine.submit(LogOp::TruncateAfter { group: GROUP, last, done: Box::new(|_| {}) });
    engine.sync();
    assert_eq!(engine.recover(GROUP).expect("a log").last_index(), Some(3));
}
