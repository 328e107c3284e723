//! When the leader mends members that took back what they had acknowledged.
//!
//! A member whose directory was put back from an older copy counts for nothing until it is taken in anew, under a
//! number of its own: what it promised is forgotten. That takes a majority without it. Where none is left, nothing
//! could ever be committed, the leader alone would have what was acknowledged, and to set the data of the others aside
//! would be the end of the cluster. So the leader sends them everything again.
//!
//! **Why that is sound, and when.** What such a member has forgotten is in the leader's log, if it was acknowledged to
//! this leader; what was acknowledged to a later one is on a voter that is silent here, or nowhere any more. So it is
//! done only while no other voter is silent, however long that takes: such a one may depose this leader, or be a
//! majority with it. Where nobody is silent there is nothing to wait for, and each moment of waiting is one in which
//! the only copy can be lost.
//!
//! **Left out.** A member that took something back while a majority is left without it is never sent anything.

use crate::raft::{MemberStatus, RaftHandle, RaftStatus, Role};

/// Looks, and has sent again what has to be.
pub(super) async fn look(raft: &RaftHandle) {
    for node in due(&raft.status()) {
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
fn due(status: &RaftStatus) -> Vec<u64> {
    let voters = || status.members.iter().filter(|(_, member)| member.voter);
    let is_awaited = |member: &MemberStatus| member.silent && !member.took_back;
    if status.role != Role::NoQuorum || voters().any(|(_, member)| is_awaited(member)) {
        return Vec::new();
    }
    voters().filter(|(_, member)| member.took_back).map(|(id, _)| *id).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::members::quorum;

    /// Of three voters and a learner.
    fn status(role: Role, silent: &[u64], took_back: &[u64]) -> RaftStatus {
        let mut status = RaftStatus { role, ..quorum::tests::status(&[1, 2, 3, 4].map(|id| (id, None))) };
        for (id, member) in &mut status.members {
            member.voter = *id < 4;
            member.took_back = took_back.contains(id);
            member.silent = member.took_back || silent.contains(id);
        }
        status
    }

    #[test]
    fn who_may_have_more_is_waited_for_and_nobody_else() {
        assert!(due(&status(Role::Leader, &[], &[2])).is_empty(), "a majority is left without it");
        assert_eq!(due(&status(Role::NoQuorum, &[], &[2, 3])), [2, 3]);
        assert_eq!(due(&status(Role::NoQuorum, &[4], &[2, 3])), [2, 3], "a learner has no part in it");
        assert!(
            due(&status(Role::NoQuorum, &[3], &[2])).is_empty(),
            "it may be the only one that has a later leader's"
        );
        assert!(due(&status(Role::NoQuorum, &[2, 3], &[])).is_empty(), "nothing was taken back");
    }
}
