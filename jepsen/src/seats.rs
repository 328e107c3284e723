//! Who is a member, by place: which node of the run has which number in the cluster's books, and whether it votes.

use keeper_client_sdk::{Endpoint, Member, NodeStatus, Role};

/// A node of the run as the leader's books have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seat {
    /// Its place among the nodes of the run.
    pub(crate) at: usize,
    /// The number the books give it; none when they do not name it.
    pub(crate) id: Option<u64>,
    pub(crate) is_voter: bool,
    /// The number it gives itself, when it answers and has one.
    pub(crate) own_id: Option<u64>,
    /// It answers, and has nothing: its disk was taken away.
    pub(crate) is_blank: bool,
}

impl Seat {
    pub(crate) const fn is_member(&self) -> bool {
        self.id.is_some()
    }

    /// It answers, and is who the books say it is.
    pub(crate) fn is_present(&self) -> bool {
        self.is_member() && self.id == self.own_id
    }
}

/// Every node's seat, by the books of whoever leads; none without a leader.
pub(crate) fn seats(endpoints: &[Endpoint], statuses: &[(usize, NodeStatus)]) -> Option<Vec<Seat>> {
    let leading = statuses.iter().filter(|(_, it)| it.role == Role::Leader);
    let (_, leader) = leading.max_by_key(|(_, it)| (it.term, it.node_id))?;
    let seat = |(at, endpoint): (usize, &Endpoint)| {
        let is_here = |it: &&Member| Endpoint::parse(&it.client_endpoint).is_ok_and(|it| it == *endpoint);
        let member = leader.members.iter().filter(is_here).max_by_key(|it| it.node_id);
        let status = statuses.iter().find(|(place, _)| *place == at).map(|(_, status)| status);
        Seat {
            at,
            id: member.map(|it| it.node_id),
            is_voter: member.is_some_and(|it| it.voter),
            is_blank: status.is_some_and(|it| it.role == Role::Uninitialized),
            own_id: status.filter(|it| it.role != Role::Uninitialized).map(|it| it.node_id),
        }
    };
    Some(endpoints.iter().enumerate().map(seat).collect())
}
