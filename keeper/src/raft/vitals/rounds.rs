//! The leader's rounds: ask everybody, judge, act.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::future::join_all;
use keeper_proto::peer::Envelope;
use keeper_proto::peer::envelope::Kind;
use openraft::async_runtime::watch::WatchReceiver as _;
use tokio::sync::watch;
use tokio::time::Instant;

use super::judge::{self, Disk, Finding};
use super::{MemberVitals, Question, Report, Vitals};
use crate::clock;
use crate::metrics::Metrics;
use crate::raft::handle::RaftHandle;
use crate::raft::leadership::Leadership;
use crate::raft::limits::{VITALS_INTERVAL, VITALS_MAX, VITALS_SILENCE_MAX};
use crate::raft::machine::RaftNode;
use crate::raft::network::{CallError, Class, Peers};
use crate::raft::own_address::OwnAddress;
use crate::raft::removal::Removal;
use crate::raft::status::StatusWatch;
use crate::raft::type_config::Member;
use crate::replica::Difference;
use crate::store::Room;

/// Runs on every node, and asks only where it leads.
pub(in crate::raft) struct VitalsRounds {
    pub(in crate::raft) vitals: Arc<Vitals>,
    removal: Arc<Removal>,
    own_address: Arc<OwnAddress>,
    raft: RaftNode,
    peers: Arc<Peers>,
    leadership: watch::Receiver<Leadership>,
    status: StatusWatch,
    metrics: Arc<Metrics>,
}

/// What a leader remembers from round to round.
struct Office {
    term: u64,
    begun_at: Instant,
    heard: BTreeMap<u64, (Instant, Option<Report>)>,
    findings: BTreeMap<u64, Finding>,
}

/// The group as it is at one round.
struct Group {
    own: u64,
    voters: BTreeSet<u64>,
    others: BTreeMap<u64, Member>,
    /// No quorum answers this leader: nobody should say that it leads.
    quorum_lost: bool,
}

impl VitalsRounds {
    /// Of the node of a handle.
    pub(in crate::raft) fn of(handle: &RaftHandle, metrics: Arc<Metrics>) -> Self {
        Self {
            vitals: Arc::clone(&handle.vitals),
            removal: Arc::clone(&handle.removal),
            own_address: Arc::clone(&handle.own_address),
            raft: handle.raft.clone(),
            peers: Arc::clone(&handle.peers),
            leadership: handle.leadership.clone(),
            status: handle.watch_status(),
            metrics,
        }
    }

    pub(in crate::raft) async fn run(self) {
        let mut office: Option<Office> = None;
        loop {
            tokio::time::sleep(VITALS_INTERVAL).await;
            let Leadership { own, term, .. } = *self.leadership.borrow();
            if own {
                let begun = office.take().filter(|office| office.term == term).unwrap_or_else(|| Office::begin(term));
                office = Some(self.round(begun).await);
            } else if office.take().is_some() {
                self.leave();
            }
            let is_sound = self.vitals.is_sound();
            // What nobody may read must not lead either, nor what may run twice.
            self.raft.runtime_config().elect(is_sound && !self.removal.is_found() && self.own_address.is_clear());
            let diverged = self.vitals.members.lock().values().filter(|member| member.difference.is_some()).count();
            self.metrics.replica_diverged.set((diverged as u64).max(u64::from(!is_sound)));
        }
    }

    async fn round(&self, mut office: Office) -> Office {
        let group = self.group();
        let answers = join_all(group.others.iter().map(|(id, member)| self.ask(*id, member, &group, &office))).await;
        let now = clock::now();
        office.heard.retain(|node, _| group.others.contains_key(node));
        let mut reports = BTreeMap::new();
        for (node, answer) in answers {
            match answer {
                Ok(report) => {
                    reports.insert(node, report.clone());
                    office.heard.insert(node, (now, Some(report)));
                }
                // It lives, and does not know the question.
                Err(CallError::Refused { .. }) => drop(office.heard.insert(node, (now, None))),
                Err(
                    CallError::Unreachable { .. }
                    | CallError::Silent { .. }
                    | CallError::Malformed { .. }
                    | CallError::TookBack { .. },
                ) => {}
            }
        }
        let room = self.vitals.room();
        self.judge_room(&group, room, &office, now);
        self.judge_states(&group, &mut office, &reports);
        self.remember(&group, room, &office);
        self.hand_over(&group, &office).await;
        office
    }

    async fn ask(&self, id: u64, member: &Member, group: &Group, office: &Office) -> (u64, Result<Report, CallError>) {
        let peer = self.peers.peer(Class::Control, id, member);
        let proven = office.findings.get(&id).and_then(|finding| finding.proven());
        let question = peer.envelope(Kind::Vitals, Question { proven }.encode());
        let question = Envelope { quorum_lost: group.quorum_lost, ..question };
        let answer = peer.send(question, VITALS_MAX).await.and_then(|answer| peer.open(answer, Kind::Vitals));
        let report = answer.and_then(|body| Report::decode(body).map_err(|error| peer.malformed(error)));
        (id, report)
    }

    fn group(&self) -> Group {
        let seen = self.raft.metrics().borrow_watched().clone();
        let membership = seen.membership_config.membership();
        let own = *self.raft.node_id();
        let others = membership.nodes().filter(|(id, _)| **id != own).map(|(id, member)| (*id, member.clone()));
        let quorum_lost = self.status.status().leader.is_none();
        Group { own, voters: membership.voter_ids().collect(), others: others.collect(), quorum_lost }
    }

