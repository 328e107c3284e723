//! How an incarnation was closed, and how far that was told.
//!
//! All of its sessions dropped in one instant, so they need no note of their own: they lie in the owner's list, and for
//! each grace that occurs among them a pass goes over it. Only one pass is under way at a time, the shortest grace
//! first; the last one removes what is left.

use std::sync::Arc;

use super::ClosingCause;
use crate::{ClosedRecord, Epoch, Graces, LogTime, Revision, digest::Digest, session::RowId};

/// How an incarnation was closed, and how far that was told.
#[derive(Debug, Clone)]
pub(crate) struct Closed {
    pub(crate) revision: Revision,
    pub(crate) at: LogTime,
    pub(crate) cause: ClosingCause,
    /// In force at that moment.
    pub(crate) graces: Arc<Graces>,
    /// The graces of its sessions, each once, the shortest first.
    pub(crate) stages: Arc<[u32]>,
    /// Which of them is being told.
    pub(crate) stage: u32,
    /// It was told of sessions up to this one; the default stands before all, since no command is the first of a log.
    pub(crate) after: Epoch,
    /// The first session it was not told of. Follows from `after`.
    pub(crate) next: RowId,
}

impl Closed {
    pub(crate) fn grace_ms(&self) -> u32 {
        self.stages.get(self.stage as usize).copied().unwrap_or_default()
    }

    pub(crate) fn is_last_stage(&self) -> bool {
        self.stage as usize + 1 >= self.stages.len()
    }

    /// When the pass under way may go on.
    pub(crate) fn due(&self) -> LogTime {
        LogTime(self.at.0.saturating_add(self.grace_ms().into()))
    }

    /// Up to which grace subscribers were told of this session; `None`: nobody was.
    pub(crate) fn told(&self, epoch: Epoch) -> Option<u32> {
        if epoch <= self.after {
            return Some(self.grace_ms());
        }
        let before = (self.stage as usize).checked_sub(1)?;
        self.stages.get(before).copied()
    }

    pub(crate) fn record(&self) -> ClosedRecord<'_> {
        ClosedRecord {
            revision: self.revision,
            at: self.at,
            cause: self.cause,
            graces: self.graces.number,
            stages: &self.stages,
            stage: self.stage,
            after: self.after,
        }
    }

    /// Where its passes go on is found once its sessions are there.
    pub(crate) fn of(record: &ClosedRecord<'_>, graces: Arc<Graces>) -> Self {
        Self {
            revision: record.revision,
            at: record.at,
            cause: record.cause,
            graces,
            stages: record.stages.into(),
            stage: record.stage,
            after: record.after,
            next: RowId::NONE,
        }
    }

    pub(super) fn digest(&self, digest: Digest) -> Digest {
        let digest = digest.number(self.revision.0).number(self.at.0).number(self.cause.number().into());
        let digest = digest.number(self.graces.digest()).number(self.stage.into()).epoch(self.after);
        self.stages.iter().fold(digest, |digest, grace_ms| digest.number((*grace_ms).into()))
    }
}
