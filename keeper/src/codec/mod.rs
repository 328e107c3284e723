//! Our own encoding of everything on disk and between nodes.
//!
//! bincode is imported here and nowhere else, so that it can be replaced in this one folder. Every value begins with a
//! version byte. openraft's structs are never derive-serialised: `raft/encode.rs` writes them field by field with
//! [`Output`] and [`Input`]. What the replicated state is made of is written here: [`batch`] for the log, [`record`]
//! for snapshots.

mod answer;
pub mod batch;
mod cluster;
mod command;
mod consumer;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod kick;
mod names;
mod policy;
mod presence;
mod primitive;
mod rebuild;
pub mod record;
mod record_read;
mod record_write;
mod rejection;
mod rollout;
#[cfg(test)]
mod tests;

pub use primitive::{DecodeError, Input, Output};

use keeper_registry::Level;

/// Of batches and snapshots that a binary from before there were feature levels reads.
const VERSION_FIRST: u8 = 1;

/// Of those that hold what came with level 2. One more version comes with each level that adds a command or a record.
const VERSION_LEVELS: u8 = 2;

/// Of those that hold what came with level 3: consumers, rollouts, and how a publish was judged.
const VERSION_CONFIGS: u8 = 3;

const VERSION_NEWEST: u8 = VERSION_CONFIGS;

/// The version that a cluster of a level writes.
fn version_at(level: Level) -> u8 {
    if level >= Level::CONFIGS {
        VERSION_CONFIGS
    } else if level >= Level::NAMED {
        VERSION_LEVELS
    } else {
        VERSION_FIRST
    }
}
