//! Effective documents of one instance, as they change.
//!
//! A follower is a cursor over the state and, of each document, the digest of what it was told last. It is told what
//! differs from that: a layer published anew that says the same, a deletion of what another layer overrides, a
//! candidate that is promoted are changes of the state and none of the follower's. Whoever goes on from a cursor is
//! compared with what its cursor stands for ([`State::config_for_at`](keeper_registry::State::config_for_at)), so that
//! coming to another node tells nobody anything twice.
//!
//! Followers of the same documents are woken together, when one of these changes ([`FollowedSignal`]); what they are
//! told is merged once for all of them ([`Merges`]). What is read while the state is held are pointers to layers.
//!
//! All that one entry changed for a follower arrives in one change; one that is larger than a frame is told in several,
//! and counts when the last of them has come.
//!
//! An instance that closes ends its stream with the reason.

mod reading;
mod telling;

use std::sync::Arc;

use keeper_registry::{Incarnation, Instance, Revision, StateId, planted};

use crate::limits::WATCH_SILENCE;
use crate::merged::{Merged, Merges};
use crate::metrics::Kind;
use crate::problem::Problem;
use crate::replica::{AddressedSignal, FollowedSignal, PathSet};
use crate::watch::{Rested, Watches, Watching};
use reading::Looked;
use telling::{Telling, Told};

/// For whom documents are followed.
#[derive(Debug, Clone)]
pub enum Reader {
    /// An open instance; the stream ends with it.
    Incarnation(Incarnation),
    /// One that might be.
    Imagined(Arc<Instance>),
}

/// What changed for a follower, or a part of it.
#[derive(Debug)]
pub struct Followed {
    /// Everything up to here has been told, once the change is whole.
    pub cursor: Revision,
    /// The history it belongs to.
    pub state: StateId,
    /// What changed is complete, and replaces what the follower knew.
    pub reset: bool,
    /// Of those that are followed, the ones that changed.
    pub documents: Vec<Given>,
    /// The rest of the same change follows.
    pub more: bool,
}

/// A document as it is for a follower now.
#[derive(Debug, Clone)]
pub struct Given {
    /// Which.
    pub path: Arc<str>,
    /// When it last changed for this follower.
    pub revision: Revision,
    /// The rollout whose candidates it has.
    pub rollout: Option<u64>,
    /// What it says; none: there is nothing for this follower.
    pub document: Option<Arc<Merged>>,
}

/// One follower.
#[derive(Debug)]
pub struct FollowWatch {
    watching: Watching,
    signal: FollowedSignal,
    /// Wakes when the instance closes.
    end: Option<AddressedSignal>,
    reader: Reader,
    history: Option<StateId>,
    cursor: Option<(StateId, Revision)>,
    /// By the place of its path.
    told: Box<[Told]>,
    telling: Option<Telling>,
    merges: Arc<Merges>,
}

impl Watches {
    /// Follows documents for an instance, from a cursor on or from the full set.
    ///
    /// # Errors
    /// The cursor is none of this cluster's, the incarnation is closed or of another history, or this node cannot find
    /// out.
    pub async fn follow(
        &self,
        paths: &PathSet,
        reader: Reader,
        cursor: Revision,
        history: Option<StateId>,
    ) -> Result<FollowWatch, Problem> {
        self.reach(cursor, history).await?;
        // Subscribed before the first read, so that nothing falls between the two.
        let signal = self.replica.signals().followed(paths);
        let end = match &reader {
            Reader::Imagined(_) => None,
            Reader::Incarnation(incarnation) => {
                let end = self.replica.signals().addressed(*incarnation);
                if self.check_open(*incarnation, history).is_err() {
                    // It may have opened a moment ago, where this node does not know of it yet.
                    self.raft.read_index().await?;
                    self.check_open(*incarnation, history)?;
                }
                Some(end)
            }
        };
        let told = signal.paths().iter().map(|_| Told::Unknown).collect();
        Ok(FollowWatch {
            watching: self.watching(Kind::Follow)?,
            signal,
            end,
            reader,
            history,
            cursor: history.filter(|_| cursor.0 > 0).map(|history| (history, cursor)),
            told,
            telling: None,
            merges: Arc::clone(&self.merges),
        })
    }
}

impl FollowWatch {
    /// Waits for the next change, or until its absence is worth a word; none when this node stops.
    ///
    /// # Errors
    /// The instance has closed, or what is published cannot be given to it by this node. It is the last answer.
    pub async fn next(&mut self) -> Option<Result<Followed, Problem>> {
        let mut is_quiet = false;
        loop {
            planted!("follow-torn" => {
                // Frames that leave together arrive together, and nobody would see what lies between them.
                if self.telling.as_ref().is_some_and(|telling| telling.frames > 0) {
                    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
                }
            });
            if let Some(told) = self.tell().transpose() {
                self.watching.told();
                return Some(told);
            }
            self.signal.mark_unchanged();
            match self.look() {
                Looked::Ended(problem) => return Some(Err(problem)),
                Looked::Changed(telling) => {
                    self.telling = Some(telling);
                    continue;
                }
                Looked::Nothing => {}
            }
            if let Some((state, cursor)) = self.cursor.filter(|_| is_quiet) {
                return Some(Ok(Followed { cursor, state, reset: false, documents: Vec::new(), more: false }));
            }
            let Self { watching, signal, end, .. } = self;
            let moved = async {
                tokio::select! {
                    () = signal.moved() => {}
                    () = ended(end) => {}
                }
                Some(())
            };
            // The cursor is brought up to now before it is told: nothing else moves it while nothing changes.
            is_quiet = watching.rest(moved, WATCH_SILENCE).await? == Rested::Quiet;
        }
    }
}

/// When there may be something to know of the instance.
async fn ended(end: &mut Option<AddressedSignal>) {
    match end {
        Some(end) => end.moved().await,
        None => std::future::pending().await,
    }
}
