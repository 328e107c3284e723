//! What watchers of instances are told about the past.

use std::sync::Arc;

use super::Instance;
use crate::{
    Incarnation, LogTime, Revision, Stamp,
    digest::{Digest, Kind},
    numbered::numbered,
};

numbered! {
    /// Why an incarnation ended.
    pub enum ClosingCause {
        /// It said so itself, or an admin did.
        Closed = 1,
        /// Its lease ran out.
        Expired = 2,
        /// The next incarnation of the same name opened.
        Replaced = 3,
        /// It was open in the history that a backup was taken of.
        Restored = 4,
    }
}

/// An incarnation that ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closing {
    /// Kind of process.
    pub service: Arc<str>,
    /// Which one.
    pub id: Arc<str>,
    /// Which life of it.
    pub incarnation: Incarnation,
    /// Of the entry that opened it.
    pub opened: Revision,
    /// Of the entry that closed it.
    pub closed: Revision,
    /// When that was.
    pub at: LogTime,
    /// Why.
    pub cause: ClosingCause,
    /// In whose words; empty unless `cause` is `Closed`.
    pub reason: Arc<str>,
}

impl Closing {
    pub(super) fn of(instance: &Instance, closed: Stamp, cause: ClosingCause, reason: &str) -> Self {
        Self {
            service: Arc::clone(&instance.service),
            id: Arc::clone(&instance.id),
            incarnation: instance.incarnation,
            opened: instance.opened,
            closed: closed.revision,
            at: closed.time,
            cause,
            reason: reason.into(),
        }
    }

    pub(crate) fn digest(&self) -> u64 {
        Digest::of(Kind::Closing)
            .text(&self.service)
            .text(&self.id)
            .number(self.incarnation.0)
            .number(self.opened.0)
            .number(self.closed.0)
            .number(self.at.0)
            .number(u64::from(self.cause.number()))
            .text(&self.reason)
            .finish()
    }
}

/// What happened to the set of open instances after a revision.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Opened since, and open now. Sorted by service and id.
    pub opened: Vec<Arc<Instance>>,
    /// Closed since, of those that had been open then. In the order of closing.
    pub closed: Vec<Closing>,
}
