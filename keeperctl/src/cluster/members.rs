//! `keeperctl cluster add`, `promote`, `demote`, `remove`, `replace` and `transfer-leader`.
//!
//! What happens on the way is words, what came of it is data: one sentence, or one object.

use keeper_client_sdk::{MembershipChange, MembershipChanged, MembershipStep, Rank};
use serde::Serialize;

use crate::{
    admin::Admin,
    args::{AddMember, MemberVerb},
    failure::Failure,
    render::Report,
};

/// Looks of the leader, of which there are about twenty a second, until progress is told again.
const TELL_EVERY: u32 = 20;

pub(crate) async fn change(admin: &mut Admin<'_, '_>, verb: MemberVerb) -> Result<(), Failure> {
    let cluster = admin.keeper.cluster();
    let (what, change) = match verb {
        MemberVerb::Add(AddMember { peer, learner: true }) => (What::AddedLearner, cluster.add(peer, Rank::Learner)),
        MemberVerb::Add(AddMember { peer, learner: false }) => (What::AddedVoter, cluster.add(peer, Rank::Voter)),
        MemberVerb::Promote { node } => (What::Promoted, cluster.promote(node)),
        MemberVerb::Demote { node } => (What::Demoted, cluster.demote(node)),
        MemberVerb::Remove { node } => (What::Removed, cluster.remove(node)),
        MemberVerb::Replace { old, peer } => (What::Replaced(old), cluster.replace(old, peer)),
        MemberVerb::TransferLeader { node } => (What::Leads, cluster.transfer_leader(node)),
    };
    let changed = follow(admin, change).await?;
    admin.console.print(&Done::of(what, changed))
}

/// Tells how it goes, until it is done.
async fn follow(admin: &mut Admin<'_, '_>, mut change: MembershipChange) -> Result<MembershipChanged, Failure> {
    let mut pace = Pace::default();
    loop {
        let step = change.step().await.map_err(|error| Failure::of_change(error, "keeperctl cluster status"))?;
        match step {
            MembershipStep::Changed(changed) => return Ok(changed),
            MembershipStep::Numbered(node) => admin.console.say(format_args!("it is node {node}, and starts as that")),
            MembershipStep::Joined(node) => admin.console.say(format_args!("node {node} is a learner")),
            MembershipStep::HandingOver(node) => {
                admin.console.say(format_args!("leadership is handed over to node {node}"));
            }
            MembershipStep::CatchingUp { node_id, has, wanted } if pace.is_due((node_id, has, wanted)) => {
                admin.console.say(format_args!("node {node_id} has {has} of {wanted} entries"));
            }
            MembershipStep::CatchingUp { .. } | _ => {}
        }
    }
}

/// When progress is worth a word: not if it takes no time, and not if nothing has moved since the last one.
#[derive(Debug, Default)]
struct Pace {
    looks: u32,
    told: Option<(u64, u64, u64)>,
}

impl Pace {
    fn is_due(&mut self, now: (u64, u64, u64)) -> bool {
        self.looks += 1;
        self.looks.is_multiple_of(TELL_EVERY) && self.told.replace(now) != Some(now)
    }
}

/// What was asked for.
enum What {
    AddedVoter,
    AddedLearner,
    Promoted,
    Demoted,
    Removed,
    Replaced(u64),
    Leads,
}

/// What came of it, as it is printed.
#[derive(Debug, Serialize)]
struct Done {
    node: u64,
    /// Something was changed.
    changed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pause_ms: Option<u64>,
    #[serde(skip)]
    sentence: String,
}

impl Done {
    fn of(what: What, changed: MembershipChanged) -> Self {
        let MembershipChanged { node_id: node, unchanged, pause } = changed;
        let pause_ms = pause.map(|pause| u64::try_from(pause.as_millis()).unwrap_or(u64::MAX));
        let now = if unchanged { "already" } else { "now" };
        let sentence = match what {
            What::AddedVoter => format!("node {node} is a member and votes {now}"),
            What::AddedLearner => format!("node {node} is a member {now}"),
            What::Promoted => format!("node {node} votes {now}"),
            What::Demoted if unchanged => format!("node {node} has no vote already: it is a learner"),
            What::Demoted => format!("node {node} has no vote any more: it is a learner"),
            What::Removed => format!("node {node} is no member any more: stop it; its number is spent"),
            What::Replaced(old) => format!("node {node} has taken the place of node {old}: stop that one"),
            What::Leads => {
                let pause = pause_ms.map(|ms| format!("; no write was acknowledged for {ms} ms")).unwrap_or_default();
                format!("node {node} leads {now}{pause}")
            }
        };
        Self { node, changed: !unchanged, pause_ms, sentence }
    }
}

impl Report for Done {
    fn table(&self) -> String {
        format!("{}\n", self.sentence)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_node_that_gains_nothing_is_told_once() {
        let mut pace = Pace::default();
        let mut told = |has| (0..TELL_EVERY * 3).filter(|_| pace.is_due((4, has, 90))).count();
        assert_eq!([told(10), told(10), told(60)], [1, 0, 1]);
        assert!(!Pace::default().is_due((4, 10, 90)), "what takes no time is not worth a word");
    }

    #[test]
    fn what_came_of_it_is_one_sentence() {
        let changed = MembershipChanged { node_id: 4, unchanged: false, pause: Some(Duration::from_millis(210)) };
        let said = |what, changed: &MembershipChanged| Done::of(what, changed.clone()).table();
        assert_eq!(said(What::Leads, &changed), "node 4 leads now; no write was acknowledged for 210 ms\n");
        assert_eq!(said(What::AddedVoter, &changed), "node 4 is a member and votes now\n");
        let same = MembershipChanged { unchanged: true, pause: None, ..changed };
        assert_eq!(said(What::Promoted, &same), "node 4 votes already\n");
    }
}
