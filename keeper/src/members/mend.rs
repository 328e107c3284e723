//! When the leader mends members that took back what they had acknowledged.
//!
//! A member whose directory was put back from an older copy counts for nothing until it is taken in anew, under a
//! number of its own: what it promised is forgotten. That takes a majority without it. Where none is left, nothing
//! could ever be committed, the leader alone would have what was acknowledged, and to set the data of the others aside
//! would be the end of the cluster. So the leader sends them everything again.
//!
//! **Why that is sound, and when.** What such a member has forgotten is in the leader's log, if it was acknowledged to
//! this leader; what was acknowledged to a later one is on a member that is silent here, or nowhere any more. A silent
//! one is waited for, for [`RETURN_MAX`]: it may depose this leader, or be a majority with it. Where nobody is silent
//! there is nothing to wait for, and each moment of waiting is one in which the only copy can be lost.
//!
//! **Left out.** A member that took something back while a majority is left without it is never sent anything.

use tokio::time::Instant;

use super::limits::RETURN_MAX;
use crate::clock;
use crate::raft::{MemberStatus, RaftHandle, RaftStatus, Role};

/// What it remembers from look to look.
#[derive(Debug, Default)]
pub(super) struct Mending {
    /// Since when this leader can commit nothing.
    since: Option<Instant>,
}

impl Mending {
    /// Looks, and has sent again what has to be.
    pub(super) async fn look(&mut self, raft: &RaftHandle) {
        let status = raft.status();
        for node in self.due(&status, clock::now()) {
            if raft.send_again(node).await {
                tracing::warn!(
                    node,
                    "no majority is left without this member, which lacks entries that it had acknowledged: sending it \
                     everything again"
                );
            }
        }
    }

    /// Whom to send everything again.
    fn due(&mut self, status: &RaftStatus, now: Instant) -> Vec<u64> {
        let voters = || status.members.iter().filter(|(_, member)| member.voter);
        let took_back: Vec<_> = voters().filter(|(_, member)| member.took_back).map(|(id, _)| *id).collect();
        if status.role != Role::NoQuorum || took_back.is_empty() {
            self.since = None;
            return Vec::new();
        }
        let since = *self.since.get_or_insert(now);
        let has_waited = now.duration_since(since) >= RETURN_MAX;
        let is_awaited = |member: &MemberStatus| member.silent && !member.took_back;
        let awaits = voters().any(|(_, member)| is_awaited(member));
        if awaits && !has_waited { Vec::new() } else { took_back }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::raft::Member;

    fn status(role: Role, silent: &[u64], took_back: &[u64]) -> RaftStatus {
        let member = |id: u64| MemberStatus {
            member: Member::default(),
            voter: id < 4,
            matched: None,
            heard_ago: None,
            silent: silent.contains(&id) || took_back.contains(&id),
            took_back: took_back.contains(&id),
        };
        RaftStatus {
            id: 1,
            role,
            term: 1,
            leader: None,
            last_log: None,
            committed: None,
            applied: None,
            snapshot: None,
            purged: None,
            membership: None,
            changing: false,
            members: (1..=4).map(|id| (id, member(id))).collect(),
        }
    }

    #[test]
    fn who_may_have_more_is_waited_for_and_nobody_else() {
        let now = clock::now();
        let mut mending = Mending::default();
        assert!(mending.due(&status(Role::Leader, &[], &[2]), now).is_empty(), "a majority is left without it");
        assert_eq!(mending.due(&status(Role::NoQuorum, &[], &[2, 3]), now), [2, 3]);
        assert_eq!(mending.due(&status(Role::NoQuorum, &[4], &[2, 3]), now), [2, 3], "a learner has no part in it");
        let mut mending = Mending::default();
        let one_is_dead = status(Role::NoQuorum, &[3], &[2]);
        assert!(mending.due(&one_is_dead, now).is_empty());
        assert!(mending.due(&one_is_dead, now + RETURN_MAX - Duration::from_millis(1)).is_empty());
        assert_eq!(mending.due(&one_is_dead, now + RETURN_MAX), [2]);
        assert!(mending.due(&status(Role::Leader, &[], &[2]), now + RETURN_MAX).is_empty(), "it came back");
        assert!(mending.due(&one_is_dead, now + 2 * RETURN_MAX).is_empty(), "and went again");
        assert!(mending.due(&status(Role::NoQuorum, &[2, 3], &[]), now + 9 * RETURN_MAX).is_empty());
    }
}
