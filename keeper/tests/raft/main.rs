//! Raft groups in one process: real sockets on loopback, real replicas and snapshot files, the log in memory.
//!
//! Each node runs on a runtime of its own, so that stopping the runtime is what `kill -9` is to a process.

#![expect(clippy::disallowed_methods, reason = "a test measures, and its nodes are runtimes that it ends")]

mod cluster;
mod failure;
mod group;
mod identity;
mod reads;
mod restore;
mod rollback;
mod snapshots;
