//! openraft's own suite, and the log against a model, on both engines.

mod machine;
mod model;

use std::sync::Arc;

use openraft::StorageError;
use openraft::testing::log::{StoreBuilder, Suite};
use tempfile::TempDir;

use super::*;
use crate::store::memory::SyncPolicy;
use crate::store::{Hooks, MemoryDisk, MemoryEngine, RocksEngine, RocksOptions};
use machine::Machine;

const GROUP: GroupId = 0;

fn rocks(directory: &TempDir) -> Arc<dyn LogEngine> {
    let options = RocksOptions { memtable_bytes_max: 3 << 20, ..RocksOptions::default() };
    let log = directory.path().join("log");
    Arc::new(RocksEngine::open(&log, &directory.path().join("mark"), &options, Hooks::ignore()).expect("a database"))
}

fn memory(disk: &MemoryDisk) -> Arc<dyn LogEngine> {
    Arc::new(MemoryEngine::open(disk, SyncPolicy::AtOnce, Hooks::ignore()))
}

struct OnRocks;
struct InMemory;

impl StoreBuilder<TypeConfig, RaftLog, Machine, TempDir> for OnRocks {
    async fn build(&self) -> Result<(TempDir, RaftLog, Machine), StorageError<TypeConfig>> {
        let directory = tempfile::tempdir().expect("a directory");
        let log = RaftLog::open(rocks(&directory), GROUP, Offload::Threads).expect("a log");
        Ok((directory, log, Machine::default()))
    }
}

impl StoreBuilder<TypeConfig, RaftLog, Machine> for InMemory {
    async fn build(&self) -> Result<((), RaftLog, Machine), StorageError<TypeConfig>> {
        let log = RaftLog::open(memory(&MemoryDisk::default()), GROUP, Offload::Inline).expect("a log");
        Ok(((), log, Machine::default()))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn openrafts_suite_passes_on_rocksdb() {
    Suite::test_all(OnRocks).await.expect("the suite passes");
}

#[tokio::test]
async fn openrafts_suite_passes_in_memory() {
    Suite::test_all(InMemory).await.expect("the suite passes");
}
