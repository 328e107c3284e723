//! The types openraft is instantiated with.

use std::fmt;

use crate::batch::{Batch, Replies};

openraft::declare_raft_types!(
    /// One Raft group of Keeper.
    pub TypeConfig:
        D = Batch,
        R = ReplyBatch,
        NodeId = u64,
        Node = Member,
        // The simulation runs on the same runtime type: its random numbers come from a scope that a seed opens, and
        // outside such a scope it behaves as plain tokio.
        AsyncRuntime = openraft_rt::deterministic_rng::DeterministicRng<openraft_rt_tokio::TokioRuntime>,
);

/// Where a node is reached; part of the membership in the log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Member {
    /// `host:port` of its peer listener.
    pub peer_endpoint: String,
    /// URL of its client listener, handed to clients as a leader hint.
    pub client_endpoint: String,
    /// Names its data directory: a member with another one has forgotten what it acknowledged, and is no member.
    pub disk_id: u64,
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.peer_endpoint)
    }
}

/// The answers to one entry; empty for entries that carry no commands.
#[derive(Debug, Default)]
pub struct ReplyBatch(pub Replies);

impl fmt::Display for ReplyBatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} replies", self.0.len())
    }
}
