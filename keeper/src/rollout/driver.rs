//! The task that drives rollouts while this node leads.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use keeper_registry::{AdvanceRollout, Command, LogTime, Rollout, StopCause, StopRollout};
use parking_lot::Mutex;

use super::evidence::{Evidence, Gatherer, Heard, Member};
use super::gate::{Decision, counted, decide};
use super::promote::{Promotion, Promotions};
use crate::acks::{Acks, Count, Health};
use crate::clock::WallClock;
use crate::limits::ROLLOUT_PACE;
use crate::metrics::Metrics;
use crate::problem::Problem;
use crate::propose::{Lane, Proposal, Proposer};
use crate::raft::RaftHandle;
use crate::replica::Replica;

/// How long to wait after a step that was not decided.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_millis(500);

/// How long to wait at most before everything is looked at again: log time is steered, and a wait is not; and nobody is
/// told when an instance says anew what it reads.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// About what a step takes in the log beyond its reason.
const STEP_BYTES: usize = 64;

/// What is known of rollouts. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Driver {
    replica: Arc<Replica>,
    gatherer: Arc<Gatherer>,
    /// Why promotions were refused, by rollout.
    refused: Arc<Mutex<BTreeMap<u64, String>>>,
    /// How the instances of each rollout stood when it was looked at last: once it has ended nobody has its candidates.
    looks: Arc<Mutex<BTreeMap<u64, Look>>>,
    wall: WallClock,
}

/// How many instances of a rollout stand how.
#[derive(Debug, Clone, Copy, Default)]
struct Look {
    count: Count,
    unwell: usize,
}

/// Works for [`Driver`].
pub struct Worker {
    driver: Driver,
    raft: RaftHandle,
    proposer: Proposer,
    promotions: Promotions,
    metrics: Arc<Metrics>,
}

/// What has come of a look at all rollouts.
#[derive(Debug, Default)]
struct Round {
    under_way: usize,
    until: Option<LogTime>,
    failed: bool,
}

impl Driver {
    /// Over what instances say.
    #[must_use]
    pub fn new(replica: Arc<Replica>, acks: Acks, wall: WallClock) -> Self {
        let gatherer = Arc::new(Gatherer::new(Arc::clone(&replica), acks));
        Self { replica, gatherer, refused: Arc::default(), looks: Arc::default(), wall }
    }

    /// The worker that must run for it.
    #[must_use]
    pub const fn worker(
        self,
        raft: RaftHandle,
        proposer: Proposer,
        promotions: Promotions,
        metrics: Arc<Metrics>,
    ) -> Worker {
        Worker { driver: self, raft, proposer, promotions, metrics }
    }

    /// What this leader has heard of a rollout, and what it waits for.
    ///
    /// # Errors
    /// This node does not lead.
    pub fn heard(&self, rollout: &Rollout) -> Result<Heard, Problem> {
        let (_, listening_since_ms) = self.gatherer.acks.office()?;
        if rollout.state.is_finished() {
            let Look { count, unwell } = self.looks.lock().get(&rollout.id).copied().unwrap_or_default();
            return Ok(Heard { listening_since_ms, count, unwell, waits_for: String::new() });
        }
        let (_, evidence) = self.look(rollout)?;
        let Look { count, unwell } = Look::of(&evidence);
        let waits_for = match decide(rollout, &evidence, self.now()) {
            Decision::Wait { why, .. } => why,
            Decision::Stop(reason) => format!("its end: {reason}"),
            Decision::Advance => "the next stage to open".to_owned(),
            Decision::Promote => {
                let refused = self.refused.lock().get(&rollout.id).cloned();
                refused.unwrap_or_else(|| "its candidates to be published".to_owned())
            }
        };
        Ok(Heard { listening_since_ms, count, unwell, waits_for })
    }

    /// Gathers what is known of a rollout that is under way, and remembers how many stood how.
    fn look(&self, rollout: &Rollout) -> Result<(u64, Evidence), Problem> {
        let (office, evidence) = self.gatherer.gather(rollout)?;
        let is_under_way = |rollout: &Arc<Rollout>| !rollout.state.is_finished();
        // Asked afterwards: once it has ended nobody has its candidates.
        if self.replica.read(|state| state.rollout(rollout.id).is_some_and(is_under_way)) {
            self.looks.lock().insert(rollout.id, Look::of(&evidence));
        }
        Ok((office, evidence))
    }

    fn now(&self) -> LogTime {
        self.replica.log_clock(&self.wall).stamp()
    }

    fn under_way(&self) -> Vec<Arc<Rollout>> {
        let under_way = |rollout: &&Arc<Rollout>| !rollout.state.is_finished();
        self.replica.read(|state| state.rollouts().filter(under_way).cloned().collect())
    }
}

impl Look {
    fn of(evidence: &Evidence) -> Self {
        let is_unwell = |member: &&Member| matches!(member.health, Some(Health::Unwell(_)));
        Self { count: evidence.count(), unwell: evidence.members.iter().filter(is_unwell).count() }
    }
}

