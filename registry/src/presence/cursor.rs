//! A place in the order of facts.

use crate::Revision;

/// A place in the order of facts; the default one stands before all of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PresenceCursor {
    /// Of the entry the fact is from.
    pub revision: Revision,
    /// Counts the facts of one entry from 1.
    pub position: u32,
}
