//! The numbers of nodes, each given once.
//!
//! A node's number is its name in votes and in the log's bookkeeping of who has what. One that came back with another
//! disk under an old number would count twice, so a number is spent with the node that had it. The founders of a
//! cluster bring their numbers along; whoever joins later gets one from here, above every number that was ever given.
//! The count is part of the state, and so of every snapshot and backup: no restart and no restored node gives a number
//! again.

use crate::{
    Reply, State,
    digest::{Digest, Kind},
};

/// What the state knows of the nodes that carry it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Nodes {
    /// The highest number that was given so far; 0 before the first.
    pub last: u64,
}

impl Nodes {
    /// Nothing for a state that never gave a number, so that it hashes as it did before there was this count.
    pub(crate) fn digest(self) -> Option<u64> {
        (self.last > 0).then(|| Digest::of(Kind::Nodes).number(self.last).finish())
    }
}

impl State {
    /// The highest number of a node that was given by this state; founders have theirs from elsewhere.
    #[must_use]
    pub fn last_node(&self) -> u64 {
        self.nodes.last
    }

    /// Gives the next number above `above`, which is the highest that the proposer knows of.
    pub(crate) fn reserve_node(&mut self, above: u64) -> Reply {
        self.nodes.last = self.nodes.last.max(above).saturating_add(1);
        Reply::NodeReserved { node: self.nodes.last }
    }

    /// A founder's number is known from the membership alone, which forgets it when the founder leaves.
    pub(crate) fn retire_node(&mut self, node: u64) -> Reply {
        self.nodes.last = self.nodes.last.max(node);
        Reply::NodeRetired
    }
}