impl Worker {
    /// Drives until `stop` resolves.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let mut stop = std::pin::pin!(stop);
        tokio::select! {
            () = &mut stop => {}
            () = self.follow() => {}
        }
    }

    async fn follow(&self) {
        let mut leadership = self.raft.leadership();
        loop {
            let now = leadership.borrow_and_update().clone();
            if !(now.own && now.ready) {
                self.metrics.rollouts_under_way.set(0);
                if leadership.changed().await.is_err() {
                    return;
                }
                continue;
            }
            tokio::select! {
                changed = leadership.changed() => if changed.is_err() { return },
                () = self.lead(now.term, now.office()) => {}
            }
        }
    }

    /// Works for as long as this node leads; never ends by itself.
    async fn lead(&self, term: u64, office: u64) {
        let signals = self.driver.replica.signals();
        let (mut configs, mut instances) = (signals.configs(), signals.instances());
        let mut heard = self.driver.gatherer.acks.moved();
        loop {
            configs.mark_unchanged();
            instances.mark_unchanged();
            heard.mark_unchanged();
            let Round { under_way, until, failed } = self.round(term, office).await;
            self.metrics.rollouts_under_way.set(under_way as u64);
            let pause = if failed { PAUSE_AFTER_FAILURE } else { ROLLOUT_PACE };
            tokio::time::sleep(pause).await;
            if failed {
                continue;
            }
            let now = self.driver.now().0;
            let left = until.map_or(LOOK_AGAIN, |until| Duration::from_millis(until.0.saturating_sub(now)));
            tokio::select! {
                () = tokio::time::sleep(left.min(LOOK_AGAIN)), if under_way > 0 => {}
                _ = configs.changed() => {}
                _ = instances.changed(), if under_way > 0 => {}
                _ = heard.changed(), if under_way > 0 => {}
            }
        }
    }

    async fn round(&self, term: u64, office: u64) -> Round {
        let under_way = self.driver.under_way();
        let ids: BTreeSet<_> = under_way.iter().map(|rollout| rollout.id).collect();
        self.driver.gatherer.keep(|id| ids.contains(&id));
        self.driver.refused.lock().retain(|id, _| ids.contains(id));
        self.driver.replica.read(|state| self.driver.looks.lock().retain(|id, _| state.rollout(*id).is_some()));
        let mut round = Round { under_way: under_way.len(), ..Round::default() };
        for rollout in under_way {
            match self.step(&rollout, term, office).await {
                Ok(until) => round.until = [round.until, until].into_iter().flatten().min(),
                Err(problem) => {
                    tracing::debug!(rollout = rollout.id, %problem, "a step was not done; trying again");
                    round.failed = true;
                }
            }
        }
        round
    }

    /// Looks at one rollout, and does what is due; says when time alone may change that.
    async fn step(&self, rollout: &Rollout, term: u64, office: u64) -> Result<Option<LogTime>, Problem> {
        let (heard_in, evidence) = self.driver.look(rollout)?;
        if heard_in != office {
            return Err(Problem::Unconfirmed { reason: "the leader's term has changed" });
        }
        let (id, stage) = (rollout.id, rollout.stage());
        match decide(rollout, &evidence, self.driver.now()) {
            Decision::Wait { until, .. } => return Ok(until),
            Decision::Stop(reason) => {
                tracing::warn!(rollout = id, stage = counted(stage), reason, "stopping the rollout");
                let (cause, author) = (StopCause::Failed, String::new());
                let bytes = reason.len() + STEP_BYTES;
                let stop = Command::StopRollout(StopRollout { rollout: id, cause, reason, author });
                self.propose(Proposal { term: Some(term), ..Proposal::new(stop, bytes) }).await?;
                self.metrics.rollouts_stopped.inc();
            }
            Decision::Advance => {
                tracing::info!(rollout = id, stage = counted(stage), "the stage has passed; opening the next");
                let author = String::new();
                let advance = Command::AdvanceRollout(AdvanceRollout { rollout: id, from_stage: stage, author });
                self.propose(Proposal { term: Some(term), ..Proposal::new(advance, STEP_BYTES) }).await?;
                self.metrics.rollout_stages_passed.inc();
            }
            Decision::Promote => return self.promote(rollout, term).await,
        }
        Ok(None)
    }

    async fn promote(&self, rollout: &Rollout, term: u64) -> Result<Option<LogTime>, Problem> {
        let (from_stage, term) = (Some(rollout.stage()), Some(term));
        let promotion = Promotion { from_stage, term, ..Promotion::default() };
        match self.promotions.promote(rollout, &promotion).await {
            Ok(_) => {
                tracing::info!(rollout = rollout.id, "the last stage has passed; the candidates are published");
                self.metrics.rollout_stages_passed.inc();
                Ok(None)
            }
            // It stands otherwise by now, and is looked at again.
            Err(Problem::Rejected(_)) => Ok(None),
            Err(problem @ (Problem::Objected(_) | Problem::Invalid { .. } | Problem::Declined { .. })) => {
                // Somebody has come who cannot read it. It stays where it is until that is settled, or forced.
                let why = format!("an admin: {problem}");
                let former = self.driver.refused.lock().insert(rollout.id, why.clone());
                if former.is_none_or(|former| former != why) {
                    tracing::warn!(rollout = rollout.id, why, "the rollout is not promoted");
                }
                Ok(None)
            }
            Err(problem) => Err(problem),
        }
    }

    /// A refusal of the state is an answer: things stand otherwise than they were seen, and are looked at again.
    async fn propose(&self, proposal: Proposal) -> Result<(), Problem> {
        match self.proposer.propose(Lane::Config, proposal).await {
            Ok(_) | Err(Problem::Rejected(_)) => Ok(()),
            Err(problem) => Err(problem),
        }
    }
}
