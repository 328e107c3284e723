//! What happened to the sessions of one incarnation that it did not do itself.

use keeper_registry::{Incarnation, Notice, NoticeCursor, Rejection, StateId};

use crate::limits::WATCH_SILENCE;
use crate::metrics::Kind;
use crate::problem::Problem;
use crate::replica::AddressedSignal;
use crate::watch::{Rested, Watches, Watching};

/// Notices told at once: a few hundred kilobytes at their largest.
const NOTICES_TOLD_MAX: usize = 1_024;

/// Notices since the cursor before.
#[derive(Debug)]
pub struct Notices {
    /// Everything up to here has been told.
    pub cursor: NoticeCursor,
    /// Some before these are gone: compare with lookups.
    pub reset: bool,
    /// In the order they happened.
    pub notices: Vec<Notice>,
}

/// The watcher of one incarnation.
#[derive(Debug)]
pub struct NoticeWatch {
    watching: Watching,
    signal: AddressedSignal,
    incarnation: Incarnation,
    cursor: NoticeCursor,
}

impl Watches {
    /// Watches what is addressed to an open incarnation.
    ///
    /// # Errors
    /// The incarnation is closed, or of another history.
    pub fn notices(
        &self,
        incarnation: Incarnation,
        cursor: NoticeCursor,
        state: Option<StateId>,
    ) -> Result<NoticeWatch, Problem> {
        self.check_open(incarnation, state)?;
        Ok(NoticeWatch {
            watching: self.watching(Kind::Notice)?,
            signal: self.replica.signals().addressed(incarnation),
            incarnation,
            cursor,
        })
    }

    /// An incarnation is open, and of the history the caller means.
    pub(super) fn check_open(&self, incarnation: Incarnation, state: Option<StateId>) -> Result<(), Problem> {
        self.replica.read(|present| {
            let id = present.state_id().unwrap_or_default();
            if state.is_some_and(|state| state != id) {
                return Err(Rejection::ForeignState { present: id }.into());
            }
            match present.instance(incarnation) {
                Some(_) => Ok(()),
                None => Err(Rejection::IncarnationClosed(incarnation).into()),
            }
        })
    }
}

impl NoticeWatch {
    /// Waits for the next notices, or until their absence is worth a word; none when the incarnation has closed, or
    /// this node stops.
    pub async fn next(&mut self) -> Option<Notices> {
        loop {
            let notices = self.watching.replica.read(|state| {
                match state.notices_since(self.incarnation, self.cursor, NOTICES_TOLD_MAX) {
                    keeper_registry::Notices::Page { notices, next } => {
                        Some(Notices { cursor: next, reset: false, notices: notices.into_iter().cloned().collect() })
                    }
                    keeper_registry::Notices::Reset { next } => {
                        Some(Notices { cursor: next, reset: true, notices: Vec::new() })
                    }
                    keeper_registry::Notices::Closed => None,
                }
            })?;
            if notices.reset || !notices.notices.is_empty() {
                self.cursor = notices.cursor;
                self.watching.told();
                return Some(notices);
            }
            let moved = async {
                self.signal.moved().await;
                Some(())
            };
            if self.watching.rest(moved, WATCH_SILENCE).await? == Rested::Quiet {
                return Some(Notices { cursor: self.cursor, reset: false, notices: Vec::new() });
            }
        }
    }
}
