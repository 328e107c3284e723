//! Whether the voters that are left can decide anything, and what ends it if they cannot.
//!
//! A voter that is silent may come back with what it knows. One without data has forgotten what it promised and counts
//! for nothing until a leader has taken it in anew, which takes a majority of those that have not.

use keeper_client_sdk::{Member, NodeStatus};

use crate::cluster::{problems::named, survey::Survey};

/// The voters, by what keeps them from deciding.
pub(super) struct Majority<'a> {
    voters: usize,
    /// In the words of whoever was elected.
    elected: Option<u64>,
    silent: Vec<&'a Member>,
    empty: Vec<&'a Member>,
}

impl<'a> Majority<'a> {
    /// As this program is answered; where somebody was elected, as that one is.
    pub(super) fn of(survey: &'a Survey, elected: Option<&NodeStatus>) -> Self {
        let members = survey.members();
        let voters: Vec<&Member> = members.into_values().filter(|member| member.voter).collect();
        let is_empty = |voter: &Member| survey.emptied().any(|(member, _)| member.node_id == voter.node_id);
        let is_silent = |voter: &Member| match elected {
            Some(elected) => elected.members.iter().any(|it| it.node_id == voter.node_id && it.is_silent),
            None => !survey.has_heard(voter.node_id),
        };
        let (empty, others): (Vec<_>, Vec<_>) = voters.iter().copied().partition(|voter| is_empty(voter));
        let silent = others.into_iter().filter(|voter| is_silent(voter)).collect();
        Self { voters: voters.len(), elected: elected.map(|it| it.node_id), silent, empty }
    }

    /// Whether those that are left can decide.
    pub(super) const fn is_there(&self) -> bool {
        (self.voters - self.silent.len() - self.empty.len()) * 2 > self.voters
    }

    /// Whether those that have data, silent ones included, could not.
    const fn is_lost(&self) -> bool {
        !self.empty.is_empty() && (self.voters - self.empty.len()) * 2 <= self.voters
    }

    /// Who keeps it from being there.
    pub(super) fn lack(&self) -> String {
        let Self { voters, elected, silent, empty } = self;
        if self.is_lost() {
            return format!("{} of {voters} voters have no data", empty.len());
        }
        let without = match empty.len() {
            0 => String::new(),
            1 => ", and 1 has no data".to_owned(),
            several => format!(", and {several} have no data"),
        };
        let whom = elected.map_or("", |_| " it");
        let names: Vec<_> = silent.iter().chain(empty).map(|member| named(member)).collect();
        format!("{} of {voters} voters do not answer{whom}{without}: {}", silent.len(), names.join(", "))
    }

    /// What ends the want of it; none where there is none. A member that is silent cannot be removed without one.
    pub(super) fn cure(&self) -> Option<String> {
        if self.voters == 0 || self.is_there() {
            return None;
        }
        if self.is_lost() {
            return Some(LOST.to_owned());
        }
        let answer = self.voters - self.silent.len() - self.empty.len();
        let back = self.voters / 2 + 1 - answer;
        let (them, their) = if self.silent.len() == 1 { ("it", "its") } else { ("them", "their") };
        let whom = if back == self.silent.len() { them.to_owned() } else { format!("{back} of them") };
        Some(format!(
            "start {whom} again, or repair the network to {them}: until then nothing can be changed, nor anybody removed; \
             if {their} data is gone for good, begin a cluster with a backup: docs/operations.md, \"Backup and restore\""
        ))
    }

    /// What is missing, and the cure where it is another than to start somebody.
    pub(super) fn verdict(&self) -> String {
        let lack = self.lack();
        if self.is_lost() { format!("{lack}: {LOST}") } else { lack }
    }
}

/// Whoever leads and can decide something: one whose voters have lost their data goes on believing that it leads for as
/// long as an election takes.
pub(super) fn leader(survey: &Survey) -> Option<&NodeStatus> {
    survey.leader().filter(|_| !Majority::of(survey, None).is_lost())
}

/// Nobody is left who could take anybody in.
const LOST: &str = "put their directories back, or begin with a backup (docs/operations.md, \"Backup and restore\")";
