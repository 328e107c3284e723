//! The tokens that fence the past off from the present.

use crate::Revision;

/// Names one history of the replicated state. A restored or rebuilt cluster has a new one, so that tokens of the old
/// history are recognised.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StateId(pub u64);

/// The fencing token of one registration: strictly increasing within a [`StateId`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch {
    /// The log index of the entry that registered the session.
    pub revision: Revision,
    /// Distinguishes registrations of one entry; counts up from 0 over all commands of the entry.
    pub position: u32,
}

/// One life of an instance: never used twice within a [`StateId`], strictly increasing. 0 is never issued.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Incarnation(pub u64);
