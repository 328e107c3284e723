//! Wake-ups for those who follow documents.
//!
//! Whoever follows documents is woken when one of them changes, and not when others do: in a cluster with thousands of
//! documents a publish concerns few. Those who follow the same documents, as all processes of a service do, share one
//! signal, so that a publish costs a look-up a path and not one a follower.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use keeper_registry::{Event, Layer, Revision, State};
use tokio::sync::watch;

use super::Signals;

/// Paths, sorted, each once.
pub type PathSet = Arc<[Arc<str>]>;

/// Only what somebody follows. Ordered: whom a new state wakes first would else be anybody's guess.
#[derive(Debug, Default)]
pub(super) struct Followed {
    sets: BTreeMap<PathSet, watch::Sender<Revision>>,
    by_path: BTreeMap<Arc<str>, BTreeSet<PathSet>>,
}

/// Waits for a change of one of the documents, or of what is rolled out of them.
#[derive(Debug)]
pub struct FollowedSignal {
    paths: PathSet,
    receiver: Option<watch::Receiver<Revision>>,
    signals: Arc<Signals>,
}

impl Followed {
    /// Each set once, however many of its paths changed.
    pub(super) fn tell(&self, revision: Revision, changed: &[Arc<str>]) {
        for set in changed.iter().filter_map(|path| self.by_path.get(path)).flatten() {
            if let Some(sender) = self.sets.get(set) {
                super::signals::moved(sender, revision);
            }
        }
    }

    pub(super) fn tell_everybody(&self, revision: Revision) {
        for sender in self.sets.values() {
            sender.send_replace(revision);
        }
    }

    fn subscribe(&mut self, paths: &PathSet) -> (PathSet, watch::Receiver<Revision>) {
        if let Some((known, sender)) = self.sets.get_key_value(paths) {
            return (Arc::clone(known), sender.subscribe());
        }
        for path in paths.iter() {
            self.by_path.entry(Arc::clone(path)).or_default().insert(Arc::clone(paths));
        }
        let sender = watch::Sender::new(Revision(0));
        let receiver = sender.subscribe();
        self.sets.insert(Arc::clone(paths), sender);
        (Arc::clone(paths), receiver)
    }

    fn leave(&mut self, paths: &PathSet) {
        if self.sets.get(paths).is_none_or(|sender| sender.receiver_count() > 0) {
            return;
        }
        self.sets.remove(paths);
        for path in paths.iter() {
            let Some(sets) = self.by_path.get_mut(path) else { continue };
            sets.remove(paths);
            if sets.is_empty() {
                self.by_path.remove(path);
            }
        }
    }
}

/// The paths of which an entry changed what instances are to run with.
pub(super) fn changed_paths(state: &State, events: &[Event]) -> Vec<Arc<str>> {
    let mut changed = BTreeSet::new();
    for event in events {
        match event {
            Event::Config { path: key } => {
                let path = Layer::of_key(key).map_or(&**key, |(path, _)| path);
                changed.insert(if path.len() == key.len() { Arc::clone(key) } else { path.into() });
            }
            Event::Rollout(id) => {
                let candidates = state.rollout(*id).into_iter().flat_map(|rollout| rollout.candidates.iter());
                changed.extend(candidates.map(|candidate| Arc::clone(candidate.path())));
            }
            Event::Instances
            | Event::IncarnationClosed(_)
            | Event::Notice(_)
            | Event::Presence
            | Event::Kick
            | Event::Rebuild
            | Event::Control(_) => {}
        }
    }
    changed.into_iter().collect()
}

impl Signals {
    /// Moves when one of these documents changes.
    #[must_use]
    pub fn followed(self: &Arc<Self>, paths: &PathSet) -> FollowedSignal {
        let (paths, receiver) = self.followed.lock().subscribe(paths);
        FollowedSignal { paths, receiver: Some(receiver), signals: Arc::clone(self) }
    }
}

impl FollowedSignal {
    /// Shared by all who follow the same.
    #[must_use]
    pub const fn paths(&self) -> &PathSet {
        &self.paths
    }

    /// Whatever moved until now does not count.
    pub fn mark_unchanged(&mut self) {
        if let Some(receiver) = &mut self.receiver {
            receiver.mark_unchanged();
        }
    }

    /// Waits for the next move. A move since the last wait counts.
    pub async fn moved(&mut self) {
        if let Some(receiver) = &mut self.receiver {
            // The sender lives in `signals` for as long as this receiver does.
            if receiver.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}

impl Drop for FollowedSignal {
    fn drop(&mut self) {
        self.receiver = None;
        self.signals.followed.lock().leave(&self.paths);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn set(paths: &[&str]) -> PathSet {
        paths.iter().map(|path| Arc::from(*path)).collect()
    }

    fn is_moved(signal: &mut FollowedSignal) -> bool {
        signal.moved().now_or_never().is_some()
    }

    #[test]
    fn who_follows_another_document_is_not_woken() {
        let signals = Arc::new(Signals::new());
        let [mut a, mut ab, mut c] = [&["a"][..], &["a", "b"], &["c"]].map(|paths| signals.followed(&set(paths)));
        signals.tell_followers(Revision(1), &["a".into(), "b".into()]);
        assert_eq!([&mut a, &mut ab, &mut c].map(is_moved), [true, true, false]);
        signals.tell_followers(Revision(2), &["b".into()]);
        assert_eq!([&mut a, &mut ab, &mut c].map(is_moved), [false, true, false]);
        signals.tell_everybody(Revision(3));
        assert_eq!([&mut a, &mut ab, &mut c].map(is_moved), [true, true, true]);
    }

    #[test]
    fn what_nobody_follows_is_not_kept() {
        let signals = Arc::new(Signals::new());
        let [first, second] = [&["a", "b"]; 2].map(|paths| signals.followed(&set(paths)));
        assert!(Arc::ptr_eq(first.paths(), second.paths()));
        drop(first);
        assert_eq!(signals.followed.lock().by_path.len(), 2);
        drop(second);
        let followed = signals.followed.lock();
        assert!(followed.sets.is_empty() && followed.by_path.is_empty());
    }
}
