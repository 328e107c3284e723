//! All rollouts that are remembered, and which paths they touch.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{Rollout, path_of};
use crate::{
    DocumentAction, DocumentChange, Rejection, Revision,
    digest::{Digest, Kind, Sum},
    limits,
};

/// All rollouts that are remembered.
#[derive(Debug, Default)]
pub(crate) struct Rollouts {
    by_id: BTreeMap<u64, Kept>,
    by_path: BTreeMap<Arc<str>, BTreeSet<u64>>,
    /// The one that is under way, by path.
    under_way: BTreeMap<Arc<str>, u64>,
    bytes: usize,
    /// The last number given.
    pub(crate) last: u64,
    /// Ends of rollouts up to here may be forgotten.
    pub(crate) floor: Revision,
    sum: Sum,
}

/// A rollout, and the digest of what never changes of it, so that megabytes of text are hashed once.
#[derive(Debug)]
struct Kept {
    rollout: Arc<Rollout>,
    content: u64,
}

impl Rollouts {
    /// Nothing before the first one: the state hashes as it did before there was such a thing.
    pub(crate) fn digest(&self) -> Option<u64> {
        let digest = Digest::of(Kind::Rollout).number(self.last).number(self.floor.0);
        (self.last > 0).then(|| digest.number(self.sum.value()).finish())
    }

    /// Oldest first.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &Arc<Rollout>> {
        self.by_id.values().map(|kept| &kept.rollout)
    }

    pub(crate) fn get(&self, id: u64) -> Option<&Arc<Rollout>> {
        self.by_id.get(&id).map(|kept| &kept.rollout)
    }

    pub(super) fn under_way(&self, path: &str) -> Option<&Arc<Rollout>> {
        self.get(*self.under_way.get(path)?)
    }

    /// Those that touch a path, oldest first.
    pub(super) fn of_path(&self, path: &str) -> impl Iterator<Item = &Arc<Rollout>> {
        self.by_path.get(path).into_iter().flatten().filter_map(|id| self.get(*id))
    }

    /// Whether no rollout is under way on the paths of these changes.
    pub(crate) fn check_free(&self, changes: &[DocumentChange]) -> Result<(), Rejection> {
        for change in changes {
            if let Some(rollout) = self.under_way.get(path_of(&change.path)) {
                return Err(Rejection::RollingOut { path: change.path.clone(), rollout: *rollout });
            }
        }
        Ok(())
    }

    /// False when a rollout is under way on one of its paths, or its number is taken.
    pub(crate) fn insert(&mut self, rollout: Arc<Rollout>) -> bool {
        let is_under_way = !rollout.state.is_finished();
        let is_taken = |path: &Arc<str>| is_under_way && self.under_way.get(path).is_some_and(|id| *id != rollout.id);
        if self.by_id.contains_key(&rollout.id) || rollout.candidates.iter().any(|one| is_taken(one.path())) {
            return false;
        }
        for candidate in rollout.candidates.iter() {
            self.by_path.entry(Arc::clone(candidate.path())).or_default().insert(rollout.id);
            if is_under_way {
                self.under_way.insert(Arc::clone(candidate.path()), rollout.id);
            }
        }
        let content = content(&rollout);
        self.bytes += bytes(&rollout);
        self.sum.add(progress(content, &rollout));
        self.by_id.insert(rollout.id, Kept { rollout, content });
        true
    }

    pub(super) fn change(&mut self, id: u64, change: impl FnOnce(&mut Rollout)) {
        let Some(Kept { rollout, content }) = self.by_id.get_mut(&id) else { return };
        self.sum.subtract(progress(*content, rollout));
        change(Arc::make_mut(rollout));
        self.sum.add(progress(*content, rollout));
        if rollout.state.is_finished() {
            for candidate in rollout.candidates.iter() {
                self.under_way.remove(candidate.path());
            }
        }
    }

    /// The oldest finished ones make room for one more.
    pub(super) fn make_room(&mut self, wanted: usize) -> Result<(), Rejection> {
        let under_way = self.iter().filter(|rollout| !rollout.state.is_finished()).count();
        if under_way >= limits::ROLLOUTS_UNDER_WAY_MAX {
            let limit = limits::ROLLOUTS_UNDER_WAY_MAX as u64;
            return Err(Rejection::Full { what: "rollouts under way", limit });
        }
        let held = self.iter().filter(|rollout| !rollout.state.is_finished()).map(|rollout| bytes(rollout));
        if held.sum::<usize>() + wanted > limits::ROLLOUT_BYTES_KEPT {
            return Err(Rejection::Full { what: "bytes of rollouts", limit: limits::ROLLOUT_BYTES_KEPT as u64 });
        }
        while self.by_id.len() >= limits::ROLLOUTS_KEPT || self.bytes + wanted > limits::ROLLOUT_BYTES_KEPT {
            let oldest = self.iter().find(|rollout| rollout.state.is_finished()).map(|rollout| rollout.id);
            let Some(oldest) = oldest else { break };
            self.forget(oldest);
        }
        Ok(())
    }

    fn forget(&mut self, id: u64) {
        let Some(Kept { rollout, content }) = self.by_id.remove(&id) else { return };
        for candidate in rollout.candidates.iter() {
            if let Some(ids) = self.by_path.get_mut(candidate.path()) {
                ids.remove(&id);
                if ids.is_empty() {
                    self.by_path.remove(candidate.path());
                }
            }
        }
        self.bytes -= bytes(&rollout);
        self.sum.subtract(progress(content, &rollout));
        self.floor = self.floor.max(rollout.changed.revision);
    }
}

/// As every node counts it.
pub(super) fn bytes(rollout: &Rollout) -> usize {
    let changes = rollout.candidates.iter().map(|candidate| match &candidate.change().action {
        DocumentAction::Put { text, value, .. } => text.len() + value.len() + limits::KEY_BYTES_MAX,
        DocumentAction::Delete => limits::KEY_BYTES_MAX,
    });
    changes.sum::<usize>() + rollout.author.len() + rollout.message.len()
}

/// Of what never changes.
fn content(rollout: &Rollout) -> u64 {
    let Rollout { id, author, message, forced, candidates, stages, gates, .. } = rollout;
    let digest = Digest::of(Kind::Rollout).number(*id).text(author).text(message);
    let digest = digest.optional_bytes(forced.as_ref().map(|reason| reason.as_bytes()));
    let digest = candidates.iter().fold(digest.number(candidates.len() as u64), |digest, candidate| {
        let DocumentChange { path, expected, action } = candidate.change();
        let digest = digest.text(path).optional(expected.map(|revision| revision.0));
        match action {
            DocumentAction::Put { format, text, value, policy: _ } => {
                digest.number(format.number().into()).bytes(text).bytes(value)
            }
            DocumentAction::Delete => digest.number(0),
        }
    });
    stages.iter().fold(digest, super::Stage::digest).number(gates.applied_bps.into()).finish()
}

/// Of all.
fn progress(content: u64, rollout: &Rollout) -> u64 {
    let Rollout { opened, state, changed, by, reason, .. } = rollout;
    let digest = Digest::of(Kind::Rollout).number(content).number(state.number().into()).text(by).text(reason);
    let stamps = opened.iter().chain([changed]);
    stamps.fold(digest, |digest, stamp| digest.number(stamp.revision.0).number(stamp.time.0)).finish()
}
