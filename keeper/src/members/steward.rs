//! What of the membership nobody has to ask for.
//!
//! The leader completes what a former one has left half-done. It mends a majority that took back what it had
//! acknowledged ([`mend`](super::mend)). And it takes a member in anew whose disk was replaced: at its address answers
//! a node with an empty directory, which has forgotten what the member promised and can never be that member again. It
//! is given a number of its own, learns what the cluster has, and takes the member's place in one change. This needs a
//! majority of the voters, as every change does; one is replaced at a time, and not soon after another: a fault that
//! empties directories should be seen by somebody before it has been through all of them.
//!
//! **A disk that is lost again meanwhile** leaves two numbers at one address, and a directory of neither there. The one
//! with a vote is replaced, whichever of the two it is by then; the other one is a learner, which is forgotten first.
//!
//! **What is told.** A directory that is found empty is told once, and so is each reason why it is not taken in: the
//! tries go on, and their lines would bury the rest of the log.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use keeper_registry::Level;
use tokio::time::Instant;

use super::mend;
use super::{Members, Tell, quorum};
use crate::clock;
use crate::levels::release_of;
use crate::metrics::Metrics;
use crate::problem::Problem;
use crate::raft::{Introduction, MemberStatus, RaftStatus};

/// How often the leader looks at the membership: nothing of it is urgent.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A member that was heard of within this time has its data.
const HEARD_MAX: Duration = Duration::from_secs(2);

/// Between two members that are replaced, and two tries to replace one.
const REPLACE_EVERY: Duration = Duration::from_secs(10);

/// What was last told of a directory in a member's place.
type Told = BTreeMap<(u64, u64), String>;

/// Works while this node leads.
#[derive(Debug)]
pub struct Steward {
    members: Members,
    metrics: Arc<Metrics>,
    wiped: Wiped,
}

/// What becomes of a member whose directory is found empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wiped {
    /// It is taken in anew.
    Replaced,
    /// It waits for an admin.
    Left,
}

impl Steward {
    /// For the members of a cluster.
    #[must_use]
    pub const fn new(members: Members, metrics: Arc<Metrics>, wiped: Wiped) -> Self {
        Self { members, metrics, wiped }
    }

    /// Works until `stop` resolves.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        tokio::select! {
            () = stop => {}
            () = self.work() => {}
        }
    }

    async fn work(&self) {
        let mut replaced_at: Option<Instant> = None;
        let mut told = Told::new();
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            if self.members.shared.leads().is_err() {
                continue;
            }
            mend::look(&self.members.shared.raft).await;
            self.complete().await;
            let rests = replaced_at.is_some_and(|at| at.elapsed() < REPLACE_EVERY);
            if !rests && self.replace_one(&mut told).await {
                replaced_at = Some(clock::now());
            }
        }
    }

    /// Completes a change that was left half-done, by a former leader or a caller that has gone.
    async fn complete(&self) {
        if !self.members.shared.raft.status().changing {
            return;
        }
        let Ok(turn) = self.members.turn("a change is being completed".to_owned()) else { return };
        if let Err(problem) = turn.complete().await {
            tracing::debug!(%problem, "a change of the membership was not completed; trying again");
        }
    }

    /// Takes one member in anew whose directory is empty; says whether there was one.
    async fn replace_one(&self, told: &mut Told) -> bool {
        let status = self.members.shared.raft.status();
        let silent = |member: &MemberStatus| member.heard_ago.is_none_or(|ago| ago > HEARD_MAX);
        let silent = status.members.iter().filter(|(id, member)| **id != status.id && silent(member));
        let (voters, learners): (Vec<_>, Vec<_>) = silent.partition(|(_, member)| member.voter);
        for (&node, member) in voters.into_iter().chain(learners) {
            let at = &member.member.peer_endpoint;
            let Ok(found) = self.members.shared.raft.meet(at).await else { continue };
            let is_old = is_too_old(&found);
            if !is_old && !is_wiped(node, member, &found, &status) {
                continue;
            }
            let key = (node, found.disk_id);
            if let Some(waits) = self.waits_for(node, at, is_old) {
                if is_news(told, key, &waits) {
                    tracing::warn!(node, at, "an empty directory answers in the place of this member: {waits}");
                }
                continue;
            }
            if !told.contains_key(&key) {
                tracing::warn!(node, at, "an empty directory answers in the place of this member: taking it in anew");
            }
            match self.replace(node, at).await {
                Ok(new) => {
                    told.remove(&key);
                    self.metrics.members_replaced.inc();
                    tracing::info!(node, new, "the member was taken in anew");
                }
                Err(problem) => {
                    let reason = reason(&problem);
                    if is_news(told, key, &reason) {
                        tracing::warn!(node, reason, "the member was not taken in anew yet; trying again and again");
                    }
                }
            }
            return true;
        }
        false
    }

    /// What somebody has to do before a member can be taken in anew.
    fn waits_for(&self, node: u64, at: &str, is_too_old: bool) -> Option<String> {
        let level = self.members.shared.replica.read(|state| state.level());
        if is_too_old {
            Some("it runs the first release, which cannot be taken in anew: run a newer keeper there".to_owned())
        } else if level < Level::NAMED {
            Some(format!(
                "it is taken in anew once the cluster is at feature level {}, and it is at {level}: run keeper {} or \
                 newer on every node, then `keeperctl cluster upgrade`",
                Level::NAMED,
                release_of(Level::NAMED)
            ))
        } else if self.wiped == Wiped::Left {
            Some(format!("raft.replace_wiped is off, `keeperctl cluster replace {node} {at}` takes it in anew"))
        } else {
            None
        }
    }

    async fn replace(&self, node: u64, at: &str) -> Result<u64, Problem> {
        let turn = self.members.turn(format!("node {node}, whose disk was replaced, is being taken in anew"))?;
        turn.complete().await?;
        // A number is not worth giving where nothing can be decided.
        turn.check(&quorum::voters(&self.members.shared.raft.status())).await?;
        let (tell, _nobody) = Tell::channel();
        Ok(turn.replace(node, at, &tell).await?.node)
    }
}

