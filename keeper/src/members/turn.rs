//! A change, step by step.

use std::collections::BTreeSet;
use std::time::Duration;

use keeper_registry::{Command, Level, Reply, State};
use tokio::time::Instant;

use super::change::{Changed, Progress, Rank};
use super::limits::{ARRIVE_MAX, LOOK_EVERY, NUMBER_BYTES, SIGN_MAX, SILENT_MAX, STALLED_MAX};
use super::newcomer::{self, Newcomer};
use super::quorum;
use super::{Shared, Tell};
use crate::clock;
use crate::problem::Problem;
use crate::propose::{Lane, Proposal};
use crate::raft::{ChangeError, Introduction, Member, MemberChange, MemberStatus, RaftStatus, Role};

/// The right to change something. Dropping it gives it back.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    pub(super) shared: &'a Shared,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        *self.shared.under_way.lock() = None;
    }
}

impl Turn<'_> {
    /// Takes a node in.
    pub(super) async fn add(&self, peer_endpoint: &str, rank: Rank, tell: &Tell) -> Result<Changed, Problem> {
        let (node, came) = self.admit(peer_endpoint, None, tell).await?;
        let is_voter = self.member(node)?.1.voter;
        if rank == Rank::Voter && !is_voter {
            self.promote(node, tell).await?;
            return Ok(Changed::done(node));
        }
        Ok(if came { Changed::done(node) } else { Changed::already(node) })
    }

    /// Gives a learner a vote, once it has what the leader has.
    pub(super) async fn promote(&self, node: u64, tell: &Tell) -> Result<Changed, Problem> {
        let (status, member) = self.member(node)?;
        if member.voter {
            return Ok(Changed::already(node));
        }
        newcomer::check_place(&status, node, None)?;
        self.catch_up(node, tell).await?;
        let mut target = quorum::voters(&self.shared.raft.status());
        target.insert(node);
        self.vote(target).await?;
        Ok(Changed::done(node))
    }

    /// Takes a voter's vote away.
    pub(super) async fn demote(&self, node: u64, tell: &Tell) -> Result<Changed, Problem> {
        let (status, member) = self.member(node)?;
        if !member.voter {
            return Ok(Changed::already(node));
        }
        let mut target = quorum::voters(&status);
        target.remove(&node);
        if target.is_empty() {
            let message = format!("node {node} is the only voter: promote another one first");
            return Err(Problem::Declined { reason: "last-voter", message });
        }
        self.check(&target).await?;
        self.step_aside(node, tell).await?;
        self.vote(target).await?;
        Ok(Changed::done(node))
    }

    /// Forgets a member, whose number is spent with it.
    pub(super) async fn remove(&self, node: u64, tell: &Tell) -> Result<Changed, Problem> {
        if self.is_spent(node) {
            return Ok(Changed::already(node));
        }
        self.demote(node, tell).await?;
        self.forget(node).await?;
        Ok(Changed::done(node))
    }

    /// Takes a node in and leaves another one out: a single change of the voters.
    pub(super) async fn replace(&self, old: u64, peer_endpoint: &str, tell: &Tell) -> Result<Changed, Problem> {
        if self.is_spent(old) {
            // Cut off behind its last step, or never begun: only the new one says which. One that is a member already
            // has what it was to have; of a learner's place that is no vote.
            let (new, came) = self.admit(peer_endpoint, None, tell).await?;
            return if came { self.promote(new, tell).await } else { Ok(Changed::already(new)) };
        }
        self.member(old)?;
        let (new, _) = self.admit(peer_endpoint, Some(old), tell).await?;
        if new == old {
            let message = format!(
                "the node at {peer_endpoint} is node {old} itself, and has its data: name the peer port of the one that \
                 takes its place. To empty its own directory first, stop it, and run `keeper forget --config FILE` there"
            );
            return Err(Problem::Declined { reason: "same-node", message });
        }
        self.catch_up(new, tell).await?;
        let (status, leaving) = self.member(old)?;
        let is_elsewhere = leaving.member.peer_endpoint != peer_endpoint;
        if leaving.voter && is_elsewhere && quorum::voters(&status).contains(&new) {
            let message = format!(
                "node {new} at {peer_endpoint} has a vote of its own and cannot have that of node {old} too: if one voter \
                 less is meant, remove node {old}"
            );
            return Err(Problem::Declined { reason: "votes-already", message });
        }
        if leaving.voter {
            let mut target = quorum::voters(&status);
            target.remove(&old);
            target.insert(new);
            self.check(&target).await?;
            self.step_aside(old, tell).await?;
            self.vote(target).await?;
        }
        self.forget(old).await?;
        Ok(Changed::done(new))
    }

    /// Completes what a former leader has begun.
    pub(super) async fn complete(&self) -> Result<(), Problem> {
        let status = self.shared.raft.status();
        if !status.changing {
            return Ok(());
        }
        tracing::info!("completing a change of the membership that a former leader has begun");
        self.change(MemberChange::Complete, &status).await
    }

    /// Makes a node a learner, wherever on the way to that it is. Says whether it was none before.
    async fn admit(&self, peer_endpoint: &str, replaced: Option<u64>, tell: &Tell) -> Result<(u64, bool), Problem> {
        let found = newcomer::meet(&self.shared.raft, peer_endpoint).await?;
        let status = self.shared.raft.status();
        let read = |state: &State| (state.state_id(), state.last_node(), state.level());
        let (own, last, level) = self.shared.replica.read(read);
        let highest = status.members.keys().copied().max().unwrap_or(0);
        let left_over = replaced.map(|old| newcomer::left_over(&found, &status, old)).unwrap_or_default();
        let newcomer = newcomer::judge(found, &status, own, last.max(highest), replaced)?;
        for node in left_over {
            tracing::warn!(node, "another directory answers in the place of this learner, which was half taken in");
            self.forget(node).await?;
        }
        let ready = match newcomer {
            Newcomer::Member(node) => {
                self.catch_up(node, tell).await?;
                return Ok((node, false));
            }
            Newcomer::Numbered(found) => {
                newcomer::check_level(&self.shared.raft, &found, level).await?;
                found
            }
            Newcomer::Empty(found) => {
                newcomer::check_level(&self.shared.raft, &found, level).await?;
                self.number(found, highest, tell).await?
            }
        };
        let node = ready.node;
        let member = Member {
            client_endpoint: url(&ready.client_endpoint),
            peer_endpoint: ready.peer_endpoint,
            disk_id: ready.disk_id,
        };
        self.change(MemberChange::Learner(node, member), &self.shared.raft.status()).await?;
        self.seen(node).await;
        tracing::info!(node, "taken in as a learner");
        tell.tell(Progress::Joined(node));
        self.catch_up(node, tell).await?;
        Ok((node, true))
    }

    /// Waits until this node shows a member that was taken in: the change may be answered a moment before.
    async fn seen(&self, node: u64) {
        let mut watch = self.shared.raft.watch_status();
        let shown = async {
            while !watch.status().members.contains_key(&node) {
                watch.changed().await;
            }
        };
        // If somebody has left it out again, whoever looks for it next says so.
        drop(tokio::time::timeout(SIGN_MAX, shown).await);
    }

    /// Gives an empty node its number, and waits until it is back under it.
    async fn number(&self, found: Introduction, highest: u64, tell: &Tell) -> Result<Introduction, Problem> {
        let reply = self.propose(Command::ReserveNode(highest)).await?;
        let Reply::NodeReserved { node: number } = reply else { return Err(unexpected(&reply)) };
        let at = found.peer_endpoint.clone();
        self.shared.raft.adopt(&found, number).await.map_err(|error| Problem::Declined {
            reason: "unreachable",
            message: format!("the node at {at} did not take number {number}: {error}"),
        })?;
        let deadline = clock::now() + ARRIVE_MAX;
        loop {
            // Also that it is waited for is told: who hears nothing for long takes the change for lost.
            tell.tell(Progress::Numbered(number));
            if let Ok(back) = self.shared.raft.meet(&at).await
                && back.node == number
                && !back.lost
            {
                return Ok(back);
            }
            if clock::now() >= deadline {
                let message = format!(
                    "the node at {at} took number {number} and did not come back under it within {} s: look at its log",
                    ARRIVE_MAX.as_secs()
                );
                return Err(Problem::Declined { reason: "stalled", message });
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Waits until a member answers and has what this node has: all but what came within an election's time.
    pub(super) async fn catch_up(&self, node: u64, tell: &Tell) -> Result<(), Problem> {
        let mut stall = Stall::new(self.shared.silence_max);
        let began = clock::now();
        let (mut round_began, mut wanted) = (began, None);
        loop {
            self.shared.leads()?;
            let (status, member) = self.member(node)?;
            quorum::check_kept(&status, node)?;
            if status.role == Role::NoQuorum {
                return Err(Problem::Unknown { reason: "no majority of the voters answers the leader" });
            }
            let (last, has) = (status.last_log.unwrap_or(0), member.matched.unwrap_or(0));
            let goal = *wanted.get_or_insert(last);
            if node == status.id || (member.matched.is_some() && has >= goal) {
                if round_began.elapsed() <= self.shared.silence_max && quorum::answers(&status, node, began.elapsed()) {
                    return Ok(());
                }
                (round_began, wanted) = (clock::now(), None);
            }
            tell.tell(Progress::CatchingUp { node, has, wanted: goal });
            stall.look(node, has, goal, &member)?;
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Has exactly these vote.
    async fn vote(&self, target: BTreeSet<u64>) -> Result<(), Problem> {
        self.check(&target).await?;
        let voters: Vec<_> = target.iter().copied().collect();
        self.change(MemberChange::Voters(target), &self.shared.raft.status()).await?;
        tracing::info!(?voters, "these vote now");
        Ok(())
    }

    /// Refuses voters of whom no majority answers, after a moment in which they may.
    pub(super) async fn check(&self, target: &BTreeSet<u64>) -> Result<(), Problem> {
        let began = clock::now();
        loop {
            // Only what was heard since now: a voter that has just died was heard a moment ago.
            let heard_for = began.elapsed();
            let judged = quorum::check(&self.shared.raft.status(), target, heard_for);
            if judged.is_ok() || heard_for >= SIGN_MAX {
                return judged;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn forget(&self, node: u64) -> Result<(), Problem> {
        let (last, level) = self.shared.replica.read(|state| (state.last_node(), state.level()));
        // A cluster that has no count yet must be able to part with a dead member all the same, or it could never be
        // raised to the level that has one.
        if last < node && level >= Level::NAMED {
            self.propose(Command::RetireNode(node)).await?;
        }
        self.change(MemberChange::Forget(node), &self.shared.raft.status()).await?;
        tracing::info!(node, "is no member any more");
        Ok(())
    }

    async fn propose(&self, command: Command) -> Result<Reply, Problem> {
        let proposal = Proposal::new(command, NUMBER_BYTES);
        Ok(self.shared.proposer.propose(Lane::Lease, proposal).await?.reply)
    }

    async fn change(&self, change: MemberChange, seen: &RaftStatus) -> Result<(), Problem> {
        self.shared.raft.change_members(change, seen.membership).await.map_err(|error| match error {
            ChangeError::NotLeader { leader } => {
                Problem::NotLeader { leader: leader.map(|member| member.client_endpoint) }
            }
            ChangeError::Moved(_) => Problem::Declined { reason: "changing", message: error.to_string() },
            ChangeError::Unknown(_) => Problem::Unknown { reason: "leadership moved while the membership changed" },
            ChangeError::Stopped => Problem::Stopping,
        })
    }

    /// Whether a number was given, and its node is no member any more.
    fn is_spent(&self, node: u64) -> bool {
        let given = self.shared.replica.read(|state| state.last_node());
        node <= given && !self.shared.raft.status().members.contains_key(&node)
    }

    /// A member as the leader sees it now.
    pub(super) fn member(&self, node: u64) -> Result<(RaftStatus, MemberStatus), Problem> {
        let status = self.shared.raft.status();
        match status.members.get(&node).cloned() {
            Some(member) => Ok((status, member)),
            None => {
                let known: Vec<_> = status.members.keys().map(u64::to_string).collect();
                let message = format!("node {node} is no member: the members are {}", known.join(", "));
                Err(Problem::Absent { field: "node".to_owned(), message })
            }
        }
    }
}

/// Whether a member that is waited for still moves.
struct Stall {
    began: Instant,
    has: u64,
    gained_at: Instant,
    silence_max: Duration,
}

impl Stall {
    fn new(silence_max: Duration) -> Self {
        let now = clock::now();
        Self { began: now, has: 0, gained_at: now, silence_max }
    }

    fn look(&mut self, node: u64, has: u64, wanted: u64, member: &MemberStatus) -> Result<(), Problem> {
        let now = clock::now();
        if has > self.has {
            (self.has, self.gained_at) = (has, now);
        }
        let silent = member.heard_ago.is_none_or(|ago| ago > SILENT_MAX.max(self.silence_max));
        let state = if silent && now - self.began > SILENT_MAX {
            format!("does not answer at {}", member.member.peer_endpoint)
        } else if now - self.gained_at > STALLED_MAX {
            format!("received nothing for {} s", STALLED_MAX.as_secs())
        } else {
            return Ok(());
        };
        let message = format!("node {node} {state}; it has {has} of {wanted} entries. Ask again once that is mended");
        Err(Problem::Declined { reason: "stalled", message })
    }
}

fn unexpected(reply: &Reply) -> Problem {
    tracing::error!(?reply, "the state answered something else");
    Problem::Unknown { reason: "the state answered something else" }
}

fn url(endpoint: &str) -> String {
    if endpoint.contains("://") { endpoint.to_owned() } else { format!("http://{endpoint}") }
}
