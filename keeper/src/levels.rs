//! Feature levels: which ones this binary knows, and where its cluster stands.
//!
//! The level is part of the replicated state ([`keeper_registry::Cluster`]); this module is what a node does about it.
//! Two rules:
//!
//! - **A node never takes what it does not understand.** Told by its log, or by a snapshot, of a level beyond its own,
//!   it stops before that is applied, and says which release is needed.
//! - **Its data directory says so first.** The level is in the directory, durably, before anything of it is applied, so
//!   that a binary which cannot read what follows refuses the directory instead of finding out halfway.
//!
//! A setting holds a node at a level below its binary's ([`crate::settings::Upgrade`]). It then behaves as the release
//! before, which is how one build is tested against itself.

use std::fmt;
use std::io;
use std::sync::Arc;

use keeper_registry::{Level, State};
use parking_lot::Mutex;

/// The release that each level came with, the first one first. A line is added, never changed.
const RELEASES: [(Level, &str); 3] = [(Level::FIRST, "0.1.0"), (Level::NAMED, "0.2.0"), (Level::CONFIGS, "0.3.0")];

/// The release that a cluster of a level needs.
#[must_use]
pub fn release_of(level: Level) -> &'static str {
    let known = RELEASES.iter().rev().find(|(known, _)| *known <= level);
    known.map_or(RELEASES[0].1, |(_, release)| *release)
}

/// Whether a file names a release where it says which one it needs: what is said to a person is one plain word.
#[must_use]
pub fn is_release(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'+');
    !name.is_empty() && name.bytes().all(is_plain)
}

/// Why a node cannot be part of its cluster.
#[derive(Debug, thiserror::Error)]
pub enum LevelError {
    /// The cluster is beyond this binary.
    #[error("the cluster is at feature level {level}, and this keeper {} reaches {most}: run keeper {needs} or newer",
        env!("CARGO_PKG_VERSION"))]
    Beyond {
        /// Of the cluster.
        level: Level,
        /// The newest this node reads.
        most: Level,
        /// The release that is needed.
        needs: String,
    },
    /// The cluster is beyond what the settings allow.
    #[error(
        "the cluster is at feature level {level}, and upgrade.level_max holds this node at {most}: remove the setting"
    )]
    Held {
        /// Of the cluster.
        level: Level,
        /// The newest this node may read.
        most: Level,
    },
    /// The data directory does not take it.
    #[error("feature level {level} cannot be written to the data directory")]
    Keep {
        /// The level.
        level: Level,
        /// What the disk reported.
        source: io::Error,
    },
}

type Keep = Box<dyn Fn(Level) -> io::Result<()> + Send + Sync>;

/// Where this node stands. Cheap to clone.
#[derive(Clone)]
pub struct Levels {
    most: Level,
    reached: Arc<Mutex<Level>>,
    refused: Arc<Mutex<Option<String>>>,
    keep: Arc<Keep>,
}

impl Levels {
    /// For a node with a data directory, which `keep` writes to. It reads everything its binary knows, or less if the
    /// settings say so.
    #[must_use]
    pub fn new(level_max: Option<Level>, keep: impl Fn(Level) -> io::Result<()> + Send + Sync + 'static) -> Self {
        let most = level_max.unwrap_or(Level::NEWEST).min(Level::NEWEST);
        Self { most, reached: Arc::default(), refused: Arc::default(), keep: Arc::new(Box::new(keep)) }
    }

    /// For a node whose level nobody has to keep.
    #[must_use]
    pub fn unkept() -> Self {
        Self::new(None, |_| Ok(()))
    }

    /// The newest level this node reads.
    #[must_use]
    pub const fn most(&self) -> Level {
        self.most
    }

    /// The cluster's level, as far as this node was told.
    #[must_use]
    pub fn reached(&self) -> Level {
        *self.reached.lock()
    }

    /// Why this node cannot go on, if it was told of a level that it does not read. Whoever is told in the words of
    /// others that it stopped finds the reason here.
    #[must_use]
    pub fn refused(&self) -> Option<String> {
        self.refused.lock().clone()
    }

