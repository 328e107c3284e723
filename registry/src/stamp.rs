//! When something happened, in the log's own measures.

/// A Raft log index: the only order of events there is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(pub u64);

/// Log time: Unix milliseconds as the leaders stamped them. Never runs backwards, and is not a wall clock: a jump of
/// the wall clock never moves it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogTime(pub u64);

/// What the log says about an entry: where it lies and when its leader proposed it.
///
/// Several commands of one entry share a stamp.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stamp {
    /// The log index of the entry.
    pub revision: Revision,
    /// The time its leader gave it; `apply` uses the larger of this and the time before.
    pub time: LogTime,
}
