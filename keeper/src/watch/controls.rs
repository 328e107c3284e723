//! The actions addressed to one incarnation.

use std::sync::Arc;

use keeper_registry::{Control, Incarnation, StateId};

use crate::limits::WATCH_SILENCE;
use crate::metrics::Kind;
use crate::problem::Problem;
use crate::replica::AddressedSignal;
use crate::watch::{Rested, Watches, Watching};

/// The watcher of one incarnation. An action is told once a watch; one that is not acknowledged is told again by the
/// next.
#[derive(Debug)]
pub struct ControlWatch {
    watching: Watching,
    signal: AddressedSignal,
    incarnation: Incarnation,
    /// Everything up to this number has been told.
    told: u64,
}

impl Watches {
    /// Watches what an open incarnation is asked to do.
    ///
    /// # Errors
    /// The incarnation is closed, or of another history.
    pub fn controls(&self, incarnation: Incarnation, state: Option<StateId>) -> Result<ControlWatch, Problem> {
        self.check_open(incarnation, state)?;
        Ok(ControlWatch {
            watching: self.watching(Kind::Control)?,
            signal: self.replica.signals().addressed(incarnation),
            incarnation,
            told: 0,
        })
    }
}

impl ControlWatch {
    /// Waits for the next actions, or until their absence is worth a word; none when the incarnation has closed, or
    /// this node stops.
    pub async fn next(&mut self) -> Option<Vec<Arc<Control>>> {
        loop {
            let mut controls: Vec<Arc<Control>> = self.watching.replica.read(|state| {
                state.instance(self.incarnation)?;
                Some(state.controls_for(self.incarnation).cloned().collect())
            })?;
            controls.retain(|control| control.number > self.told);
            if let Some(last) = controls.iter().map(|control| control.number).max() {
                self.told = last;
                self.watching.told();
                return Some(controls);
            }
            let moved = async {
                self.signal.moved().await;
                Some(())
            };
            if self.watching.rest(moved, WATCH_SILENCE).await? == Rested::Quiet {
                return Some(Vec::new());
            }
        }
    }
}
