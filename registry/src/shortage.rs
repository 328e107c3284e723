//! A cluster that is short of disk space.

/// Which node has too little room for the state to grow, as the leader knew when it proposed.
///
/// It is part of the entry, so that every replica refuses the same operations with the same words, and a frame that is
/// sent again gets its first answer even when there is room by then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shortage {
    /// The node.
    pub node: u64,
    /// What is free where its data lies.
    pub free_bytes: u64,
    /// What must be, before anything grows.
    pub needed_bytes: u64,
}
