//! The only thing the rest of the daemon sees of Raft.

use std::collections::BTreeMap;
use std::sync::Arc;

use keeper_proto::peer::envelope::Kind;
use openraft::errors::{InitializeError, RaftError};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::contact::Contact;
use super::introduction::Introduction;
use super::join::Standing;
use super::leadership::Leadership;
use super::limits::READ_INDEX_MAX;
use super::machine::RaftNode;
use super::network::{Acknowledged, CallError, Peers};
use super::offload::Offload;
use super::overwritten::History;
use super::own_address::OwnAddress;
use super::proposal::{self, PendingProposal, ProposeError, Proposed};
use super::read_rounds::{Confirmed, ReadError, ReadQueue, Want};
use super::removal::Removal;
use super::snapshot_files::SnapshotFiles;
use super::status::{RaftStatus, StatusWatch};
use super::type_config::Member;
use super::vitals::Vitals;
use crate::batch::Batch;
use crate::levels::Levels;

/// Proposes, confirms, reports. Cheap to clone.
#[derive(Debug, Clone)]
pub struct RaftHandle {
    pub(super) raft: RaftNode,
    pub(super) peers: Arc<Peers>,
    pub(super) reads: Arc<ReadQueue>,
    pub(super) leadership: watch::Receiver<Leadership>,
    pub(super) snapshots: Arc<SnapshotFiles>,
    pub(super) vitals: Arc<Vitals>,
    pub(super) removal: Arc<Removal>,
    pub(super) offload: Offload,
    pub(super) stopping: CancellationToken,
    pub(super) levels: Levels,
    pub(super) contact: Arc<Contact>,
    pub(super) acknowledged: Arc<Acknowledged>,
    pub(super) own_address: Arc<OwnAddress>,
    pub(super) history: Arc<History>,
}

/// Why the group was not founded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InitializeRefused {
    /// It was founded before: this node has a log or has voted.
    #[error("this node already belongs to a cluster: it is initialized once, and for ever")]
    AlreadyInitialized,
    /// The list of members has no entry for the node that was asked.
    #[error("{}", unnamed(*node))]
    NotAMember {
        /// The node that was asked.
        node: u64,
    },
    /// A member gave no proper answer; nothing was changed.
    #[error("member {node} did not answer as itself: {reason}")]
    MemberUnreachable {
        /// The member.
        node: u64,
        /// What happened instead.
        reason: String,
    },
    /// A member belongs to a group already; nothing was changed.
    #[error(
        "member {node} already belongs to a cluster: if it was restored, found the cluster by it (`--endpoint`); if its \
         data is of no use, stop it, set that aside with `keeper forget --config FILE`, and start it again"
    )]
    MemberTaken {
        /// The member.
        node: u64,
    },
    /// A member has lost its data, and its group runs; nothing was changed.
    #[error(
        "node {node} has no data and already belongs to a cluster, which runs without it: founding would begin a second \
         one. Wait until the leader takes it in anew (`keeperctl cluster status` at the nodes that have data). If a \
         majority has no data any more, put back what `keeper forget` set aside; or stop every node that has data, \
         start this one again, and found a new cluster, best with a backup"
    )]
    MemberExpected {
        /// The member.
        node: u64,
    },
    /// Restored, and does not lead yet.
    #[error("this node was restored and does not lead its group yet: try again")]
    NotLeading,
    /// Restored, and its membership changes in another way.
    #[error("the membership cannot be changed now: {reason}")]
    Changing {
        /// What openraft says.
        reason: String,
    },
    /// This node is stopping.
    #[error("this node is stopping")]
    Stopped,
}

/// What to do about a node that was asked and not named.
fn unnamed(node: u64) -> String {
    if node == 0 {
        return "the node that was asked has no number: set `node_id` in its settings, start it again, and name it by \
                `--member`; to a cluster that is founded already, `keeperctl cluster add` adds it"
            .to_owned();
    }
    format!("node {node}, which was asked, is not among the members: name it by `--member`, or ask one that is named")
}

impl RaftHandle {
    /// Proposes a batch and waits until it is committed and applied here.
    ///
    /// # Errors
    /// See [`ProposeError`]: only some outcomes are certain.
    pub async fn propose(&self, batch: Batch) -> Result<Proposed, ProposeError> {
        self.submit(batch).await?.outcome().await
    }

    /// As [`RaftHandle::propose`], and refused unless this node leads in `term` when the entry is appended. For
    /// decisions that were made from a leader's memory, such as the expiry of a lease.
    ///
    /// # Errors
    /// See [`ProposeError`].
    pub async fn propose_in_term(&self, batch: Batch, term: u64) -> Result<Proposed, ProposeError> {
        self.submit_in_term(batch, term).await?.outcome().await
    }

    /// The first half of [`RaftHandle::propose`]. Batches enter the log in the order of these calls' returns.
    ///
    /// # Errors
    /// [`ProposeError::Stopped`], and [`ProposeError::NotLeader`] where another process has this node's directory.
    pub async fn submit(&self, batch: Batch) -> Result<PendingProposal, ProposeError> {
        proposal::submit(self, batch, None).await
    }

    /// The first half of [`RaftHandle::propose_in_term`].
    ///
    /// # Errors
    /// As [`RaftHandle::submit`].
    pub async fn submit_in_term(&self, batch: Batch, term: u64) -> Result<PendingProposal, ProposeError> {
        proposal::submit(self, batch, Some(term)).await
    }

