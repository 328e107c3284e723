//! The task that keeps the leases of this node's term of office.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use keeper_registry::{Command, Incarnation, Revision, planted};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::clock;
use crate::lease::pause::Pause;
use crate::lease::table::{Renewed, Standing, Table};
use crate::metrics::Metrics;
use crate::problem::Problem;
use crate::propose::{Committed, Lane, Proposal, Proposer};
use crate::raft::{Confirmed, Leadership, RaftHandle, ReadError, Role};
use crate::replica::Replica;

/// Renewals waiting to be read by the worker. Each is a message of up to `RENEWALS_MAX` leases; a full queue makes the
/// stream that sends them wait, which is what flow control is for.
const RENEWALS_WAITING_MAX: usize = 1_024;

/// How often deadlines are looked at: the resolution of an expiry.
const TICK: Duration = Duration::from_millis(20);

/// About what an expiry takes in the log.
const EXPIRE_BYTES: usize = 16;

/// What one message of renewals came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Renewal {
    /// A full TTL runs from now for these.
    pub renewed: Vec<Incarnation>,
    /// These are closed for good.
    pub lost: Vec<Incarnation>,
    /// The name of the office that answers; see [`Leadership::office`].
    pub office: u64,
}

/// Where renewals go. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Leases {
    sender: mpsc::Sender<Request>,
}

#[derive(Debug)]
struct Request {
    incarnations: Vec<Incarnation>,
    answer: oneshot::Sender<Result<Renewal, Problem>>,
}

/// Runs for [`Leases`].
pub struct Worker {
    requests: mpsc::Receiver<Request>,
    replica: Arc<Replica>,
    raft: RaftHandle,
    proposer: Proposer,
    metrics: Arc<Metrics>,
    office: Option<Office>,
    /// Requests that the round under way does not cover.
    waiting: Vec<Request>,
    round: Round,
    expiries: FuturesUnordered<BoxFuture<'static, (Incarnation, Result<Committed, Problem>)>>,
}

/// Leases of one term.
struct Office {
    term: u64,
    name: u64,
    table: Table,
    /// Instances told of up to here.
    cursor: Revision,
    ticked_at: Instant,
    /// Renewals of closing leases, until the outcome is known. Ordered: they are all answered at once when this ends.
    closing: BTreeMap<Incarnation, Vec<Request>>,
    /// Between tries while no majority answers.
    pause: Option<Pause>,
}

/// At most one round of confirmation is under way; the next collects meanwhile.
#[derive(Default)]
struct Round {
    requests: Vec<Request>,
    confirmation: Option<BoxFuture<'static, Result<Confirmed, ReadError>>>,
}

impl Leases {
    /// The handle and its worker.
    #[must_use]
    pub fn new(replica: Arc<Replica>, raft: RaftHandle, proposer: Proposer, metrics: Arc<Metrics>) -> (Self, Worker) {
        let (sender, requests) = mpsc::channel(RENEWALS_WAITING_MAX);
        let worker = Worker {
            requests,
            replica,
            raft,
            proposer,
            metrics,
            office: None,
            waiting: Vec::new(),
            round: Round::default(),
            expiries: FuturesUnordered::new(),
        };
        (Self { sender }, worker)
    }

    /// Renews leases; see the module's rules for when this answers.
    ///
    /// # Errors
    /// [`Problem::NotLeader`], [`Problem::Unconfirmed`], [`Problem::Stopping`]: nothing was renewed.
    pub async fn renew(&self, incarnations: Vec<Incarnation>) -> Result<Renewal, Problem> {
        let (answer, outcome) = oneshot::channel();
        self.sender.send(Request { incarnations, answer }).await.map_err(|_| Problem::Stopping)?;
        outcome.await.unwrap_or(Err(Problem::Stopping))
    }
}

