//! What can be asked of the membership, and what is told of it.

/// A change of the membership, or of who leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Takes in the node whose peer listener is there.
    Add {
        /// `host:port`.
        peer_endpoint: String,
        /// What it becomes.
        rank: Rank,
    },
    /// Gives a learner a vote.
    Promote(u64),
    /// Takes a voter's vote away; it stays as a learner.
    Demote(u64),
    /// Forgets a member.
    Remove(u64),
    /// Takes in a node, and forgets a member in the same moment.
    Replace {
        /// Who leaves.
        old: u64,
        /// The `host:port` of who comes.
        peer_endpoint: String,
    },
    /// Hands leadership over; to the voter that lacks least, if none is named.
    Transfer(Option<u64>),
}

/// What a member is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rank {
    /// It votes.
    Voter,
    /// It takes entries and does not vote.
    Learner,
}

/// Where a change is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// A node was given its number, and starts anew under it.
    Numbered(u64),
    /// A node is a learner.
    Joined(u64),
    /// A learner receives what it lacks.
    CatchingUp {
        /// Which.
        node: u64,
        /// The last entry it certainly has.
        has: u64,
        /// The entry that is waited for.
        wanted: u64,
    },
    /// Leadership is being handed over.
    HandingOver(u64),
}

/// What has come of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// Whom it was about: who was added, promoted, demoted, removed, or leads now.
    pub node: u64,
    /// Nothing had to be done.
    pub unchanged: bool,
    /// For how long no write was acknowledged, where leadership was handed over.
    pub pause_ms: Option<u64>,
}

impl Changed {
    pub(super) const fn done(node: u64) -> Self {
        Self { node, unchanged: false, pause_ms: None }
    }

    pub(super) const fn already(node: u64) -> Self {
        Self { node, unchanged: true, pause_ms: None }
    }
}

impl Change {
    /// In the words of whoever is told that it is under way.
    pub(super) fn sentence(&self) -> String {
        match self {
            Self::Add { peer_endpoint, .. } => format!("the node at {peer_endpoint} is being added"),
            Self::Promote(node) => format!("node {node} is being promoted"),
            Self::Demote(node) => format!("node {node} is being demoted"),
            Self::Remove(node) => format!("node {node} is being removed"),
            Self::Replace { old, peer_endpoint } => {
                format!("node {old} is being replaced by the one at {peer_endpoint}")
            }
            Self::Transfer(_) => "leadership is being handed over".to_owned(),
        }
    }
}