    /// Whether this node reads what came with a level. A binary of the release before would not decode it; one that is
    /// held there refuses it as firmly.
    ///
    /// # Errors
    /// [`LevelError`]; the node must not go on.
    pub fn read(&self, level: Level, needs: &str) -> Result<(), LevelError> {
        if level <= self.most {
            return Ok(());
        }
        let refused = if level > Level::NEWEST {
            LevelError::Beyond { level, most: self.most, needs: needs.to_owned() }
        } else {
            LevelError::Held { level, most: self.most }
        };
        *self.refused.lock() = Some(refused.to_string());
        Err(refused)
    }

    /// The cluster is at a level: kept before anything of it is applied.
    ///
    /// # Errors
    /// [`LevelError`]; the node must not go on.
    pub fn enter(&self, level: Level, needs: &str) -> Result<(), LevelError> {
        self.read(level, needs)?;
        let mut reached = self.reached.lock();
        if level > *reached {
            (self.keep)(level).map_err(|source| LevelError::Keep { level, source })?;
            *reached = level;
        }
        Ok(())
    }

    /// The same for a state that is to become this node's.
    ///
    /// # Errors
    /// [`LevelError`]; the state must not be installed.
    pub fn enter_state(&self, state: &State) -> Result<(), LevelError> {
        match &state.cluster().raised {
            Some(raised) => self.enter(raised.level, &raised.needs),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Levels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "level {} of {}", self.reached(), self.most)
    }
}

#[cfg(test)]
mod tests {
    use keeper_registry::{Command, LogTime, PresenceLimits, Revision};

    use super::*;
    use crate::batch::Batch;
    use crate::replica::Replica;

    #[test]
    fn the_newest_level_came_with_this_release() {
        assert_eq!(RELEASES.last(), Some(&(Level::NEWEST, env!("CARGO_PKG_VERSION"))));
        assert!(RELEASES.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }

    #[test]
    fn a_level_is_kept_once_and_before_it_is_entered() {
        let kept = Arc::new(Mutex::new(Vec::new()));
        let levels = Levels::new(None, {
            let kept = Arc::clone(&kept);
            move |level| {
                kept.lock().push(level);
                Ok(())
            }
        });
        for _ in 0..2 {
            levels.enter(Level::NAMED, "0.2.0").expect("this binary knows it");
        }
        assert_eq!((kept.lock().clone(), levels.reached()), (vec![Level::NAMED], Level::NAMED));
    }

    #[test]
    fn who_is_held_back_applies_nothing_that_came_later() {
        let replica = Replica::at(PresenceLimits::default(), Levels::new(Some(Level::FIRST), |_| Ok(())));
        let apply =
            |command| replica.apply(1, &Batch::new(LogTime(1), vec![command])).map_err(|error| error.to_string());
        let expected =
            "the cluster is at feature level 2, and upgrade.level_max holds this node at 1: remove the setting";
        assert_eq!(apply(Command::RetireNode(7)).err().as_deref(), Some(expected));
        assert_eq!(replica.applied(), Revision(0));
        assert!(apply(Command::Sweep).is_ok());
    }

    #[test]
    fn a_level_that_cannot_be_kept_is_not_entered() {
        let levels = Levels::new(None, |_| Err(io::Error::other("no room")));
        assert!(matches!(levels.enter(Level::NAMED, "0.2.0"), Err(LevelError::Keep { .. })));
        assert_eq!(levels.reached(), Level::FIRST);
    }

    #[test]
    fn what_is_beyond_is_refused_with_the_release_that_knows_it() {
        let refused = Levels::unkept().enter(Level(7), "9.1.0").map_err(|error| error.to_string());
        let version = env!("CARGO_PKG_VERSION");
        let expected = format!(
            "the cluster is at feature level 7, and this keeper {version} reaches 3: run keeper 9.1.0 or newer"
        );
        assert_eq!(refused, Err(expected));
        let held = Levels::new(Some(Level::FIRST), |_| Ok(())).enter(Level::NAMED, "0.2.0");
        let expected =
            "the cluster is at feature level 2, and upgrade.level_max holds this node at 1: remove the setting";
        assert_eq!(held.map_err(|error| error.to_string()), Err(expected.to_owned()));
    }
}
