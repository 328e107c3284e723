//! Why the log could not be opened, read or written.

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;

use super::directory::CURE;
use super::mark::{LogLost, MarkError};

/// What the layer below reported. Shared, because one failed write fails every operation that was part of it.
pub type Cause = Arc<dyn Error + Send + Sync>;

/// A failure of the log. A failed write is final: the engine refuses everything after it, and the process stops.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The database did not open.
    #[error("the log in {} cannot be opened", path.display())]
    Open {
        /// Its directory.
        path: PathBuf,
        /// What the database reported.
        source: Cause,
    },
    /// The database found its own files damaged, and names which.
    #[error("the log in {} is damaged ({CURE})", path.display())]
    Corrupt {
        /// Its directory.
        path: PathBuf,
        /// What the database reported.
        source: Cause,
    },
    /// A write or a sync failed.
    #[error("the log cannot be written")]
    Write {
        /// What the disk reported.
        source: Cause,
    },
    /// A read failed.
    #[error("the log cannot be read (where a file is damaged, {CURE})")]
    Read {
        /// What the disk reported.
        source: Cause,
    },
    /// Something is in the log that was never written there.
    #[error("the log is damaged: {what}; {CURE}")]
    Damaged {
        /// What, and where.
        what: String,
    },
    /// The synced mark could not be read or written.
    #[error("the synced mark failed")]
    Mark(#[from] MarkError),
    /// The log is behind its mark.
    #[error("log lost")]
    LogLost(#[from] LogLost),
    /// Submitted after the failure that stopped the engine, or after it was closed.
    #[error("the log has stopped")]
    Stopped,
}

impl StoreError {
    pub(super) fn write(source: impl Error + Send + Sync + 'static) -> Self {
        Self::Write { source: Arc::new(source) }
    }

    pub(super) fn read(source: impl Error + Send + Sync + 'static) -> Self {
        Self::Read { source: Arc::new(source) }
    }
}
