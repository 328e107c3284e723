//! The log in RocksDB: one database, one column family, one thread that writes.
//!
//! The thread takes everything that is queued, writes it as one batch with one sync, and completes the callbacks in
//! order. While it syncs, the next batch gathers: groups commit together without a timer.
//!
//! Records are written in the order of their keys, so files never overlap and compaction only moves them down a level.
//! To keep it so, the committed log id, which changes with every batch, is a note behind the last record rather than a
//! key of its own, and the purged part is not deleted key by key: whole files are dropped, reads begin behind the
//! purged record, and what shares a file with live records stays until that file goes.
//!
//! The database recovers to the last intact point of its write-ahead log; whether that point is late enough is decided
//! by the [synced mark](super::mark).

mod keys;
mod options;
mod peek;
mod queue;
mod reader;
mod writer;

pub use options::{Compression, RocksOptions};
pub use peek::peek;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use rocksdb::{DB, ErrorKind, IteratorMode};

use super::engine::{GroupId, Hooks, LogEngine, LogOp, Record, Recovered};
use super::error::StoreError;
use super::mark::{LogLost, MarkFile, Marks};
use queue::Queue;
use writer::Writer;

/// A log in RocksDB. Dropping it writes what is queued.
pub struct RocksEngine {
    db: Arc<DB>,
    queue: Arc<Queue>,
    marks: Option<Marks>,
    writer: Option<JoinHandle<()>>,
}

impl RocksEngine {
    /// Opens the log in `directory`, whose synced mark is the file `mark`.
    ///
    /// # Errors
    /// The database does not open, or the mark cannot be trusted.
    pub fn open(directory: &Path, mark: &Path, options: &RocksOptions, hooks: Hooks) -> Result<Self, StoreError> {
        let failed = |source| StoreError::Open { path: directory.into(), source };
        let db = DB::open(&options.database(), directory).map_err(|error| unopened(directory, error))?;
        let (file, marks) = match MarkFile::open(mark)? {
            Some((file, marks)) => (Some(file), Some(marks)),
            // An empty log has promised nothing. One with records is read for repair, but never recovered from.
            None if is_empty(&db)? => (Some(MarkFile::create(mark)?), Some(Marks::new())),
            None => (None, None),
        };
        let db = Arc::new(db);
        let queue = Arc::new(Queue::default());
        let writer = file.map(|file| {
            let marks = marks.clone().unwrap_or_default();
            let writer = Writer::new(Arc::clone(&db), Arc::clone(&queue), file, marks, hooks.clone());
            spawn(writer, Arc::clone(&queue), hooks)
        });
        let writer = writer.transpose().map_err(|error| failed(Arc::new(error)))?;
        if writer.is_none() {
            queue.close();
        }
        Ok(Self { db, queue, marks, writer })
    }
}

/// Damage is told from a disk that is full or a directory that may not be read: the cures differ.
fn unopened(directory: &Path, error: rocksdb::Error) -> StoreError {
    let path = directory.into();
    // The directory is there, so what is not is a file that the others name.
    let is_missing = error.as_ref().contains("No such file or directory");
    let is_damage = error.kind() == ErrorKind::Corruption || is_missing;
    let source = Arc::new(error);
    if is_damage { StoreError::Corrupt { path, source } } else { StoreError::Open { path, source } }
}

fn is_empty(db: &DB) -> Result<bool, StoreError> {
    db.iterator(IteratorMode::Start).next().transpose().map(|first| first.is_none()).map_err(StoreError::read)
}

fn spawn(writer: Writer, queue: Arc<Queue>, hooks: Hooks) -> std::io::Result<JoinHandle<()>> {
    thread::Builder::new().name("keeper-log".into()).spawn(move || {
        // A callback that panics must not leave a node that accepts records and never writes them.
        if catch_unwind(AssertUnwindSafe(|| writer.run())).is_err() {
            queue.close();
            (hooks.fatal)(&StoreError::Stopped);
        }
    })
}

impl LogEngine for RocksEngine {
    fn submit(&self, op: LogOp) {
        if let Err(op) = self.queue.push(op) {
            op.finish(Err(StoreError::Stopped));
        }
    }

    fn read(&self, group: GroupId, from: u64, to: u64, bytes_max: usize) -> Result<Vec<Record>, StoreError> {
        reader::records(&self.db, group, from, to, bytes_max)
    }

    fn recover(&self, group: GroupId) -> Result<Recovered, StoreError> {
        let recovered = reader::recover(&self.db, group)?;
        let mark = match &self.marks {
            Some(marks) => marks.get(&group).cloned().unwrap_or_default(),
            None => return Err(LogLost::Unmarked.into()),
        };
        let marked = match &mark.last {
            Some(last) => reader::record(&self.db, group, last.index)?,
            None => None,
        };
        mark.check(&recovered, marked.as_deref())?;
        Ok(recovered)
    }
}

impl Drop for RocksEngine {
    fn drop(&mut self) {
        self.queue.close();
        // A callback may have held the last reference; a thread cannot wait for itself.
        if let Some(writer) = self.writer.take()
            && writer.thread().id() != thread::current().id()
        {
            // It has reported its own failure, if there was one.
            drop(writer.join());
        }
    }
}
