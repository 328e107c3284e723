//! How a process is, by its own judgement.

/// How this process is; see [`Keeper::report_health`](crate::Keeper::report_health).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// It does what it should.
    Healthy,
    /// It does not, and why; at most 256 bytes.
    Unwell(String),
}
