//! Has a member that took back what it had acknowledged sent again what it lacks, under the same leader.
//!
//! openraft panics when a member lacks what it had matched, unless it was allowed to start anew with that member: once,
//! and for that one member. The setting that allows it always stays off (a wiped disk under an old number would pass
//! unseen), and each such step is decided by the leader's steward, which says why it is sound
//! ([`members/mend`](crate::members)). It loses nothing that an election would not: what is committed stays so, and
//! until the member has the entries again it counts for nothing new. An election would mend such members as well, and
//! give them the time to elect each other without the entries.

use openraft::async_runtime::watch::WatchReceiver as _;

use super::handle::RaftHandle;

impl RaftHandle {
    /// Has a member sent again what it took back. Says whether it is going to be: this node leads, and the member lacks
    /// what it had acknowledged to it.
    pub async fn send_again(&self, node: u64) -> bool {
        let (leader, member) = {
            let metrics = self.raft.metrics();
            let seen = metrics.borrow_watched();
            let Some(member) = seen.membership_config.membership().get_node(&node) else { return false };
            (seen.vote.leader_id, (node, member.disk_id))
        };
        if !self.acknowledged.is_taken_back(leader, member) {
            return false;
        }
        // In this order: openraft must not hear of it before it may.
        let allowed = self.raft.trigger().allow_next_revert(&node, true).await;
        matches!(allowed, Ok(Ok(()))) && self.acknowledged.allow(leader, member)
    }
}
