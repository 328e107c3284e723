//! What becomes of a proposal.
//!
//! Only two outcomes are certain not to have happened, and both are decided by the core before it appends: this node
//! does not lead (or leads another term than asked for, hands leadership over, has not heard from its quorum for a
//! lease, or may run twice), and the core no longer takes messages. Every failure after that is
//! [`ProposeError::Unknown`]:
//!
//! - *discarded*: a new leader overwrote the entry here. Another replica may still hold it and win a later election,
//!   and then commits it.
//! - *dropped*: the core stopped, or died, between the append and the answer.
//! - *in doubt*: another process with this directory was found meanwhile. The group may go on with that one, and
//!   without what this one has.
//!
//! A proposal that is under way when the quorum is lost stays under way until there is a quorum again. There is no
//! deadline here: it would only turn an outcome that will be known into one that is not. Callers bound what they have
//! under way, and may stop waiting for it.

use std::fmt;
use std::sync::Arc;

use openraft::alias::CommittedLeaderIdOf;
use openraft::errors::{ClientWriteError, ForwardReason, ForwardToLeader};
use openraft::impls::ProgressResponder;
use openraft::raft::ClientWriteResult;
use tokio::sync::oneshot;

use super::handle::RaftHandle;
use super::own_address::OwnAddress;
use super::type_config::{Member, TypeConfig};
use crate::batch::{Batch, Replies};

/// A committed and applied batch.
#[derive(Debug)]
pub struct Proposed {
    /// The log index it has.
    pub revision: u64,
    /// The answers to its commands, in their order.
    pub replies: Replies,
}

/// Why there are no replies.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProposeError {
    /// It certainly did not happen: this node is not the leader it would have to be.
    #[error("this node does not lead, or not in the term asked for")]
    NotLeader {
        /// Who does, if known.
        leader: Option<Member>,
    },
    /// It may happen yet, or may have happened.
    #[error("the proposal may or may not have happened: {0}")]
    Unknown(&'static str),
    /// It certainly did not happen: this node is stopping.
    #[error("this node is stopping")]
    Stopped,
}

/// A proposal that the core has taken, in the order of the calls.
pub struct PendingProposal {
    answer: oneshot::Receiver<ClientWriteResult<TypeConfig>>,
    own_address: Arc<OwnAddress>,
}

/// Hands a batch to the core. With a term, it is refused unless this node leads in that very term when it is appended.
pub(super) async fn submit(
    node: &RaftHandle,
    batch: Batch,
    term: Option<u64>,
) -> Result<PendingProposal, ProposeError> {
    let own_address = Arc::clone(&node.own_address);
    if own_address.is_doubted() {
        return Err(ProposeError::NotLeader { leader: None });
    }
    let (responder, answer) = ProgressResponder::complete_only();
    let mut write = node.raft.write(batch).responder(responder);
    if let Some(term) = term {
        write = write.with_leader(CommittedLeaderIdOf::<TypeConfig> { term, node_id: *node.raft.node_id() });
    }
    // The message was not taken if this fails.
    write.await.map_err(|_| ProposeError::Stopped)?;
    Ok(PendingProposal { answer, own_address })
}

impl PendingProposal {
    /// Waits until it is committed and applied here.
    ///
    /// # Errors
    /// See [`ProposeError`].
    pub async fn outcome(self) -> Result<Proposed, ProposeError> {
        let Ok(answer) = self.answer.await else {
            return Err(ProposeError::Unknown("the node stopped before the answer"));
        };
        match answer {
            Ok(_) if self.own_address.is_doubted() => {
                Err(ProposeError::Unknown("another process runs with this node's data directory"))
            }
            Ok(written) => Ok(Proposed { revision: written.log_id.index, replies: written.data.0 }),
            Err(ClientWriteError::ForwardToLeader(forward)) => Err(ProposeError::NotLeader { leader: hint(forward) }),
            Err(ClientWriteError::LogEntryDiscarded(_)) => {
                Err(ProposeError::Unknown("leadership moved before the entry was committed"))
            }
            Err(ClientWriteError::ChangeMembershipError(_) | ClientWriteError::PreconditionFailed(_)) => {
                Err(ProposeError::Unknown("a batch was answered as a change of membership"))
            }
        }
    }
}

impl fmt::Debug for PendingProposal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a proposal under way")
    }
}

/// A leader that hands over, or has lost its quorum, is no hint; whom it hands over to is.
fn hint(forward: ForwardToLeader<TypeConfig>) -> Option<Member> {
    match forward.reason {
        ForwardReason::NotLeader | ForwardReason::LeadershipTransfer => forward.leader_node,
        ForwardReason::LeaseExpired => None,
    }
}
