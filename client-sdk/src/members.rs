//! Changes of who is a member of the cluster, and of who leads.
//!
//! The leader does the work, in steps that can each be repeated, while the call lasts. This side follows the leader and
//! asks again for as long as something moves: a change that was cut off, by a leader that died or handed over, goes on
//! where it was.

use std::fmt;
use std::time::Duration;

use keeper_proto::v1::{
    AddMember, CatchingUp, ChangeMembershipReply, ChangeMembershipRequest, MembershipChanged as Reported,
    ReplaceMember, TransferLeader, change_membership_reply::Step, change_membership_request::Change,
    cluster_client::ClusterClient,
};
use tokio::time::{self, Instant};
use tonic::Streaming;

use crate::{
    Cluster, Endpoint, Error, Happened,
    connection::{Aim, Backoff, Unknowing, asked},
    error::Failure,
};

/// What a member is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rank {
    /// It votes.
    Voter,
    /// It takes entries and does not vote.
    Learner,
}

/// How a change goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum MembershipStep {
    /// A new node was given its number.
    Numbered(u64),
    /// It is a learner.
    Joined(u64),
    /// It receives what it lacks.
    CatchingUp {
        /// Which node.
        node_id: u64,
        /// The last entry it has.
        has: u64,
        /// The entry that is waited for.
        wanted: u64,
    },
    /// Leadership is being handed over.
    HandingOver(u64),
    /// It is done.
    Changed(MembershipChanged),
}

/// What has come of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MembershipChanged {
    /// The node that was added, promoted, demoted or removed, or that leads now.
    pub node_id: u64,
    /// It was so already.
    pub unchanged: bool,
    /// For how long no write was acknowledged, where leadership was handed over.
    pub pause: Option<Duration>,
}

/// A change under way; see [`Cluster::add`]. Dropped, it stays where it is, and can be asked for again.
pub struct MembershipChange {
    cluster: Cluster,
    change: Change,
    backoff: Backoff,
    asked: Option<(Endpoint, Streaming<ChangeMembershipReply>)>,
    /// Until when it is waited for, and asked for again, unless a word of it comes.
    deadline: Instant,
    happened: Happened,
    unknowing: Unknowing,
    /// The number that was told last: a node tells it for as long as it waits for the new one.
    numbered: Option<u64>,
}

impl Cluster {
    /// Takes in the node whose peer listener is at `host:port`. It is given its number, receives what the cluster has,
    /// and then votes, if that is its rank.
    #[must_use]
    pub fn add(&self, peer_endpoint: impl Into<String>, rank: Rank) -> MembershipChange {
        let (peer_endpoint, learner) = (peer_endpoint.into(), rank == Rank::Learner);
        self.membership(Change::Add(AddMember { peer_endpoint, learner }))
    }

    /// Gives a learner a vote, once it has what the cluster has.
    #[must_use]
    pub fn promote(&self, node_id: u64) -> MembershipChange {
        self.membership(Change::Promote(node_id))
    }

    /// Takes a voter's vote away; it stays as a learner. A leader hands over first.
    #[must_use]
    pub fn demote(&self, node_id: u64) -> MembershipChange {
        self.membership(Change::Demote(node_id))
    }

    /// Forgets a member. A leader hands over first.
    #[must_use]
    pub fn remove(&self, node_id: u64) -> MembershipChange {
        self.membership(Change::Remove(node_id))
    }

    /// Takes in the node at `peer_endpoint` and leaves `old` out, whose vote it gets in the same moment.
    #[must_use]
    pub fn replace(&self, old: u64, peer_endpoint: impl Into<String>) -> MembershipChange {
        self.membership(Change::Replace(ReplaceMember { node_id: old, peer_endpoint: peer_endpoint.into() }))
    }

    /// Hands leadership over to a voter; to the one that lacks least, if none is named.
    #[must_use]
    pub fn transfer_leader(&self, to: Option<u64>) -> MembershipChange {
        self.membership(Change::Transfer(TransferLeader { node_id: to.unwrap_or(0) }))
    }

    fn membership(&self, change: Change) -> MembershipChange {
        MembershipChange {
            backoff: Backoff::new(self.nodes.random.clone()),
            deadline: Instant::now() + self.nodes.settings.operation_timeout,
            cluster: self.clone(),
            change,
            asked: None,
            happened: Happened::No,
            unknowing: Unknowing::default(),
            numbered: None,
        }
    }
}

