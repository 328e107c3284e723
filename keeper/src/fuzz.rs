//! What holds for every input of every decoder, as functions from bytes that panic where it does not.
//!
//! Each decoder's own folder says what holds for it; here is the list. It exists in two builds only: in tests, which
//! replay the corpora of `fuzz/corpus` and try new mutants of them, and under `make fuzz`, where libFuzzer looks for
//! more. Beside what a property says, each is held to memory in proportion to its input (`fuzz/bounds.rs`).

use crate::{backup, codec, codec::fuzz::Property, format, raft, rpc, settings, store};

/// All of them.
pub const PROPERTIES: &[&[Property]] = &[
    backup::fuzz::PROPERTIES,
    codec::fuzz::PROPERTIES,
    format::fuzz::PROPERTIES,
    raft::FUZZ,
    rpc::fuzz::PROPERTIES,
    settings::FUZZ,
    store::fuzz::PROPERTIES,
];

#[cfg(test)]
#[path = "../../fuzz/replay.rs"]
mod replay;
