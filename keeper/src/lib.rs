//! The Keeper daemon: one Raft group that replicates a [`keeper_registry::State`], and serves it.
//!
//! Arrows point one way, and `tests/tests/tidy.rs` checks them:
//!
//! ```text
//! main → node → {rpc, http, lease} → {propose, view, watch} → {raft, replica} → {store, registry}
//! ```
//!
//! [`batch`], [`clock`], [`codec`], [`format`], [`limits`], [`problem`] and [`settings`] lie below all of them. `rpc` never
//! sees `raft` or `store`; openraft is imported under `raft/` only, rocksdb under `store/` only, bincode under `codec/`
//! only; `clock` alone reads the clock; `node` alone spawns tasks.

pub mod batch;
pub mod clock;
pub mod codec;
pub mod limits;
pub mod problem;
pub mod raft;
pub mod replica;
pub mod store;
