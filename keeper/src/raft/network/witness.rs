//! Weighs what a peer answers to append requests, before openraft hears of it.

use openraft::alias::{LeaderIdOf, LogIdOf};
use openraft::raft::{StreamAppendError, StreamAppendResult};

use super::acknowledged::{Acknowledged, Asked, TakenBack};
use super::peers::{CallError, Class, Peer};
use crate::raft::type_config::TypeConfig;

type LeaderId = LeaderIdOf<TypeConfig>;

/// Of the answers of one peer on one stream.
#[derive(Clone, Copy)]
pub(super) struct Witness<'s> {
    pub(super) peer: &'s Peer,
    class: Class,
    acknowledged: &'s Acknowledged,
}

impl<'s> Witness<'s> {
    pub(super) const fn new(peer: &'s Peer, class: Class, acknowledged: &'s Acknowledged) -> Self {
        Self { peer, class, acknowledged }
    }

    /// What openraft is told of an answer to this leader.
    pub(super) fn weigh(
        &self,
        leader: LeaderId,
        answer: StreamAppendResult<TypeConfig>,
    ) -> Result<StreamAppendResult<TypeConfig>, CallError> {
        match &answer {
            Ok(Some(upto)) => self.acknowledged.note(leader, self.peer.directory(), *upto),
            Err(StreamAppendError::Conflict(lacks)) => {
                let asked = if self.class == Class::Control { Asked::Heartbeat } else { Asked::Entries };
                let member = self.peer.directory();
                if let Some(taken_back) = self.acknowledged.taken_back(leader, member, *lacks, asked) {
                    return self.without(taken_back, *lacks);
                }
            }
            Ok(None) | Err(StreamAppendError::HigherVote(_)) => {}
        }
        Ok(answer)
    }

    /// What is left of an answer that takes back what was acknowledged.
    fn without(
        &self,
        taken_back: TakenBack,
        lacks: LogIdOf<TypeConfig>,
    ) -> Result<StreamAppendResult<TypeConfig>, CallError> {
        let (peer, address, upto) = (self.peer.id, self.peer.address.clone(), taken_back.upto.index);
        if taken_back.first {
            tracing::error!(
                node = peer,
                at = address,
                lacks = lacks.index,
                acknowledged = upto,
                "a member lacks entries that it had acknowledged: its directory was put back from an older copy, or \
                 lost its log; it is sent nothing any more, as long as a majority is left without it. `keeperctl \
                 cluster status` says what to do"
            );
        }
        match self.class {
            // Of the answer to a heartbeat openraft takes only that there was one.
            Class::Control => Ok(Ok(Some(lacks))),
            Class::Log | Class::Snapshot => Err(CallError::TookBack { peer, address, upto }),
        }
    }
}