impl MembershipChange {
    /// Waits until it is done.
    ///
    /// # Errors
    /// [`Error::Refused`] with the reason and the remedy; otherwise as [`Error`] says. It can be asked for again.
    pub async fn done(mut self) -> Result<MembershipChanged, Error> {
        loop {
            if let MembershipStep::Changed(changed) = self.step().await? {
                return Ok(changed);
            }
        }
    }

    /// The next step; the last one is [`MembershipStep::Changed`].
    ///
    /// # Errors
    /// As [`done`](Self::done).
    pub async fn step(&mut self) -> Result<MembershipStep, Error> {
        loop {
            let failure = match self.hear().await {
                Ok(step) => {
                    self.deadline = Instant::now() + self.cluster.nodes.settings.operation_timeout;
                    if let MembershipStep::Numbered(node) = step
                        && self.numbered.replace(node) == Some(node)
                    {
                        continue;
                    }
                    return Ok(step);
                }
                Err(failure) => failure,
            };
            if failure.error.may_have_happened() {
                self.happened = Happened::Maybe;
            }
            // Handed over twice, leadership would be somewhere else.
            let repeatable = !matches!(self.change, Change::Transfer(_)) || self.happened == Happened::No;
            let pause = self.backoff.next(asked(&failure.error));
            let in_time = Instant::now() + pause < self.deadline;
            if !(failure.error.is_retryable() && !self.unknowing.is_sure() && repeatable && in_time) {
                return Err(failure.error.after(self.happened));
            }
            tracing::debug!(error = %failure.error, "asking for the change again");
            self.cluster.nodes.pause(pause).await;
        }
    }

    /// What the node that was asked says next.
    async fn hear(&mut self) -> Result<MembershipStep, Failure> {
        let (endpoint, mut replies) = match self.asked.take() {
            Some(asked) => asked,
            None => self.ask().await?,
        };
        let heard = match time::timeout_at(self.deadline, replies.message()).await {
            Ok(Ok(Some(reply))) => Ok(reply),
            Ok(Ok(None)) => Err(Failure::gone(Error::unreachable("the node ended the change", Happened::Maybe))),
            Ok(Err(status)) => Err(Failure::from_status(&status)),
            Err(_) => Err(Failure::gone(self.silent())),
        };
        match heard {
            Ok(reply) => {
                self.cluster.nodes.leads(&endpoint);
                self.asked = Some((endpoint, replies));
                let step = reply.step.ok_or_else(|| Failure::silent(Error::malformed("a step without anything in it")));
                step.map(read)
            }
            Err(failure) => {
                self.cluster.nodes.failed(&endpoint, &failure);
                Err(failure)
            }
        }
    }

    async fn ask(&mut self) -> Result<(Endpoint, Streaming<ChangeMembershipReply>), Failure> {
        let node = self.cluster.nodes.pick(&Aim::Leader).map_err(Failure::silent)?;
        let request = ChangeMembershipRequest { change: Some(self.change.clone()) };
        let mut client = ClusterClient::new(node.channel);
        let until = self.deadline.min(Instant::now() + self.cluster.nodes.settings.attempt_timeout);
        let asked = match time::timeout_at(until, client.change_membership(request)).await {
            Ok(answer) => answer.map_err(|status| Failure::from_status(&status)),
            Err(_) => Err(Failure::gone(self.silent())),
        };
        match asked {
            Ok(reply) => Ok((node.endpoint, reply.into_inner())),
            Err(failure) => {
                self.unknowing.hear(&node.endpoint, &failure.error);
                self.cluster.nodes.failed(&node.endpoint, &failure);
                Err(failure)
            }
        }
    }

    /// A node that works on a change says so several times a second, or is done within moments.
    fn silent(&self) -> Error {
        let after = self.cluster.nodes.settings.operation_timeout;
        Error::Timeout { operation: "a change of the membership", after, happened: Happened::Maybe }
    }
}

fn read(step: Step) -> MembershipStep {
    match step {
        Step::Numbered(node_id) => MembershipStep::Numbered(node_id),
        Step::Joined(node_id) => MembershipStep::Joined(node_id),
        Step::CatchingUp(CatchingUp { node_id, has, wanted }) => MembershipStep::CatchingUp { node_id, has, wanted },
        Step::HandingOver(node_id) => MembershipStep::HandingOver(node_id),
        Step::Changed(Reported { node_id, unchanged, pause_ms }) => {
            let pause = pause_ms.map(Duration::from_millis);
            MembershipStep::Changed(MembershipChanged { node_id, unchanged, pause })
        }
    }
}

impl fmt::Debug for MembershipChange {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("MembershipChange").field("change", &self.change).finish_non_exhaustive()
    }
}
