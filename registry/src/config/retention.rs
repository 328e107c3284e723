//! How much of the past is kept.
//!
//! The document at [`limits::HISTORY_PATH`] says how many past versions of a path are kept, and for how long after they
//! were replaced; what is published now is never touched. The limits in [`limits`] stay the upper bound of both.
//!
//! Time is log time, and it passes when a publish or a sweep comes by: [`State::next_sweep`](crate::State::next_sweep)
//! knows when the next version is due, in an idle cluster too. At most [`limits::HISTORY_SLICE`] versions go with one
//! entry; the rest is due at once. A new policy is weighed against every path in the entry that brings it, which is as
//! much work as there are paths with a past, as when a session policy is weighed against every open instance.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::Configs;
use crate::{
    LogTime, Rejection, State, check,
    digest::{Digest, Kind},
    limits,
};

/// How much of the past is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HistoryPolicy {
    /// Of paths that none of the prefixes begins.
    pub all: Keep,
    /// Of paths that begin so; the longest prefix alone counts. At most `limits::HISTORY_PREFIXES_MAX`.
    pub prefixes: BTreeMap<Arc<str>, Keep>,
}

/// Which past versions of a path are kept: those that both bounds allow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Keep {
    /// How many; none: as many as the limits allow.
    pub versions_max: Option<u32>,
    /// For how long after they were replaced; none: for as long as the limits allow.
    pub age_ms_max: Option<u64>,
}

impl HistoryPolicy {
    /// What it says of a path.
    #[must_use]
    pub fn of(&self, path: &str) -> Keep {
        let prefixes = self.prefixes.iter().filter(|(prefix, _)| path.starts_with(&***prefix));
        prefixes.max_by_key(|(prefix, _)| prefix.len()).map_or(self.all, |(_, keep)| *keep)
    }

    pub(crate) fn check(&self) -> Result<(), Rejection> {
        check::size("prefixes", self.prefixes.len(), limits::HISTORY_PREFIXES_MAX)?;
        for prefix in self.prefixes.keys() {
            let folder = prefix.strip_suffix('/').unwrap_or(prefix);
            check::path_named("prefixes", folder)?;
        }
        self.prefixes.values().chain([&self.all]).try_for_each(Keep::check)
    }

    /// None for one that decides nothing: its state hashes as one from before there was such a thing.
    fn digest(&self) -> Option<u64> {
        if *self == Self::default() {
            return None;
        }
        let digest = self.all.digest(Digest::of(Kind::History));
        let each = |digest: Digest, (prefix, keep): (&Arc<str>, &Keep)| keep.digest(digest.text(prefix));
        Some(self.prefixes.iter().fold(digest, each).finish())
    }
}

impl Keep {
    fn check(&self) -> Result<(), Rejection> {
        let versions = u64::from(self.versions_max.unwrap_or_default());
        check::range("versions_max", versions, 0, limits::HISTORY_KEPT as u64)?;
        let age_ms = self.age_ms_max.unwrap_or(limits::HISTORY_AGE_MS_MIN);
        check::range("age_ms_max", age_ms, limits::HISTORY_AGE_MS_MIN, limits::HISTORY_AGE_MS_MAX)
    }

    fn digest(self, digest: Digest) -> Digest {
        digest.optional(self.versions_max.map(u64::from)).optional(self.age_ms_max)
    }
}

/// The policy in force, and when each path's oldest version is due by it.
#[derive(Debug, Default)]
pub(super) struct Retention {
    policy: Arc<HistoryPolicy>,
    due: BTreeSet<(LogTime, Arc<str>)>,
}

impl State {
    /// How much of the past is kept: the policy in force.
    #[must_use]
    pub fn history_policy(&self) -> &Arc<HistoryPolicy> {
        self.configs.history_policy()
    }
}

impl Configs {
    pub(super) fn history_policy(&self) -> &Arc<HistoryPolicy> {
        &self.retention.policy
    }

    pub(crate) fn retention_digest(&self) -> Option<u64> {
        self.retention.policy.digest()
    }

    /// Brings a policy into force.
    pub(crate) fn retain_by(&mut self, policy: Arc<HistoryPolicy>) {
        self.retention = Retention { policy, due: BTreeSet::new() };
        let due = self.paths.keys().filter_map(|path| Some((self.oldest_due(path)?, Arc::clone(path))));
        self.retention.due = due.collect();
    }

    /// When the next past version is due.
    pub(crate) fn next_retention(&self) -> Option<LogTime> {
        self.retention.due.first().map(|(due, _)| *due)
    }

    /// Drops past versions whose time is over, or that are too many.
    pub(crate) fn retain(&mut self, now: LogTime) {
        for _ in 0..limits::HISTORY_SLICE {
            match self.retention.due.first().cloned() {
                Some((due, path)) if due <= now => self.forget_oldest_of(&path),
                Some(_) | None => return,
            }
        }
    }

    /// When a path's oldest past version is due.
    fn oldest_due(&self, path: &str) -> Option<LogTime> {
        let history = self.paths.get(path)?;
        let replaced_at = history.oldest_replaced_at()?;
        let Keep { versions_max, age_ms_max } = self.retention.policy.of(path);
        if versions_max.is_some_and(|max| history.past_versions() > max as usize) {
            return Some(LogTime(0));
        }
        age_ms_max.map(|age_ms| LogTime(replaced_at.0.saturating_add(age_ms)))
    }

    /// Before a path's history changes.
    pub(super) fn unschedule(&mut self, path: &str) {
        if let Some(due) = self.oldest_due(path) {
            self.retention.due.remove(&(due, Arc::from(path)));
        }
    }

    /// After it has.
    pub(super) fn schedule(&mut self, path: &Arc<str>) {
        if let Some(due) = self.oldest_due(path) {
            self.retention.due.insert((due, Arc::clone(path)));
        }
    }
}
