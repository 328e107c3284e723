//! How fresh a read must be.

/// How fresh a read must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Consistency {
    /// Sees every write that was acknowledged before the read began.
    #[default]
    Linearizable,
    /// The state of one node as it is, with its revision and age.
    Local,
    /// The state of one node once it has reached a revision: read your own writes.
    AtLeast(u64),
}
