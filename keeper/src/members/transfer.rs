//! Handing leadership over.
//!
//! openraft's leader proposes nothing from the moment it hands over, and tells every voter not to wait out its lease;
//! the one that is named elects itself. If it cannot, the others elect one of them as if the leader had died. So it is
//! tried only with a voter that answers and has everything, and what is reported is who leads in the end.

use tokio::time::{sleep, timeout};

use super::Tell;
use super::change::{Changed, Progress};
use super::limits::{CONFIRM_PAUSE, HAND_OVER_MAX};
use super::quorum;
use super::turn::Turn;
use crate::clock;
use crate::problem::Problem;
use crate::raft::{RaftStatus, ReadError};

impl Turn<'_> {
    /// Hands leadership over, and waits until whoever has it answers.
    pub(super) async fn transfer(&self, to: Option<u64>, tell: &Tell) -> Result<Changed, Problem> {
        let status = self.shared.raft.status();
        let to = match to {
            Some(to) if to == status.id => return Ok(Changed::already(to)),
            Some(to) => self.successor(to)?,
            None => self.best(&status)?,
        };
        self.catch_up(to, tell).await?;
        tell.tell(Progress::HandingOver(to));
        let began = clock::now();
        self.shared.raft.hand_over(to).await.map_err(|_| Problem::Stopping)?;
        let mut leadership = self.shared.raft.leadership();
        let elected = leadership.wait_for(|now| now.leader.is_some() && !now.own);
        let leader = match timeout(HAND_OVER_MAX, elected).await {
            Ok(Ok(now)) => now.leader.as_ref().map_or(0, |(id, _)| *id),
            Ok(Err(_)) => return Err(Problem::Stopping),
            Err(_) => return Err(Problem::Unknown { reason: "nobody was seen to take leadership over" }),
        };
        // A read that the new leader confirms is behind its own first entry.
        let confirmed = timeout(HAND_OVER_MAX, self.confirmed()).await;
        confirmed.map_err(|_| Problem::Unknown { reason: "the new leader does not answer yet" })??;
        let pause_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        tracing::info!(leader, pause_ms, "leadership was handed over");
        Ok(Changed { node: leader, unchanged: false, pause_ms: Some(pause_ms) })
    }

    /// Waits for a read that a leader confirms. Some failures take no time at all, so that it pauses between two.
    async fn confirmed(&self) -> Result<(), Problem> {
        loop {
            match self.shared.raft.read_index().await {
                Ok(_) => return Ok(()),
                Err(ReadError::Stopped) => return Err(Problem::Stopping),
                Err(_) => sleep(CONFIRM_PAUSE).await,
            }
        }
    }

    /// Who leads must not be the one whose vote is taken away: it hands over, and the new leader is to be asked again.
    pub(super) async fn step_aside(&self, leaving: u64, tell: &Tell) -> Result<(), Problem> {
        if leaving != self.shared.raft.status().id {
            return Ok(());
        }
        self.transfer(None, tell).await?;
        let leader = self.shared.raft.leadership().borrow().leader_endpoint();
        Err(Problem::NotLeader { leader })
    }

    fn successor(&self, to: u64) -> Result<u64, Problem> {
        let (status, member) = self.member(to)?;
        if !member.voter {
            let message = format!("node {to} is a learner, and only a voter can lead: promote it first");
            return Err(Problem::Declined { reason: "learner", message });
        }
        quorum::check_kept(&status, to)?;
        if !quorum::answers(&status, to, self.shared.silence_max) {
            let message = format!("node {to} ({}) does not answer", member.member.peer_endpoint);
            return Err(Problem::Declined { reason: "silent", message });
        }
        Ok(to)
    }

    /// The voter that answers and has most.
    fn best(&self, status: &RaftStatus) -> Result<u64, Problem> {
        let voters = quorum::voters(status);
        let others = voters.into_iter().filter(|id| *id != status.id);
        let answering = others.filter(|id| quorum::answers(status, *id, self.shared.silence_max));
        let best =
            answering.max_by_key(|id| (status.members.get(id).and_then(|it| it.matched), std::cmp::Reverse(*id)));
        best.ok_or_else(|| Problem::Declined {
            reason: "no-successor",
            message: "no other voter answers: there is nobody to hand leadership over to".to_owned(),
        })
    }
}
