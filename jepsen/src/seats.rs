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

/// Every node's seat, by the books of whoever leads; none without a leader, or with one whose time is over: its books
/// lack who came since.
pub(crate) fn seats(endpoints: &[Endpoint], statuses: &[(usize, NodeStatus)]) -> Option<Vec<Seat>> {
    let leading = statuses.iter().filter(|(_, it)| it.role == Role::Leader);
    let (_, leader) = leading.max_by_key(|(_, it)| (it.term, it.node_id))?;
    if statuses.iter().any(|(_, it)| it.term > leader.term) {
        return None;
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn status(node_id: u64, role: Role, term: u64, members: Vec<Member>) -> NodeStatus {
        NodeStatus {
            cluster: "jepsen".into(),
            node_id,
            is_expected: false,
            leaves_wiped: false,
            log_behind_ms: 0,
            leader_id: None,
            term,
            role,
            last_log_index: 0,
            committed_index: 0,
            applied_index: 0,
            snapshot_index: 0,
            purged_index: 0,
            state_id: 0,
            version: String::new(),
            members,
            sessions: 0,
            instances: 0,
            configs: 0,
            level: 1,
            level_max: 1,
            peer_endpoint: String::new(),
            disk_id: 0,
            state_hash: 0,
            log_time_ms: 0,
            disk: None,
            diverged: None,
        }
    }

    #[test]
    fn only_the_books_of_the_newest_leader_say_who_is_a_member() {
        let endpoints = [7_400, 7_500].map(|port| Endpoint::parse(&format!("10.0.0.1:{port}")).unwrap());
        let first = Member {
            node_id: 3,
            voter: true,
            peer_endpoint: "10.0.0.1:7401".into(),
            client_endpoint: "http://10.0.0.1:7400".into(),
            matched_index: None,
            last_heard_ms: None,
            is_silent: false,
            took_back: false,
            disk: None,
            diverged: None,
        };
        let leader = (0, status(3, Role::Leader, 5, vec![first]));
        let seated = |other: NodeStatus| seats(&endpoints, &[leader.clone(), (1, other)]);
        let found = seated(status(4, Role::Learner, 5, Vec::new())).unwrap();
        assert!(found[0].is_voter && found[0].is_present());
        assert_eq!((found[1].id, found[1].own_id, found[1].is_blank), (None, Some(4), false));
        let blank = seated(status(0, Role::Uninitialized, 0, Vec::new())).unwrap();
        assert_eq!((blank[1].own_id, blank[1].is_blank), (None, true));
        assert_eq!(seated(status(4, Role::Follower, 6, Vec::new())), None);
    }
}