/// Whether this is not what was told of a directory last.
fn is_news(told: &mut Told, key: (u64, u64), what: &str) -> bool {
    told.insert(key, what.to_owned()).as_deref() != Some(what)
}

/// Why a member was not taken in, the registry's own reason included.
fn reason(problem: &Problem) -> String {
    if let Problem::Rejected(rejection) = problem { format!("{problem}: {rejection:?}") } else { problem.to_string() }
}

/// Whether it is an empty node of the release that does not say who it is.
const fn is_too_old(found: &Introduction) -> bool {
    found.version.is_empty() && !found.initialized
}

/// Whether a node that answers in a member's place is an empty one, or one that an earlier try has taken in.
fn is_wiped(node: u64, member: &MemberStatus, found: &Introduction, status: &RaftStatus) -> bool {
    if found.disk_id == member.member.disk_id || found.peer_endpoint != member.member.peer_endpoint {
        return false;
    }
    let known = status.members.get(&found.node);
    let is_taken_in = known.is_some_and(|known| known.member.disk_id == found.disk_id);
    // Its settings may name another number of this place: whoever was there before, or came after.
    let is_named_here = known.is_none_or(|known| known.member.peer_endpoint == member.member.peer_endpoint);
    let is_empty = !found.initialized && (found.node == node || is_named_here);
    is_taken_in || is_empty
}

#[cfg(test)]
mod tests {
    use keeper_registry::Rejection;

    use super::*;

    /// It was told every ten seconds, and without the reason.
    #[test]
    fn why_a_member_is_not_taken_in_is_told_once_with_the_reason() {
        let mut told = Told::new();
        let refused = Problem::Rejected(Rejection::LevelTooLow { needed: Level::NAMED, present: Level::FIRST });
        let first = reason(&refused);
        assert!(first.starts_with("the registry refused the request: LevelTooLow { needed: "), "{first}");
        assert!(is_news(&mut told, (3, 30), &first) && !is_news(&mut told, (3, 30), &first));
        assert!(is_news(&mut told, (3, 30), &reason(&Problem::Stopping)), "another reason");
        assert!(is_news(&mut told, (3, 31), &first), "another directory");
    }

    /// It was passed over in silence.
    #[test]
    fn an_empty_node_of_the_first_release_is_told_from_one_that_can_be_taken_in() {
        let of = |version: &str, initialized| Introduction {
            disk_id: 7,
            initialized,
            node: 0,
            state: 0,
            lost: false,
            peer_endpoint: String::new(),
            client_endpoint: String::new(),
            version: version.to_owned(),
        };
        assert!(is_too_old(&of("", false)));
        assert!(!is_too_old(&of("", true)), "it has its data");
        assert!(!is_too_old(&of("0.2.0", false)));
    }
}
