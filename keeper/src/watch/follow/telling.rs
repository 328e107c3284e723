//! A change on its way to one follower: merged document by document, compared with what it was told, cut into frames.

use std::sync::Arc;

use keeper_registry::{Revision, StateId, planted};

use super::{FollowWatch, Followed, Given};
use crate::limits::WATCH_FRAME_BYTES;
use crate::merged::{Layered, Merged, Merges};
use crate::problem::Problem;

/// What a follower was told of a document last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// Elsewhere, or never.
    Unknown,
    /// That there is nothing for it.
    Nothing,
    /// The value of this digest.
    Value(u128),
}

/// A document whose layers changed.
#[derive(Debug)]
pub(super) struct Found {
    /// Of its path.
    pub(super) place: usize,
    pub(super) path: Arc<str>,
    pub(super) revision: Revision,
    pub(super) rollout: Option<u64>,
    pub(super) layers: Layered,
    /// What the follower's cursor stands for, where it has not been told here and that is still known.
    pub(super) before: Option<Layered>,
}

/// A change that is being told.
#[derive(Debug)]
pub(super) struct Telling {
    cursor: Revision,
    state: StateId,
    pub(super) reset: bool,
    rest: std::vec::IntoIter<Found>,
    /// The first document of the next frame.
    next: Option<Given>,
    /// Frames told.
    pub(super) frames: usize,
}

impl Telling {
    pub(super) fn new(cursor: Revision, state: StateId, reset: bool, found: Vec<Found>) -> Self {
        Self { cursor, state, reset, rest: found.into_iter(), next: None, frames: 0 }
    }

    /// The next document that is not what the follower has.
    fn next_given(&mut self, told: &mut [Told], merges: &Merges) -> Result<Option<Given>, Problem> {
        for found in self.rest.by_ref() {
            let document = merges.of(&found.layers)?;
            let now = Told::of(document.as_deref());
            let Some(told) = told.get_mut(found.place) else { continue };
            let before = match (&*told, &found.before) {
                (Told::Unknown, Some(before)) => Told::of(merges.of(before).ok().flatten().as_deref()),
                // A full set does not say what there is not.
                (Told::Unknown, None) if self.reset => Told::Nothing,
                (told, _) => *told,
            };
            *told = now;
            if now != before {
                let Found { path, revision, rollout, .. } = found;
                return Ok(Some(Given { path, revision, rollout, document }));
            }
        }
        Ok(None)
    }
}

impl Told {
    fn of(document: Option<&Merged>) -> Self {
        document.map_or(Self::Nothing, |document| Self::Value(document.digest()))
    }
}

impl FollowWatch {
    /// The next frame of the change that is being told; none when there is no more of it.
    pub(super) fn tell(&mut self) -> Result<Option<Followed>, Problem> {
        let Some(telling) = &mut self.telling else { return Ok(None) };
        let (mut bytes, mut documents) = (0, Vec::new());
        while bytes < WATCH_FRAME_BYTES {
            let given = match telling.next.take() {
                Some(given) => given,
                None => match telling.next_given(&mut self.told, &self.merges)? {
                    Some(given) => given,
                    None => break,
                },
            };
            bytes += given.document.as_ref().map_or(0, |document| document.value().len());
            documents.push(given);
            planted!("follow-torn" => {
                // Each document as a change of its own.
                let (cursor, state, reset) = (telling.cursor, telling.state, telling.reset && telling.frames == 0);
                telling.frames += 1;
                return Ok(Some(Followed { cursor, state, reset, documents, more: false }));
            });
        }
        telling.next = telling.next_given(&mut self.told, &self.merges)?;
        let (cursor, state, reset) = (telling.cursor, telling.state, telling.reset);
        let is_owed = reset && telling.frames == 0;
        telling.frames += 1;
        let more = telling.next.is_some();
        if !more {
            self.telling = None;
        }
        let is_told = !documents.is_empty() || is_owed;
        Ok(is_told.then_some(Followed { cursor, state, reset, documents, more }))
    }
}