    /// Waits until this node's state has everything that was acknowledged anywhere before this call, and returns an
    /// index that covers it. On any node.
    ///
    /// # Errors
    /// See [`ReadError`]; asking again is safe.
    pub async fn read_index(&self) -> Result<u64, ReadError> {
        Ok(self.reads.confirm(Want::Applied).await?.index)
    }

    /// Everything acknowledged before this moment is in this node's state; `None` when nothing was ever confirmed.
    /// Asking brings it forward, in the background.
    #[must_use]
    pub fn up_to_date_at(&self) -> Option<Instant> {
        self.reads.up_to_date_at()
    }

    /// Has a quorum confirm that this node leads, at some moment after this call.
    ///
    /// # Errors
    /// See [`ReadError`]; asking again is safe.
    pub async fn confirm_leadership(&self) -> Result<Confirmed, ReadError> {
        self.reads.confirm(Want::Leader).await
    }

    /// Where this node stands among the feature levels.
    #[must_use]
    pub const fn levels(&self) -> &Levels {
        &self.levels
    }

    /// Follows who leads.
    #[must_use]
    pub fn leadership(&self) -> watch::Receiver<Leadership> {
        self.leadership.clone()
    }

    /// Whether this node believes that it leads; otherwise the client endpoint of who does, if known.
    ///
    /// # Errors
    /// It does not.
    pub fn leads(&self) -> Result<(), Option<String>> {
        let leadership = self.leadership.borrow();
        if leadership.own { Ok(()) } else { Err(leadership.leader_endpoint()) }
    }

    /// Names this node's data directory.
    #[must_use]
    pub fn disk_id(&self) -> u64 {
        self.peers.disk_id()
    }

    /// What this node knows of itself and the group.
    #[must_use]
    pub fn status(&self) -> RaftStatus {
        self.watch_status().status()
    }

    /// Members that lack what they had acknowledged to this node, when it led last.
    #[must_use]
    pub fn taken_back(&self) -> Vec<u64> {
        self.acknowledged.all_taken_back()
    }

    /// Follows [`RaftHandle::status`].
    #[must_use]
    pub fn watch_status(&self) -> StatusWatch {
        let (contact, acknowledged) = (Arc::clone(&self.contact), Arc::clone(&self.acknowledged));
        StatusWatch { metrics: self.raft.metrics(), contact, acknowledged }
    }

    /// Rounds of reads this node has run; reads divided by it is how many shared one.
    #[must_use]
    pub fn read_rounds(&self) -> u64 {
        self.reads.rounds()
    }

    /// Founds the group, once and for ever. Every member must be up and answer as itself, so that a wrong address shows
    /// now and not as a group without a quorum. The other members of a group that was restored have its state when this
    /// returns.
    ///
    /// # Errors
    /// See [`InitializeRefused`]; the group was not founded.
    pub async fn initialize(&self, mut members: BTreeMap<u64, Member>) -> Result<(), InitializeRefused> {
        let own = *self.raft.node_id();
        if !members.contains_key(&own) {
            return Err(InitializeRefused::NotAMember { node: own });
        }
        let standing = self.standing().await?;
        if standing == Standing::Member {
            return Err(InitializeRefused::AlreadyInitialized);
        }
        if standing == Standing::Uninitialized && self.is_expected() {
            return Err(InitializeRefused::MemberExpected { node: own });
        }
        for (&id, member) in &mut members {
            if id == own {
                member.disk_id = self.peers.disk_id();
                continue;
            }
            let introduced = self.introduce(id, member).await;
            let introduced = introduced
                .map_err(|error| InitializeRefused::MemberUnreachable { node: id, reason: error.to_string() })?;
            if introduced.initialized && !self.has_joined(id, introduced.disk_id) {
                return Err(InitializeRefused::MemberTaken { node: id });
            }
            // One that an earlier try of this node has named is expected by this node.
            if introduced.lost && !self.has_named(id) {
                return Err(InitializeRefused::MemberExpected { node: id });
            }
            member.disk_id = introduced.disk_id;
        }
        if standing == Standing::Restored {
            return self.found_restored(members).await;
        }
        self.raft.initialize(members).await.map_err(|error| match error {
            RaftError::APIError(InitializeError::NotAllowed(_)) => InitializeRefused::AlreadyInitialized,
            RaftError::APIError(InitializeError::NotInMembers(_)) => InitializeRefused::NotAMember { node: own },
            RaftError::Fatal(_) => InitializeRefused::Stopped,
        })
    }

    async fn introduce(&self, id: u64, member: &Member) -> Result<Introduction, CallError> {
        let peer = self.peers.stranger(id, member);
        let answer = peer.call(Kind::Identify, bytes::Bytes::new(), READ_INDEX_MAX).await?;
        Introduction::decode(answer).map_err(|error| peer.malformed(error))
    }

    /// Whether this node belongs to a group already.
    ///
    /// # Errors
    /// Only [`InitializeRefused::Stopped`].
    pub async fn is_initialized(&self) -> Result<bool, InitializeRefused> {
        self.raft.is_initialized().await.map_err(|_| InitializeRefused::Stopped)
    }

    /// Stops Raft on this node. Proposals under way end as unknown, reads as stopped.
    pub async fn shutdown(&self) {
        self.stopping.cancel();
        self.reads.close();
        if let Err(error) = self.raft.shutdown().await {
            tracing::warn!(%error, "the Raft core ended badly");
        }
        let files = Arc::clone(&self.snapshots);
        let closing = move || {
            files.close();
            Ok(())
        };
        if let Err(error) = self.offload.short(closing).await {
            tracing::warn!(%error, "the writer of snapshots ended badly");
        }
    }
}
