//! What the cluster has decided about itself: its feature level.
//!
//! A level stands for everything that one release writes and the one before cannot read: commands, their encodings,
//! records of a snapshot, fields between nodes. Binaries of two releases work side by side because none of it is
//! written before the cluster has reached its level, and the level rises only when every member can read what comes
//! with it. It never falls.
//!
//! **A state at the first level has no trace of levels.** Neither its hash nor its records mention one, so that a
//! binary from before there were levels agrees with it.

use std::sync::Arc;

use crate::{
    Command, LogTime, RaiseLevel, Rejection, Reply, Revision, State, check,
    digest::{Digest, Kind},
};

/// A feature level. They are counted: a binary that knows one knows all below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Level(pub u32);

impl Level {
    /// Of a cluster that has decided nothing: what the first release writes.
    pub const FIRST: Self = Self(1);
    /// Of a cluster that knows its level, and of files that name the release they need.
    pub const NAMED: Self = Self(2);
    /// Of a cluster whose documents have layers, consumers and rollouts.
    pub const CONFIGS: Self = Self(3);
    /// The newest that this crate knows.
    pub const NEWEST: Self = Self::CONFIGS;
}

impl Default for Level {
    fn default() -> Self {
        Self::FIRST
    }
}

impl std::fmt::Display for Level {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// The last raise of the level.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LevelRaised {
    /// The level since then.
    pub level: Level,
    /// The release that everybody needs since then.
    pub needs: Arc<str>,
    /// Of the entry.
    pub revision: Revision,
    /// When.
    pub at: LogTime,
    /// Who asked; empty for one that the cluster was founded with.
    pub author: Arc<str>,
}

/// What the cluster has decided about itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cluster {
    /// None: it is at the first level.
    pub raised: Option<LevelRaised>,
}

impl Cluster {
    /// Its feature level.
    #[must_use]
    pub fn level(&self) -> Level {
        self.raised.as_ref().map_or(Level::FIRST, |raised| raised.level)
    }

    /// None for a cluster that has decided nothing: its hash is that of a binary from before there were levels.
    pub(crate) fn digest(&self) -> Option<u64> {
        let LevelRaised { level, needs, revision, at, author } = self.raised.as_ref()?;
        let digest = Digest::of(Kind::Cluster).number(level.0.into()).text(needs);
        Some(digest.number(revision.0).number(at.0).text(author).finish())
    }
}

impl State {
    /// What the cluster has decided about itself.
    #[must_use]
    pub const fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// Its feature level.
    #[must_use]
    pub fn level(&self) -> Level {
        self.cluster.level()
    }

    /// What comes with a level is refused below it, whoever proposed it.
    pub(crate) fn check_level(&self, command: &Command) -> Result<(), Rejection> {
        let (needed, present) = (command.encoding(), self.level());
        if needed <= present { Ok(()) } else { Err(Rejection::LevelTooLow { needed, present }) }
    }

    /// A level that has been reached is no mistake to ask for again: it was, and the first raise is kept.
    pub(crate) fn raise_level(&mut self, raise: &RaiseLevel) -> Result<Reply, Rejection> {
        check::author(&raise.author)?;
        check::name("needs", &raise.needs)?;
        if raise.to > self.level() {
            self.cluster.raised = Some(LevelRaised {
                level: raise.to,
                needs: raise.needs.as_str().into(),
                revision: self.clock.revision,
                at: self.clock.time,
                author: raise.author.as_str().into(),
            });
        }
        Ok(Reply::LevelRaised { level: self.level() })
    }
}
