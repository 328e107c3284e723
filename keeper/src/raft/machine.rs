//! The state machine as openraft sees it: the [`Replica`], what the log says about it, and its snapshots.
//!
//! All of it runs on openraft's one worker task, so an apply, a freeze and an install never overlap: the data of a
//! snapshot is exactly that of its metadata. The state lives in memory; after a start it comes from the last snapshot
//! and the log behind it. Every responder is answered in the order of the log, after its entry shows in the replica.

use std::io;
use std::sync::Arc;

use futures_util::{Stream, StreamExt};
use keeper_registry::planted;
use openraft::alias::{LeaderIdOf, LogIdOf, SnapshotMetaOf, SnapshotOf, StoredMembershipOf};
use openraft::storage::{EntryResponder, RaftStateMachine};
use openraft::{EntryPayload, OptionalSend, Raft};
use tokio::sync::watch;

use super::offload::Offload;
use super::snapshot_builder::SnapshotBuilder;
use super::snapshot_data::{Received, SnapshotData};
use super::snapshot_files::SnapshotFiles;
use super::snapshot_schedule::SnapshotSchedule;
use super::type_config::{ReplyBatch, TypeConfig};
use crate::metrics::Metrics;
use crate::replica::Replica;

/// openraft, instantiated.
pub(super) type RaftNode = Raft<TypeConfig, Machine>;

/// Applies the log to the replica.
pub(super) struct Machine {
    replica: Arc<Replica>,
    files: Arc<SnapshotFiles>,
    schedule: Arc<SnapshotSchedule>,
    offload: Offload,
    metrics: Arc<Metrics>,
    applied: Option<LogIdOf<TypeConfig>>,
    membership: StoredMembershipOf<TypeConfig>,
    /// Who led when the newest applied entry was proposed; moves once a leadership.
    leader: watch::Sender<Option<LeaderIdOf<TypeConfig>>>,
}

impl Machine {
    pub(super) fn new(
        replica: Arc<Replica>,
        files: Arc<SnapshotFiles>,
        schedule: Arc<SnapshotSchedule>,
        offload: Offload,
        metrics: Arc<Metrics>,
    ) -> Self {
        let membership = StoredMembershipOf::<TypeConfig>::default();
        Self { replica, files, schedule, offload, metrics, applied: None, membership, leader: watch::Sender::new(None) }
    }

    /// Who led when the newest applied entry was proposed.
    pub(super) fn watch_leader(&self) -> watch::Receiver<Option<LeaderIdOf<TypeConfig>>> {
        self.leader.subscribe()
    }

    fn moved_to(&mut self, applied: Option<LogIdOf<TypeConfig>>) {
        self.applied = applied;
        let leader = applied.map(|id| *id.committed_leader_id());
        self.leader.send_if_modified(|known| {
            let changed = *known != leader;
            *known = leader;
            changed
        });
    }

    fn apply_entry(&mut self, (entry, responder): EntryResponder<TypeConfig>) -> io::Result<()> {
        let index = entry.log_id.index;
        let (replies, bytes) = match entry.payload {
            EntryPayload::Normal(batch) => {
                let replies = self.replica.apply(index, &batch).map_err(|source| {
                    io::Error::new(io::ErrorKind::InvalidData, format!("log entry {index} is not applied: {source}"))
                })?;
                (replies, batch.encoded().len())
            }
            // A leader's first.
            EntryPayload::Blank => {
                planted!("dedup-forgotten" => {
                    let forgetful = planted::without_answers(self.replica.freeze(), self.replica.presence_limits());
                    self.replica.install(forgetful, index);
                });
                self.replica.advance(index);
                (Vec::new(), 0)
            }
            EntryPayload::Membership(membership) => {
                self.membership = StoredMembershipOf::<TypeConfig>::new(Some(entry.log_id), membership);
                self.replica.advance(index);
                (Vec::new(), 0)
            }
        };
        self.moved_to(Some(entry.log_id));
        self.schedule.applied(index, bytes as u64);
        if let Some(responder) = responder {
            responder.send(ReplyBatch(replies));
        }
        Ok(())
    }
}

impl RaftStateMachine<TypeConfig> for Machine {
    type SnapshotData = SnapshotData;
    type SnapshotBuilder = SnapshotBuilder;

    async fn applied_state(&mut self) -> io::Result<(Option<LogIdOf<TypeConfig>>, StoredMembershipOf<TypeConfig>)> {
        Ok((self.applied, self.membership.clone()))
    }

    async fn apply<S>(&mut self, mut entries: S) -> io::Result<()>
    where
        S: Stream<Item = io::Result<EntryResponder<TypeConfig>>> + Unpin + OptionalSend,
    {
        while let Some(entry) = entries.next().await {
            self.apply_entry(entry?)?;
            // Entries in memory are always ready: without this, a long run of them would keep the thread from the core.
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    async fn get_snapshot_builder(&mut self) -> SnapshotBuilder {
        self.schedule.frozen();
        let mut last_log_id = self.applied;
        if let Some(last) = last_log_id.as_mut().filter(|_| planted!("snapshot-meta-newer")) {
            last.index += 1;
        }
        let meta = SnapshotMetaOf::<TypeConfig> { last_log_id, last_membership: self.membership.clone() };
        let (files, schedule) = (Arc::clone(&self.files), Arc::clone(&self.schedule));
        SnapshotBuilder::new(self.replica.freeze(), meta, files, schedule, self.offload, Arc::clone(&self.metrics))
    }

    async fn install_snapshot(&mut self, meta: &SnapshotMetaOf<TypeConfig>, snapshot: SnapshotData) -> io::Result<()> {
        let bytes = snapshot.file().size_bytes();
        let state = match snapshot {
            // Of the last run: this is the start.
            SnapshotData::Kept(file) => {
                let files = Arc::clone(&self.files);
                let state = self.offload.short(move || files.thaw(&file)).await?;
                self.replica.levels().enter_state(&state).map_err(io::Error::other)?;
                state
            }
            SnapshotData::Received(received) => {
                let Received { state, file, receiver } = *received;
                // Before the file is: a binary that cannot read it must refuse the directory.
                self.replica.levels().enter_state(&state).map_err(io::Error::other)?;
                let (files, meta) = (Arc::clone(&self.files), meta.clone());
                self.offload.short(move || files.keep(meta, &file, receiver)).await?;
                self.metrics.snapshots_installed.inc();
                state
            }
        };
        self.replica.install(state, meta.last_log_id.map_or(0, |id| id.index));
        self.membership = meta.last_membership.clone();
        self.moved_to(meta.last_log_id);
        self.schedule.frozen();
        self.schedule.written(bytes);
        self.metrics.snapshot_bytes.set(bytes);
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> io::Result<Option<SnapshotOf<TypeConfig, SnapshotData>>> {
        Ok(self.files.current())
    }
}
