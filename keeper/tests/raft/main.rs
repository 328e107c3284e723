//! Raft groups in one process: real sockets on loopback, real replicas and snapshot files, the log in memory.
//!
//! Each node runs on a runtime of its own, so that stopping the runtime is what `kill -9` is to a process.

#![expect(clippy::expect_used, reason = "a failed expectation is how a test fails")]

mod cluster;
mod failure;
mod group;
mod identity;
mod reads;
mod snapshots;
