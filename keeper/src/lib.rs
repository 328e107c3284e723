//! The Keeper daemon: one Raft group that replicates a [`keeper_registry::State`], and serves it.
//!
//! Arrows point one way, and `tests/tests/tidy.rs` checks them:
//!
//! ```text
//! main → node → {rpc, http, lease, members} → rollout → {publish, acks} → {propose, view, watch, backup}
//!      → {raft, replica} → {store, registry}
//! ```
//!
//! [`batch`], [`clock`], [`codec`], [`config`], [`mod@format`], [`govern`], [`limits`], [`merged`], [`metrics`],
//! [`policy`], [`problem`] and [`settings`] lie below all of them. `rpc` never sees `raft` or `store`; openraft is
//! imported under `raft/` only, rocksdb under `store/` only, bincode under `codec/` only; `clock` alone reads the
//! clock; `node` alone spawns tasks.

pub mod acks;
pub mod backup;
pub mod batch;
pub mod clock;
pub mod codec;
pub mod config;
pub mod format;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzz;
pub mod govern;
pub mod http;
pub mod lease;
pub mod levels;
pub mod limits;
pub mod members;
pub mod merged;
pub mod metrics;
pub mod node;
pub mod policy;
pub mod problem;
pub mod propose;
pub mod publish;
pub mod raft;
pub mod replica;
pub mod rollout;
pub mod rpc;
pub mod settings;
pub mod store;
pub mod upgrade;
pub mod view;
pub mod watch;
