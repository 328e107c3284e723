//! Raising the cluster's feature level, when an admin says so.
//!
//! Replacing the binaries changes nothing that the release before cannot read: as long as the level has not been
//! raised, any node can go back. Raising it is the step without a way back, so it is **explicit**: it is not taken at
//! night because the last node happened to restart, and not before somebody has seen the new release carry the load.
//! The cost is one command; status, metrics and the answer of that command say when it is due.
//!
//! The leader asks every member, learners too, which levels it reads ([`RaftHandle::survey`]), and proposes the newest
//! that all do, in its own term of office. A member that does not answer is a reason to refuse: nobody knows what it
//! will run when it comes back. Between the question and the entry a member may be replaced by an older binary all the
//! same; that one stops before it applies the entry ([`crate::levels`]), which is safe, and why it is only a race
//! against an admin's own hands.

use std::collections::BTreeMap;

use keeper_registry::{Command, Level, RaiseLevel, Reply};

use crate::levels::release_of;
use crate::problem::Problem;
use crate::propose::{Committed, Lane, Proposal, Proposer};
use crate::raft::{Announced, RaftHandle};

/// About what the command takes in the log, beside its author.
const COMMAND_BYTES: usize = 64;

/// Raises the level of the cluster that this node leads.
#[derive(Debug, Clone)]
pub struct Upgrade {
    raft: RaftHandle,
    proposer: Proposer,
}

/// What became of the level.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raised {
    /// Before.
    pub from: Level,
    /// Now; the same when there was nothing to raise.
    pub to: Level,
    /// The release that every node needs now.
    pub needs: &'static str,
}

type Survey = BTreeMap<u64, Result<Announced, String>>;

impl Upgrade {
    /// Of one node.
    #[must_use]
    pub const fn new(raft: RaftHandle, proposer: Proposer) -> Self {
        Self { raft, proposer }
    }

    /// Raises the level to the newest that every member reads.
    ///
    /// # Errors
    /// [`Problem::NotLeader`]; [`Problem::Invalid`] when a member is silent or holds the cluster back; those of
    /// [`Proposer::propose`].
    pub async fn raise(&self, author: String) -> Result<Raised, Problem> {
        let leader = || self.raft.leads().map_err(|leader| Problem::NotLeader { leader });
        leader()?;
        let term = self.raft.leadership().borrow().term;
        let from = self.raft.levels().reached();
        let to = target(from, &self.raft.survey().await)?;
        if to == from {
            return Ok(Raised { from, to, needs: release_of(to) });
        }
        leader()?;
        let bytes = COMMAND_BYTES + author.len();
        let command = Command::RaiseLevel(RaiseLevel { to, needs: release_of(to).to_owned(), author });
        let proposal = Proposal { term: Some(term), ..Proposal::new(command, bytes) };
        let Committed { reply, revision } = self.proposer.propose(Lane::Config, proposal).await?;
        let Reply::LevelRaised { level } = reply else {
            return Err(Problem::Unknown { reason: "an answer of another kind" });
        };
        tracing::info!(%from, to = %level, revision = revision.0, "the cluster's feature level was raised");
        Ok(Raised { from, to: level, needs: release_of(level) })
    }
}

/// The newest level that all members read, if it is worth asking for.
fn target(present: Level, survey: &Survey) -> Result<Level, Problem> {
    let invalid = |message| Problem::Invalid { field: "members".to_owned(), message };
    let silent: Vec<_> = survey.values().filter_map(|said| said.as_ref().err()).cloned().collect();
    if !silent.is_empty() {
        let advice = "every member must answer, because one that comes back with an older release could not go on: \
                      start it, or remove it";
        return Err(invalid(format!("{}: {advice}", silent.join("; "))));
    }
    let said = || survey.iter().filter_map(|(id, said)| Some((*id, said.as_ref().ok()?)));
    let most = said().map(|(_, said)| said.level_max).max().unwrap_or(present);
    let all = said().map(|(_, said)| said.level_max).min().unwrap_or(present).max(present);
    if all > present || most <= present {
        return Ok(all);
    }
    let behind = said().filter(|(_, said)| said.level_max < most).map(|(id, said)| behind(id, said));
    let behind = behind.collect::<Vec<_>>().join("; ");
    // A leader of the release before does not know which one the level came with, but who announced it.
    let newer = said().find(|(_, said)| most > Level::NEWEST && said.level_max == most);
    let release = newer.map_or_else(|| release_of(most), |(_, said)| said.release.as_str());
    Err(invalid(format!("{behind}: feature level {most} needs keeper {release} or newer on every member")))
}

fn behind(id: u64, said: &Announced) -> String {
    let Announced { level_max, release } = said;
    if release.is_empty() {
        return format!("node {id} runs a keeper from before feature levels");
    }
    if *level_max < Level::NEWEST && release == env!("CARGO_PKG_VERSION") {
        return format!("node {id} is held at level {level_max} by its setting upgrade.level_max");
    }
    format!("node {id} runs keeper {release}, which reaches level {level_max}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(level: u32, release: &str) -> Result<Announced, String> {
        Ok(Announced { level_max: Level(level), release: release.to_owned() })
    }

    fn refusal(survey: &Survey) -> String {
        target(Level::FIRST, survey).expect_err("a refusal").to_string()
    }

    #[test]
    fn the_newest_level_that_all_read_is_taken() {
        let survey = BTreeMap::from([(1, said(3, "0.3.0")), (2, said(2, "0.2.0"))]);
        assert_eq!(target(Level::FIRST, &survey), Ok(Level(2)));
        assert_eq!(target(Level(3), &BTreeMap::from([(1, said(3, "0.3.0"))])), Ok(Level(3)));
    }

    #[test]
    fn who_holds_the_cluster_back_is_named() {
        let held = said(1, env!("CARGO_PKG_VERSION"));
        let survey = BTreeMap::from([(1, said(2, "0.2.0")), (2, said(1, "")), (3, held), (4, said(1, "0.1.9"))]);
        let expected = "node 2 runs a keeper from before feature levels; node 3 is held at level 1 by its setting \
                        upgrade.level_max; node 4 runs keeper 0.1.9, which reaches level 1: feature level 2 needs \
                        keeper 0.2.0 or newer on every member";
        assert_eq!(refusal(&survey), expected);
    }

    #[test]
    fn a_leader_that_is_older_than_the_level_names_the_release_of_who_reads_it() {
        let newest = Level::NEWEST.0;
        let survey = BTreeMap::from([(1, said(newest + 1, "9.1.0")), (2, said(newest, "9.0.0"))]);
        let refused = target(Level::NEWEST, &survey).expect_err("this one is behind").to_string();
        let expected = format!(
            "node 2 runs keeper 9.0.0, which reaches level {newest}: feature level {} needs keeper 9.1.0 or newer on \
             every member",
            newest + 1
        );
        assert_eq!(refused, expected);
    }

    #[test]
    fn who_is_silent_is_named() {
        let survey =
            BTreeMap::from([(1, said(2, "0.2.0")), (2, Err("node 2 at b:1 cannot be reached: gone".to_owned()))]);
        let expected = "node 2 at b:1 cannot be reached: gone: every member must answer, because one that comes back \
                        with an older release could not go on: start it, or remove it";
        assert_eq!(refusal(&survey), expected);
    }
}