impl Worker {
    /// Keeps the leases until `stop` resolves.
    pub async fn run(mut self, stop: impl Future<Output = ()>) {
        let mut leadership = self.raft.leadership();
        let mut instances = self.replica.signals().instances();
        let mut stop = std::pin::pin!(stop);
        loop {
            let leads = leadership.borrow_and_update().clone();
            self.follow(&leads);
            self.start_round();
            let tick_at = self.tick_at();
            tokio::select! {
                // Renewals are read before anything expires.
                biased;
                () = &mut stop => return,
                changed = leadership.changed() => if changed.is_err() { return },
                Some(request) = self.requests.recv() => self.waiting.push(request),
                confirmed = confirmation(&mut self.round.confirmation) => self.finish_round(confirmed),
                Some((incarnation, outcome)) = self.expiries.next(), if !self.expiries.is_empty() => {
                    self.finish_expiry(incarnation, &outcome);
                }
                _ = instances.changed() => self.follow_instances(),
                () = tokio::time::sleep_until(tick_at) => self.tick(),
            }
        }
    }

    /// Takes office, or leaves it.
    fn follow(&mut self, leadership: &Leadership) {
        if !leadership.own {
            let deposed = if planted!("lease-deposed") { None } else { self.office.take() };
            let refused = deposed.into_iter().flat_map(Office::into_requests);
            let problem = Problem::NotLeader { leader: leadership.leader_endpoint() };
            for request in refused.chain(self.waiting.drain(..)) {
                drop(request.answer.send(Err(problem.clone())));
            }
            return;
        }
        if let Some(office) = self.office.as_mut().filter(|_| planted!("lease-deposed")) {
            office.term = leadership.term;
        }
        let in_office = self.office.as_ref().is_some_and(|office| office.term == leadership.term);
        if leadership.ready && !in_office {
            let now = clock::now();
            let mut table = Table::default();
            let cursor = self.replica.read(|state| {
                for instance in state.instances() {
                    table.open(instance.incarnation, ttl(instance.ttl_ms), now);
                }
                state.revision()
            });
            tracing::info!(term = leadership.term, leases = table.len(), "every lease starts with a full TTL");
            let closing = BTreeMap::new();
            let (term, name) = (leadership.term, leadership.office());
            self.office = Some(Office { term, name, table, cursor, ticked_at: now, closing, pause: None });
        }
    }

    fn follow_instances(&mut self) {
        let Some(office) = &mut self.office else { return };
        let now = clock::now();
        self.replica.read(|state| {
            match state.instances_changed_since(office.cursor) {
                Some(changes) => {
                    for instance in changes.opened {
                        office.table.open(instance.incarnation, ttl(instance.ttl_ms), now);
                    }
                    for closed in changes.closed {
                        office.table.close(closed.incarnation);
                    }
                }
                // More closed than the state remembers: a lease of a closed incarnation expires into a refusal.
                None => {
                    for instance in state.instances() {
                        office.table.open(instance.incarnation, ttl(instance.ttl_ms), now);
                    }
                }
            }
            office.cursor = state.revision();
        });
    }

    fn start_round(&mut self) {
        let ready = self.office.is_some() && self.round.confirmation.is_none() && !self.waiting.is_empty();
        if ready {
            let raft = self.raft.clone();
            self.round.requests = std::mem::take(&mut self.waiting);
            self.round.confirmation = Some(Box::pin(async move { raft.confirm_leadership().await }));
        }
    }

    fn finish_round(&mut self, confirmed: Result<Confirmed, ReadError>) {
        self.round.confirmation = None;
        let requests = std::mem::take(&mut self.round.requests);
        let term = self.office.as_ref().map(|office| office.term);
        match confirmed {
            Ok(confirmed) if Some(confirmed.term) == term => {
                self.follow_instances();
                let at = clock::now();
                for request in requests {
                    self.renew(request, at);
                }
            }
            Ok(_) => refuse(requests, &Problem::Unconfirmed { reason: "the leader's term has changed" }),
            Err(error) => refuse(requests, &Problem::from(error)),
        }
    }

    fn renew(&mut self, request: Request, at: Instant) {
        let Some(office) = &mut self.office else {
            refuse(vec![request], &Problem::Unconfirmed { reason: "the leader's term has changed" });
            return;
        };
        let mut renewal = Renewal { office: office.name, ..Renewal::default() };
        for &incarnation in &request.incarnations {
            match office.table.renew(incarnation, at) {
                Renewed::Extended => renewal.renewed.push(incarnation),
                Renewed::Unknown => renewal.lost.push(incarnation),
                Renewed::Closing => {
                    // Asked again as a whole: renewing the others twice only lengthens them.
                    office.closing.entry(incarnation).or_default().push(request);
                    return;
                }
            }
        }
        self.metrics.lease_renewals.inc_by(renewal.renewed.len() as u64);
        drop(request.answer.send(Ok(renewal)));
    }

