//! The beginning of a group that goes on from the state of another.
//!
//! What is written is what a node has that led a group of itself alone and took a snapshot: the state, a membership, a
//! vote. A node that starts on it elects itself and goes on. Nothing of the former group is taken over but its state:
//!
//! - **The state begins another history.** It gets a new name, every incarnation in it is closed, and its revision lies
//!   [`RESTORE_REVISIONS`] above the one it had. No epoch, cursor or token of the former group can be issued again,
//!   however many entries that group committed after the snapshot.
//! - **The log begins there too.** Its first log id has the same index, and a term above that of the snapshot, in which
//!   this node has voted for itself. There are no entries: openraft begins the log behind the snapshot.
//! - **The membership is this node alone, reached by nobody.** Its own addresses are left empty: they, and the other
//!   members, come when the group is founded (see [`Standing::Restored`](super::Standing)). The members of the former
//!   group are not named, so none of them is asked for a vote or sent an entry.
//! - **Log time goes on from the wall clock,** if that is later. It measures how long gateways are waited for, which
//!   begins now.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc;

use keeper_registry::{Command, Level, LogTime, PresenceLimits, Rejection, Revision, Stamp, State, StateId};
use openraft::alias::{LeaderIdOf, LogIdOf, SnapshotMetaOf, StoredMembershipOf, VoteOf};
use openraft::vote::RaftLeaderId as _;

use super::encode;
use super::identity::Identity;
use super::snapshot_data::{self, sentence};
use super::type_config::{Member, TypeConfig};
use crate::store::snapshot::{SnapshotFile, SnapshotStore};
use crate::store::{LogEngine, LogOp, StoreError};

/// How far above the snapshot's the first revision lies: more entries than a group commits between two backups, by far.
pub const RESTORE_REVISIONS: u64 = 1 << 32;

/// Where the group begins.
pub struct RestoreParts<'a> {
    /// The state it begins with.
    pub from: &'a SnapshotFile,
    /// The node, with its empty data directory.
    pub identity: &'a Identity,
    /// Its snapshots.
    pub snapshots: &'a SnapshotStore,
    /// Its log, empty.
    pub log: &'a dyn LogEngine,
    /// What the node keeps of presence.
    pub presence: PresenceLimits,
    /// Names the new history.
    pub state_id: StateId,
    /// The wall clock.
    pub wall_ms: u64,
}

/// What the group begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Restored {
    /// The first revision of the new history.
    pub revision: Revision,
    /// The cluster's feature level.
    pub level: Level,
    /// Sessions that nobody has confirmed yet.
    pub sessions: u64,
    /// Gateways that are expected to register them again.
    pub gateways: usize,
}

/// Why a group cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The snapshot cannot be read, or makes no state.
    #[error("the state in the backup cannot be read")]
    Read(#[source] io::Error),
    /// The state does not take a new name.
    #[error("the state in the backup cannot begin a new history: {0:?}")]
    Begin(Rejection),
    /// The new snapshot cannot be written.
    #[error("the restored state cannot be written")]
    Write(#[source] io::Error),
    /// The vote cannot be written.
    #[error("the vote cannot be written")]
    Vote(#[source] StoreError),
}

/// Writes what a node needs to begin a group of itself alone.
///
/// # Errors
/// See [`RestoreError`]; what was written is of no use then.
pub fn restore(parts: &RestoreParts<'_>) -> Result<Restored, RestoreError> {
    let node = parts.identity.node;
    let former = snapshot_data::meta(parts.from).map_err(RestoreError::Read)?;
    let mut state = snapshot_data::thaw(parts.from, parts.presence).map_err(RestoreError::Read)?;
    let revision = begin(&mut state, parts)?;
    let term = former.last_log_id.map_or(0, |id| id.leader_id.term) + 1;
    let leader = LeaderIdOf::<TypeConfig>::new(term, node);
    let last_log_id = LogIdOf::<TypeConfig> { leader_id: leader.to_committed(), index: revision.0 };
    save_vote(parts.log, parts.identity.group, &VoteOf::<TypeConfig> { leader_id: leader, committed: true })?;

    let member = Member { disk_id: parts.identity.disk_id, ..Member::default() };
    let alone = openraft::Membership::new(vec![BTreeSet::from([node])], BTreeMap::from([(node, member)]));
    let alone = alone.map_err(|error| RestoreError::Write(io::Error::other(error.to_string())))?;
    let meta = SnapshotMetaOf::<TypeConfig> {
        last_log_id: Some(last_log_id),
        last_membership: StoredMembershipOf::<TypeConfig>::new(Some(last_log_id), alone),
    };
    let written = parts.snapshots.create(revision.0, &encode::snapshot_meta(&meta, state.level()));
    let mut writer = written.map_err(|error| RestoreError::Write(sentence(error)))?;
    let restored = Restored {
        revision,
        level: state.level(),
        sessions: state.sessions_unconfirmed(),
        gateways: state.rebuild().map_or(0, |rebuild| rebuild.gateways().len()),
    };
    snapshot_data::write(state.freeze(), &mut writer, &AtomicBool::new(false)).map_err(RestoreError::Write)?;
    writer.finish().map_err(|error| RestoreError::Write(sentence(error)))?;
    Ok(restored)
}

/// Begins the new history, by the one command that does.
fn begin(state: &mut State, parts: &RestoreParts<'_>) -> Result<Revision, RestoreError> {
    let revision = Revision(state.revision().0.saturating_add(RESTORE_REVISIONS));
    let time = LogTime(parts.wall_ms).max(state.time());
    let outcome = state.apply(Stamp { revision, time }, &Command::Restore(parts.state_id));
    outcome.reply.map_err(RestoreError::Begin)?;
    Ok(revision)
}

fn save_vote(log: &dyn LogEngine, group: u32, vote: &VoteOf<TypeConfig>) -> Result<(), RestoreError> {
    let (done, saved) = mpsc::sync_channel(1);
    // Nobody waits any more only if this thread has ended.
    let done = Box::new(move |result| drop(done.send(result)));
    log.submit(LogOp::SaveVote { group, vote: encode::vote(vote), done });
    saved.recv().unwrap_or(Err(StoreError::Stopped)).map_err(RestoreError::Vote)
}
