//! Who a node is, and the check that a message reached whom it was meant for.
//!
//! openraft asserts that a node id answers for itself only: a message that reaches another node by a wrong address, or
//! a node of another cluster on a reused port, would corrupt the log or stop the process. So every message names
//! cluster, group, sender and target, and the receiver refuses whatever is not its own before looking at the content.
//!
//! A node whose data directory was wiped is not the member it was either: it has forgotten what it acknowledged and how
//! it voted. The membership names each member's directory, every message the one it is meant for, and a node with
//! another one refuses, so that it neither votes nor counts.

use bytes::Bytes;
use keeper_proto::peer::{Envelope, envelope::Kind};
use keeper_proto::v1::{Problem, problem};
use keeper_registry::Level;
use prost::Message;

use crate::codec::DecodeError;
use crate::levels::release_of;
use crate::problem::excerpt;

/// The name of a Raft node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The cluster.
    pub cluster: String,
    /// The Raft group; always 0 so far.
    pub group: u32,
    /// The node, unique in the cluster for ever: a new disk is a new node. 0 for one that waits to be given a number.
    pub node: u64,
    /// Names its data directory; never 0.
    pub disk_id: u64,
    /// The newest feature level it reads.
    pub level_max: Level,
}

/// Why a message was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("the message is for cluster `{named}`; node {node} belongs to cluster `{own}`: check the peer addresses")]
    WrongCluster { named: String, own: String, node: u64 },
    #[error("the message is for group {named}; node {node} serves group {own}")]
    WrongGroup { named: u32, own: u32, node: u64 },
    #[error(
        "the message is for node {named}; this node waits for a number: if it is in the place of that one, whose data is \
         gone, it gets one from a leader; otherwise set its `node_id`, or add it to the cluster"
    )]
    Unnumbered { named: u64 },
    #[error("the message is for node {named}; this is node {own}: check the peer addresses")]
    WrongNode { named: u64, own: u64 },
    #[error(
        "the message is for node {named}; this is node {own}, which has no data: if it is in the place of node {named}, \
         whose disk was lost or whose data was set aside, nothing is to be done, a leader with a majority takes this \
         directory in anew under a new number; where `raft.replace_wiped` is off, `keeperctl cluster replace {named} \
         HOST:PEERPORT` does, with this node's own address. If it should have its data, stop it and look for its disk; \
         if node {named} is elsewhere, check the peer addresses"
    )]
    Emptied { named: u64, own: u64 },
    #[error(
        "the message is for node {named}, in whose place this node is: it is node {own}, and nothing is wrong; such \
         messages end once the cluster has forgotten node {named}"
    )]
    Succeeded { named: u64, own: u64 },
    #[error("this node is stopping")]
    Stopping,
    #[error("this node has been given a number, and starts anew")]
    Renumbering,
    #[error(
        "node {node} was a member with another data directory, which is gone with all it acknowledged: its number is \
         spent, and this directory gets a new one from the leader; where `raft.replace_wiped` is off, by \
         `keeperctl cluster replace {node} HOST:PEERPORT` with this node's own address. If it should have its data, \
         stop it and look for its disk"
    )]
    WrongDisk { node: u64 },
    #[error(
        "node {from} reads feature levels up to {reads}, and the cluster is at {level}: run keeper {} or newer there",
        release_of(*level)
    )]
    LevelTooLow { from: u64, reads: Level, level: Level },
    #[error("node {from} reads feature levels from {reads}; node {node} reads up to {most}: run a newer keeper here")]
    LevelTooHigh { from: u64, reads: Level, node: u64, most: Level },
    #[error("a message of kind {found} came where {expected} was expected")]
    WrongKind { found: i32, expected: &'static str },
    #[error("the body of a {what} message does not decode: {source}")]
    Malformed { what: &'static str, source: DecodeError },
    #[error("node {node} has data already: only an empty one is given a number")]
    Taken { node: u64 },
    #[error("{what}")]
    Unavailable { what: String },
}

impl Identity {
    /// A message to the node with this data directory.
    pub(super) fn envelope(&self, to: u64, to_disk: u64, kind: Kind, body: Bytes) -> Envelope {
        Envelope { to_disk, ..self.answer(to, kind, body) }
    }

    /// An answer to whoever asked.
    pub(super) fn answer(&self, to: u64, kind: Kind, body: Bytes) -> Envelope {
        let Self { cluster, group, node, disk_id: _, level_max } = self;
        Envelope {
            cluster: cluster.clone(),
            group: *group,
            from: *node,
            to,
            kind: kind.into(),
            body,
            to_disk: 0,
            level_min: Level::FIRST.0,
            level_max: level_max.0,
            release: if kind == Kind::Identify { env!("CARGO_PKG_VERSION").to_owned() } else { String::new() },
            quorum_lost: false,
            process: 0,
        }
    }

    /// The answer that refuses.
    pub(super) fn refuse(&self, to: u64, refusal: &Refusal) -> Envelope {
        self.answer(to, Kind::Problem, refusal.to_problem().encode_to_vec().into())
    }

    /// Whether sender and receiver understand each other, in a cluster of a level: their ranges must overlap, and the
    /// sender's must reach the cluster's. A node from before there were levels names none, and reads the first.
    pub(super) fn check_levels(&self, message: &Envelope, cluster: Level) -> Result<(), Refusal> {
        let first = Level::FIRST;
        let (lowest, highest) = (Level(message.level_min).max(first), Level(message.level_max).max(first));
        if highest < cluster {
            return Err(Refusal::LevelTooLow { from: message.from, reads: highest, level: cluster });
        }
        if lowest > self.level_max {
            let (from, node, most) = (message.from, self.node, self.level_max);
            return Err(Refusal::LevelTooHigh { from, reads: lowest, node, most });
        }
        Ok(())
    }

    /// Whether a message is for this node.
    pub(super) fn check(&self, message: &Envelope) -> Result<(), Refusal> {
        let (own, node) = (self, self.node);
        if message.cluster != own.cluster {
            let (named, own) = (excerpt(&message.cluster).into_owned(), own.cluster.clone());
            return Err(Refusal::WrongCluster { named, own, node });
        }
        if message.group != own.group {
            return Err(Refusal::WrongGroup { named: message.group, own: own.group, node });
        }
        // Whoever asks for the identity may not know it yet.
        let anonymous = message.to == 0 && message.kind() == Kind::Identify;
        if message.to != node && !anonymous && node == 0 {
            return Err(Refusal::Unnumbered { named: message.to });
        }
        if message.to != node && !anonymous {
            return Err(Refusal::WrongNode { named: message.to, own: node });
        }
        if message.kind() != Kind::Identify && message.to_disk != own.disk_id {
            return Err(Refusal::WrongDisk { node });
        }
        Ok(())
    }
}

impl Refusal {
    /// Whether it is as it should be, and ends by itself.
    pub(super) fn is_passing(&self) -> bool {
        // A tool that took this for another port asks who is there, and names no cluster.
        let is_question = matches!(self, Self::WrongCluster { named, .. } if named.is_empty());
        is_question || matches!(self, Self::Succeeded { .. } | Self::Renumbering)
    }

    fn to_problem(&self) -> Problem {
        let (class, reason) = match self {
            Self::WrongCluster { .. } => (problem::Class::Refused, "wrong-cluster"),
            Self::WrongGroup { .. } => (problem::Class::Refused, "wrong-group"),
            Self::WrongNode { .. } | Self::Emptied { .. } | Self::Succeeded { .. } | Self::Unnumbered { .. } => {
                (problem::Class::Refused, "wrong-node")
            }
            Self::WrongDisk { .. } => (problem::Class::Refused, "wrong-disk"),
            Self::Taken { .. } => (problem::Class::Refused, "taken"),
            Self::LevelTooLow { .. } | Self::LevelTooHigh { .. } => (problem::Class::Refused, "wrong-level"),
            Self::WrongKind { .. } => (problem::Class::Refused, "wrong-kind"),
            Self::Malformed { .. } => (problem::Class::Refused, "malformed"),
            Self::Stopping | Self::Renumbering | Self::Unavailable { .. } => {
                (problem::Class::Unavailable, "unavailable")
            }
        };
        Problem {
            class: class.into(),
            reason: reason.to_owned(),
            message: self.to_string(),
            happened: problem::Happened::No.into(),
            ..Problem::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(cluster: &str, node: u64) -> Identity {
        Identity { cluster: cluster.to_owned(), group: 0, node, disk_id: node * 10, level_max: Level::NEWEST }
    }

    #[test]
    fn only_a_message_to_this_node_of_this_cluster_passes() {
        let sender = identity("east", 1);
        let message = sender.envelope(2, 20, Kind::Vote, Bytes::new());
        assert_eq!(identity("east", 2).check(&message), Ok(()));
        let refused = identity("east", 3).check(&message).map_err(|refusal| refusal.to_string());
        assert_eq!(refused, Err("the message is for node 2; this is node 3: check the peer addresses".to_owned()));
        let refused = identity("west", 2).check(&message).map_err(|refusal| refusal.to_problem().reason);
        assert_eq!(refused, Err("wrong-cluster".to_owned()));
        let wiped = Identity { disk_id: 21, ..identity("east", 2) }.check(&message);
        assert_eq!(wiped.map_err(|refusal| refusal.to_problem().reason), Err("wrong-disk".to_owned()));
        let older = Envelope { level_min: 0, level_max: 0, ..message.clone() };
        assert_eq!(identity("east", 2).check_levels(&older, Level::FIRST), Ok(()));
        let refused = identity("east", 2).check_levels(&older, Level::NAMED).map_err(|refusal| refusal.to_string());
        let expected = "node 1 reads feature levels up to 1, and the cluster is at 2: run keeper 0.2.0 or newer there";
        assert_eq!(refused, Err(expected.to_owned()));
        let newer = Envelope { level_min: 5, level_max: 9, ..message };
        let refused = identity("east", 2).check_levels(&newer, Level::NAMED).map_err(|refusal| refusal.to_string());
        let expected = "node 1 reads feature levels from 5; node 2 reads up to 3: run a newer keeper here";
        assert_eq!(refused, Err(expected.to_owned()));
        let anonymous = sender.envelope(0, 0, Kind::Identify, Bytes::new());
        assert_eq!(identity("east", 2).check(&anonymous), Ok(()));
    }
}
