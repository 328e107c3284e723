//! What was heard of documents.

use std::collections::BTreeMap;

use serde_json::Value;

use super::PATHS;
use crate::history::Moment;

/// Everything heard.
#[derive(Debug, Default)]
pub struct Heard {
    /// What processes ran with, by reader.
    pub taken: BTreeMap<String, Vec<Taken>>,
    /// What streams said, by follower.
    pub frames: BTreeMap<String, Vec<Frame>>,
    /// What readers refused.
    pub refusals: Vec<Refusal>,
    /// Answers about who runs with what.
    pub statuses: Vec<Standing>,
}

/// What a process ran with from then on.
#[derive(Debug, Clone)]
pub struct Taken {
    /// When.
    pub at: Moment,
    /// Which life of the process.
    pub boot: u64,
    /// In the order of [`PATHS`]; none of what it does not read yet.
    pub readings: [Option<Reading>; PATHS.len()],
    /// It has refused something newer of one of them: the others may be newer than that one.
    pub is_refusing: bool,
}

/// One document of a process.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// Of what was told last, refused or not.
    pub revision: u64,
    /// What it runs with; an empty object when there is none.
    pub value: Value,
    /// The rollout whose candidates that has.
    pub rollout: Option<u64>,
}

/// One word of a stream.
#[derive(Debug, Clone)]
pub struct Frame {
    /// Which stream of this follower.
    pub stream: u64,
    /// Everything up to here was told.
    pub revision: u64,
    /// It is the full set.
    pub is_reset: bool,
    /// Path, when it changed, what it says, and the rollout whose candidates it has.
    pub documents: Vec<(String, u64, Option<Value>, Option<u64>)>,
}

/// A reader cannot run with something.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// Who.
    pub reader: String,
    /// What: the number of the part it refuses.
    pub number: u64,
    /// When, in the world's time.
    pub at_ms: u64,
}

/// An answer about who runs with what.
#[derive(Debug, Clone)]
pub struct Standing {
    /// Of which document.
    pub path: String,
    /// When it came.
    pub at: Moment,
    /// Open readers, and those of them that run with what they are to run with.
    pub readers: u32,
    /// The same.
    pub applied: u32,
    /// Each of them.
    pub said: Vec<Said>,
}

/// What is said of one reader.
#[derive(Debug, Clone)]
pub struct Said {
    /// Its name.
    pub reader: String,
    /// What it is to run with.
    pub wanted: u64,
    /// It does, by its own word.
    pub is_applied: bool,
    /// It has said nothing yet.
    pub is_silent: bool,
}
