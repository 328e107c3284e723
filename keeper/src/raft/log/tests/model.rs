//! Random operations on a log and on a vector, with restarts in between; whatever is asked, both answer the same.

use std::collections::BTreeMap;

use openraft::alias::LeaderIdOf;
use openraft::storage::{IOFlushed, RaftLogStorage as _};
use openraft::type_config::TypeConfigExt as _;
use openraft::vote::RaftLeaderId as _;
use openraft::{EntryPayload, RaftLogReader as _};
use proptest::prelude::*;

use super::*;
use crate::batch::Batch;

/// One step; numbers are taken modulo what makes sense at that point.
#[derive(Debug, Clone)]
enum Step {
    Append { entries: u64, bytes: usize },
    Truncate { kept: u64 },
    Purge { share: u64 },
    PurgeBeyond { gap: u64 },
    Vote,
    Commit { share: u64 },
    Read { from: u64, length: u64 },
    Reopen,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (1..8_u64, prop_oneof![0..200_usize, 100_000..600_000_usize])
            .prop_map(|(entries, bytes)| Step::Append { entries, bytes }),
        2 => any::<u64>().prop_map(|kept| Step::Truncate { kept }),
        2 => any::<u64>().prop_map(|share| Step::Purge { share }),
        1 => (1..20_u64).prop_map(|gap| Step::PurgeBeyond { gap }),
        1 => Just(Step::Vote),
        3 => any::<u64>().prop_map(|share| Step::Commit { share }),
        4 => (any::<u64>(), 1..20_u64).prop_map(|(from, length)| Step::Read { from, length }),
        2 => Just(Step::Reopen),
    ];
    proptest::collection::vec(step, 1..40)
}

#[derive(Default)]
struct Model {
    term: u64,
    entries: BTreeMap<u64, (LogId, usize)>,
    purged: Option<LogId>,
    committed: Option<LogId>,
    vote: Option<Vote>,
}

impl Model {
    fn id(&self, index: u64) -> LogId {
        LogId { leader_id: LeaderIdOf::<TypeConfig>::new(self.term, 1).to_committed(), index }
    }

    fn last(&self) -> Option<LogId> {
        self.entries.last_key_value().map(|(_, (log_id, _))| *log_id).or(self.purged)
    }

    /// One of the indices from the first to the last entry.
    fn pick(&self, share: u64) -> Option<u64> {
        let first = *self.entries.first_key_value()?.0;
        Some(first + share % self.entries.len() as u64)
    }
}

fn entry(log_id: LogId, bytes: usize) -> Entry {
    // Recognisable by its index.
    let payload = vec![u8::try_from(log_id.index % 251).unwrap_or_default(); bytes];
    Entry { log_id, payload: EntryPayload::Normal(Batch::from_encoded(payload.into())) }
}

async fn append(log: &mut RaftLog, entries: Vec<Entry>) {
    let (done, finished) = TypeConfig::oneshot();
    log.append(entries, IOFlushed::signal(done)).await.expect("an append");
    finished.await.expect("an answer").expect("a sync");
}

async fn agree(log: &mut RaftLog, model: &Model) {
    let state = log.get_log_state().await.expect("its state");
    assert_eq!((state.last_purged_log_id, state.last_log_id), (model.purged, model.last()));
    assert_eq!(log.read_vote().await.expect("its vote"), model.vote);
    let read = log.try_get_log_entries(..).await.expect("its entries");
    let read: Vec<_> = read.iter().map(|entry| (entry.log_id, encode::entry(entry))).collect();
    let expected = model.entries.values().map(|(log_id, bytes)| (*log_id, encode::entry(&entry(*log_id, *bytes))));
    assert!(read == expected.collect::<Vec<_>>(), "entries {:?}", read.iter().map(|(id, _)| id).collect::<Vec<_>>());
}

async fn run(steps: Vec<Step>, open: impl Fn() -> RaftLog) {
    let mut log = open();
    let mut model = Model::default();
    for step in steps {
        match step {
            Step::Append { entries, bytes } => {
                let first = model.last().map_or(0, |last| last.index + 1);
                let added: Vec<_> = (first..first + entries).map(|index| (model.id(index), bytes)).collect();
                append(&mut log, added.iter().map(|(id, bytes)| entry(*id, *bytes)).collect()).await;
                model.entries.extend(added.into_iter().map(|added| (added.0.index, added)));
            }
            Step::Truncate { kept } => {
                let Some(index) = model.pick(kept) else { continue };
                // What is committed is never truncated.
                let index = index.max(model.committed.map_or(0, |committed| committed.index));
                model.entries.split_off(&(index + 1));
                model.term += 1;
                log.truncate_after(model.last()).await.expect("a truncation");
            }
            Step::Purge { share } => {
                let Some(index) = model.pick(share) else { continue };
                let upto = model.entries[&index].0;
                model.entries = model.entries.split_off(&(index + 1));
                model.purged = Some(upto);
                log.purge(upto).await.expect("a purge");
            }
            Step::PurgeBeyond { gap } => {
                model.term += 1;
                let upto = model.id(model.last().map_or(0, |last| last.index) + gap);
                model.entries.clear();
                model.purged = Some(upto);
                log.purge(upto).await.expect("a purge");
            }
            Step::Vote => {
                model.term += 1;
                let vote = Vote { leader_id: LeaderIdOf::<TypeConfig>::new(model.term, 1), committed: false };
                model.vote = Some(vote);
                log.save_vote(&vote).await.expect("a vote");
            }
            Step::Commit { share } => {
                let Some(index) = model.pick(share) else { continue };
                let committed = Some(model.entries[&index].0).max(model.committed);
                model.committed = committed;
                log.save_committed(committed).await.expect("a hint");
            }
            Step::Read { from, length } => {
                let Some(from) = model.pick(from) else { continue };
                let read = log.limited_get_log_entries(from, from + length).await.expect("entries");
                let expected = model.entries.range(from..from + length).map(|(_, (log_id, _))| *log_id);
                let read: Vec<_> = read.iter().map(|entry| entry.log_id).collect();
                assert!(!read.is_empty() && expected.collect::<Vec<_>>().starts_with(&read), "{read:?}");
            }
            Step::Reopen => {
                drop(log);
                log = open();
                let committed = log.read_committed().await.expect("a log id");
                assert!(committed <= model.last(), "{committed:?} is beyond the log");
                if model.committed > model.purged {
                    assert_eq!(committed, model.committed);
                }
            }
        }
        agree(&mut log, &model).await;
    }
}

fn drive(run: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().expect("a runtime");
    runtime.block_on(run);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_log_on_rocksdb_is_a_vector_that_survives(steps in steps()) {
        let directory = tempfile::tempdir().expect("a directory");
        drive(run(steps, || RaftLog::open(rocks(&directory), GROUP, Offload::Threads).expect("a log")));
    }

    #[test]
    fn a_log_in_memory_is_a_vector_that_survives(steps in steps()) {
        let disk = MemoryDisk::default();
        drive(run(steps, || RaftLog::open(memory(&disk), GROUP, Offload::Inline).expect("a log")));
    }
}
