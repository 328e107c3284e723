//! The last known good value on disk: what a process starts with when no node answers.
//!
//! One file a document, replaced whole: written beside, synced, renamed. Each holds the effective value a process ran
//! with, whose it was, and when it was last known to be the published one; a checksum covers all of it. While the
//! cluster is heard and nothing changes, that time is renewed once a minute.
//!
//! A file is taken as it is or refused by name, never in part. It shows sealed fields open, as the process sees them:
//! it is made readable for its owner alone.
//!
//! Left out: documents of one publish are saved one after another, and a power cut may part them. They are replaced by
//! the live ones, together, as soon as a node answers.

mod file;
mod keeping;
mod options;

pub(crate) use file::Save;
pub(crate) use keeping::Keeping;
pub(crate) use options::Keep;
pub use options::{Kept, KeptProblem, LastKnownGood, Origin};

#[cfg(any(test, fuzzing))]
pub(crate) use file::fuzz_kept_file;