    fn judge_room(&self, group: &Group, room: Option<Room>, office: &Office, now: Instant) {
        let mut disks: BTreeMap<_, _> = group.others.keys().map(|node| (*node, office.disk(*node, now))).collect();
        disks.insert(group.own, room.map_or(Disk::Untold, Disk::Known));
        let shortage = judge::shortage(group.own, &group.voters, &disks);
        let before = std::mem::replace(&mut *self.vitals.shortage.lock(), shortage);
        match (before, shortage) {
            (None, Some(short)) => tracing::warn!(
                node = short.node,
                free_bytes = short.free_bytes,
                needed_bytes = short.needed_bytes,
                "too little disk space: nothing new is taken until there is more"
            ),
            (Some(_), None) => tracing::info!("there is disk space again: everything is taken"),
            (None, None) | (Some(_), Some(_)) => {}
        }
    }

    fn judge_states(&self, group: &Group, office: &mut Office, reports: &BTreeMap<u64, Report>) {
        let replica = &self.vitals.replica;
        let found = judge::differences(group.own, &group.voters, reports, |index| replica.hash_at(index));
        for (node, finding) in &found {
            if office.findings.get(node) != Some(finding) && !office.is_proven(*node) {
                tell(*node, *finding);
            }
        }
        if let Some(Finding::Proven(difference)) = found.get(&group.own) {
            replica.doubt(*difference);
        }
        // Who was heard and agrees is cleared of a suspicion; a proof stays until the node says that it began anew.
        office.findings.retain(|node, finding| match finding {
            Finding::Open(_) => !reports.contains_key(node),
            Finding::Proven(_) => reports.get(node).is_none_or(|report| report.proven.is_some()),
        });
        let own = group.own;
        office.findings.extend(found.into_iter().filter(|(node, _)| *node != own));
        for (node, report) in reports {
            if let Some(proven) = report.proven {
                office.findings.entry(*node).or_insert(Finding::Proven(proven));
            }
        }
    }

    fn remember(&self, group: &Group, room: Option<Room>, office: &Office) {
        let one = |node: &u64| {
            let report = office.heard.get(node).and_then(|(_, report)| report.as_ref());
            let difference = office.findings.get(node).map(|finding| finding.difference());
            (*node, MemberVitals { room: report.and_then(|report| report.room), difference })
        };
        let own = MemberVitals { room, difference: self.vitals.replica.difference() };
        let members = group.others.keys().map(one).chain([(group.own, own)]).collect();
        *self.vitals.members.lock() = members;
    }

    /// A leader that is proven to differ lets the voter lead that has most of the log and is not.
    async fn hand_over(&self, group: &Group, office: &Office) {
        if self.vitals.is_sound() {
            return;
        }
        let matched = self.raft.metrics().borrow_watched().replication.clone().unwrap_or_default();
        let sound = group.voters.iter().filter(|node| **node != group.own && !office.findings.contains_key(node));
        let Some(next) = sound.max_by_key(|node| matched.get(node).and_then(|log| log.map(|log| log.index))) else {
            return;
        };
        // Raft that has stopped says so elsewhere; one that did not hand over is asked again in the next round.
        if let Err(error) = self.raft.trigger().transfer_leader(*next).await {
            tracing::debug!(%error, "the leadership was not handed over");
        }
    }

    fn leave(&self) {
        *self.vitals.shortage.lock() = None;
        self.vitals.members.lock().clear();
    }
}

impl Office {
    fn begin(term: u64) -> Self {
        Self { term, begun_at: clock::now(), heard: BTreeMap::new(), findings: BTreeMap::new() }
    }

    fn disk(&self, node: u64, now: Instant) -> Disk {
        let heard = self.heard.get(&node);
        let since = heard.map_or(self.begun_at, |(at, _)| *at);
        if now.duration_since(since) > VITALS_SILENCE_MAX {
            return Disk::Silent;
        }
        let room = heard.and_then(|(_, report)| report.as_ref()?.room);
        room.map_or(Disk::Untold, Disk::Known)
    }

    fn is_proven(&self, node: u64) -> bool {
        self.findings.get(&node).is_some_and(|finding| finding.proven().is_some())
    }
}

impl Finding {
    const fn proven(self) -> Option<Difference> {
        match self {
            Self::Proven(difference) => Some(difference),
            Self::Open(_) => None,
        }
    }

    const fn difference(self) -> Difference {
        match self {
            Self::Proven(difference) | Self::Open(difference) => difference,
        }
    }
}

fn tell(node: u64, finding: Finding) {
    match finding {
        Finding::Proven(difference) => tracing::error!(
            node,
            index = difference.index,
            found = format!("{:016x}", difference.found),
            expected = format!("{:016x}", difference.expected),
            "the state of a replica differs from that of the majority: it is not read any more; keep its data and \
             report it, then rebuild the node with `keeper forget --config FILE`"
        ),
        Finding::Open(difference) => tracing::error!(
            node,
            index = difference.index,
            found = format!("{:016x}", difference.found),
            expected = format!("{:016x}", difference.expected),
            "the state of a replica differs from the leader's, and no majority tells which is right"
        ),
    }
}
