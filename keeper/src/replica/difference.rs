//! Two replicas that do not hold the same.

use std::fmt;

/// Where a replica was found to differ from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Difference {
    /// The entry after which they were compared.
    pub index: u64,
    /// The hash of the replica's state then.
    pub found: u64,
    /// The hash of the others'.
    pub expected: u64,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { index, found, expected } = self;
        write!(f, "its state at entry {index} has the hash {found:016x}, and others have {expected:016x}")
    }
}
