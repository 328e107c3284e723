//! What of a change of membership only openraft, or another node, can do. Which changes are sound, and when, is not
//! decided here.
//!
//! - **Nothing is changed on top of what was not seen.** Every change names the membership it was decided on; if
//!   another one is in force by then it is refused, and nothing has happened.
//! - **A voter that is left out stays as a learner.** Only a learner is forgotten, by a change of its own. So a change
//!   that was cut off half-way can be completed by whoever comes next, without knowing what it was for: completing
//!   never removes anybody.
//! - **A joint membership is one log entry more.** While it is in force nothing else is changed; a leader that finds
//!   one when it takes office completes it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use keeper_proto::peer::envelope::Kind;
use openraft::ChangeMembers;
use openraft::alias::{CommittedLeaderIdOf, LogIdOf};
use openraft::async_runtime::watch::WatchReceiver as _;
use openraft::errors::{ChangeMembershipError, ClientWriteError, RaftError};
use openraft::raft::Precondition;

use super::handle::RaftHandle;
use super::introduction::Introduction;
use super::limits::READ_INDEX_MAX;
use super::network::CallError;
use super::type_config::{Member, TypeConfig};
use crate::codec::{DecodeError, Input, Output};

/// A change of the membership.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MemberChange {
    /// Takes a node in, without a vote.
    Learner(u64, Member),
    /// Has exactly these vote, all of them members.
    Voters(BTreeSet<u64>),
    /// Forgets a member that has no vote.
    Forget(u64),
    /// Completes a change that a former leader has begun.
    Complete,
}

/// Why the membership was not changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// It certainly did not happen: this node does not lead.
    #[error("this node does not lead")]
    NotLeader {
        /// Who does, if known.
        leader: Option<Member>,
    },
    /// It certainly did not happen: the membership is another one than that it was decided on.
    #[error("the membership has changed meanwhile: {0}")]
    Moved(String),
    /// It may have happened, or half of it.
    #[error("the change may or may not have happened: {0}")]
    Unknown(String),
    /// It certainly did not happen: this node is stopping.
    #[error("this node is stopping")]
    Stopped,
}

/// Why a node gave no answer to be used.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct MeetError(#[source] pub(super) CallError);

impl RaftHandle {
    /// Asks whoever listens there who it is.
    ///
    /// # Errors
    /// It is not reached, belongs to another cluster, or answers something else.
    pub async fn meet(&self, peer_endpoint: &str) -> Result<Introduction, MeetError> {
        let stranger = Member { peer_endpoint: peer_endpoint.to_owned(), ..Member::default() };
        let peer = self.peers.stranger(0, &stranger);
        let answer = peer.call(Kind::Identify, Bytes::new(), READ_INDEX_MAX).await.map_err(MeetError)?;
        Introduction::decode(answer).map_err(|error| MeetError(peer.malformed(error)))
    }

    /// Gives a node without data the number it has from now on. It has it on disk when this returns, and starts anew.
    ///
    /// # Errors
    /// It is not reached, or refuses.
    pub async fn adopt(&self, newcomer: &Introduction, number: u64) -> Result<(), MeetError> {
        let peer_endpoint = newcomer.peer_endpoint.clone();
        let member = Member { peer_endpoint, disk_id: newcomer.disk_id, ..Member::default() };
        let peer = self.peers.stranger(newcomer.node, &member);
        peer.call(Kind::Adopt, adoption(number), ADOPT_MAX).await.map(drop).map_err(MeetError)
    }

    /// Changes the membership from the one that was logged at `seen`; returns once the new one is committed.
    ///
    /// # Errors
    /// See [`ChangeError`].
    pub async fn change_members(&self, change: MemberChange, seen: Option<u64>) -> Result<(), ChangeError> {
        if self.own_address.is_doubted() {
            return Err(ChangeError::NotLeader { leader: None });
        }
        let (at, term) = {
            let metrics = self.raft.metrics();
            let now = metrics.borrow_watched();
            (*now.membership_config.log_id(), now.current_term)
        };
        if at.map(|id: LogIdOf<TypeConfig>| id.index) != seen {
            return Err(ChangeError::Moved("another change came between".to_owned()));
        }
        let change = match change {
            MemberChange::Learner(id, member) => ChangeMembers::AddNodes(BTreeMap::from([(id, member)])),
            MemberChange::Voters(voters) => ChangeMembers::ReplaceAllVoters(voters),
            MemberChange::Forget(id) => ChangeMembers::RemoveNodes(BTreeSet::from([id])),
            MemberChange::Complete => ChangeMembers::AddVoterIds(BTreeSet::new()),
        };
        let leader = CommittedLeaderIdOf::<TypeConfig> { term, node_id: *self.raft.node_id() };
        let preconditions = [
            Precondition::LastMembershipLogId { last_membership_log_id: at },
            Precondition::CommittedLeaderId { committed_leader_id: leader },
        ];
        // True: who loses the vote stays as a learner.
        match self.raft.change_membership_if(change, true, preconditions).await {
            Ok(_) => Ok(()),
            Err(RaftError::Fatal(_)) => Err(ChangeError::Stopped),
            Err(RaftError::APIError(error)) => Err(refused(error)),
        }
    }

    /// Hands leadership over to a voter: this node proposes nothing from now on. Says nothing of whether it was taken.
    ///
    /// # Errors
    /// Only [`ChangeError::Stopped`].
    pub async fn hand_over(&self, to: u64) -> Result<(), ChangeError> {
        self.raft.trigger().transfer_leader(to).await.map_err(|_| ChangeError::Stopped)
    }
}

/// To store a number: a few syncs of a healthy disk, and one that sets the data of a damaged node aside.
const ADOPT_MAX: Duration = Duration::from_secs(5);

const ADOPTION_VERSION: u8 = 1;

fn adoption(number: u64) -> Bytes {
    let mut output = Output::versioned(ADOPTION_VERSION, 12);
    output.u64(number);
    output.finish()
}

/// Reads the number in a [`Kind::Adopt`].
pub(super) fn decode_adoption(bytes: Bytes) -> Result<u64, DecodeError> {
    let (_, mut input) = Input::versioned("an adoption", ADOPTION_VERSION, bytes)?;
    let number = input.u64()?;
    input.finish()?;
    Ok(number)
}

fn refused(error: ClientWriteError<TypeConfig>) -> ChangeError {
    match error {
        ClientWriteError::ForwardToLeader(forward) => ChangeError::NotLeader { leader: forward.leader_node },
        ClientWriteError::LogEntryDiscarded(_) => {
            ChangeError::Unknown("leadership moved before it was committed".to_owned())
        }
        // Of the second half as well: the first one is committed then, and is completed by whoever leads.
        ClientWriteError::PreconditionFailed(failed) => ChangeError::Moved(failed.to_string()),
        ClientWriteError::ChangeMembershipError(ChangeMembershipError::InProgress(_)) => {
            ChangeError::Moved("another change is under way".to_owned())
        }
        ClientWriteError::ChangeMembershipError(error) => ChangeError::Moved(error.to_string()),
    }
}
