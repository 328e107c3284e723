//! Where the state stands in the log.

use crate::{
    Epoch, LogTime, Revision, Stamp, StateId,
    digest::{Digest, Kind},
};

/// The history's name, the last stamp, and how many epochs the entry under way has issued.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Clock {
    pub(crate) state: Option<StateId>,
    pub(crate) revision: Revision,
    pub(crate) time: LogTime,
    pub(crate) epochs: u32,
}

impl Clock {
    /// Neither measure ever runs backwards, whatever the stamp says.
    pub(crate) fn advance(&mut self, at: Stamp) {
        if at.revision > self.revision {
            self.revision = at.revision;
            self.epochs = 0;
        }
        self.time = self.time.max(at.time);
    }

    /// The one that the next registration will get.
    pub(crate) fn upcoming_epoch(&self) -> Epoch {
        Epoch { revision: self.revision, position: self.epochs }
    }

    pub(crate) fn next_epoch(&mut self) -> Epoch {
        let epoch = self.upcoming_epoch();
        self.epochs = self.epochs.saturating_add(1);
        epoch
    }

    pub(crate) fn digest(&self) -> u64 {
        Digest::of(Kind::Clock)
            .optional(self.state.map(|state| state.0))
            .number(self.revision.0)
            .number(self.time.0)
            .number(u64::from(self.epochs))
            .finish()
    }
}