    fn tick_at(&self) -> Instant {
        self.office.as_ref().map_or_else(|| clock::now() + Duration::from_secs(1), |office| office.ticked_at + TICK)
    }

    fn tick(&mut self) {
        let now = clock::now();
        let Some(office) = &mut self.office else { return };
        let gap = now.duration_since(office.ticked_at).saturating_sub(TICK);
        office.ticked_at = now;
        if office.table.shortest_ttl().is_some_and(|ttl| gap > ttl / 10) {
            tracing::warn!(
                gap_ms = gap.as_millis(),
                "the leader's timer stood still; leases are lengthened by the gap"
            );
            office.table.shift(gap, now);
            return;
        }
        if office.pause.is_some() && self.raft.status().role != Role::NoQuorum {
            office.pause = None;
        }
        if office.pause.is_some_and(|pause| pause.lasts(now)) {
            return;
        }
        for incarnation in office.table.expire(now) {
            match office.table.standing(incarnation) {
                Standing::Fresh => tracing::info!(incarnation = incarnation.0, "lease ran out; proposing its expiry"),
                Standing::Undecided => tracing::debug!(incarnation = incarnation.0, "proposing its expiry again"),
            }
            let proposal =
                Proposal { term: Some(office.term), ..Proposal::new(Command::Expire(incarnation), EXPIRE_BYTES) };
            let proposer = self.proposer.clone();
            self.expiries.push(Box::pin(async move { (incarnation, proposer.propose(Lane::Lease, proposal).await) }));
        }
    }

    fn finish_expiry(&mut self, incarnation: Incarnation, outcome: &Result<Committed, Problem>) {
        let Some(office) = &mut self.office else { return };
        match outcome {
            Ok(_) | Err(Problem::Rejected(_)) => {
                if outcome.is_ok() {
                    self.metrics.lease_expired.inc();
                }
                office.table.close(incarnation);
            }
            Err(problem) => {
                let now = clock::now();
                let lease = incarnation.0;
                match office.table.standing(incarnation) {
                    Standing::Fresh => {
                        tracing::warn!(incarnation = lease, %problem, "the expiry was not decided; trying again");
                    }
                    Standing::Undecided => tracing::debug!(incarnation = lease, %problem, "the expiry was not decided"),
                }
                office.table.expiry_failed(incarnation, now);
                if self.raft.status().role == Role::NoQuorum {
                    office.pause = Some(Pause::after(office.pause, now));
                }
            }
        }
        // Their renewals arrived before now, so a round that starts now covers them.
        self.waiting.extend(office.closing.remove(&incarnation).into_iter().flatten());
    }
}

impl Office {
    /// Those who wait for an outcome that this node does not see any more.
    fn into_requests(self) -> impl Iterator<Item = Request> {
        self.closing.into_values().flatten()
    }
}

/// The round under way, or never.
async fn confirmation(
    round: &mut Option<BoxFuture<'static, Result<Confirmed, ReadError>>>,
) -> Result<Confirmed, ReadError> {
    match round {
        Some(confirmation) => confirmation.await,
        None => std::future::pending().await,
    }
}

fn refuse(requests: Vec<Request>, problem: &Problem) {
    for request in requests {
        drop(request.answer.send(Err(problem.clone())));
    }
}

const fn ttl(ttl_ms: u32) -> Duration {
    Duration::from_millis(ttl_ms as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renewals_of_closing_leases_are_refused_in_one_order() {
        let closing = (1..=32).rev().map(|number| {
            let incarnations = vec![Incarnation(number)];
            (Incarnation(number), vec![Request { incarnations, answer: oneshot::channel().0 }])
        });
        let office = Office {
            name: 0,
            term: 1,
            table: Table::default(),
            cursor: Revision(0),
            ticked_at: clock::now(),
            closing: closing.collect(),
            pause: None,
        };
        let refused: Vec<_> = office.into_requests().flat_map(|request| request.incarnations).collect();
        assert_eq!(refused, (1..=32).map(Incarnation).collect::<Vec<_>>());
    }
}
