//! Seeded simulation of a cluster: the daemon's and the library's own code on a simulated network, on simulated disks
//! and clocks, driven by one seed.
//!
//! A run founds a cluster of three nodes, lets gateways, senders, subscribers and admins work on it while it suffers
//! the faults that its seed decides, heals everything, and then judges. What is real: consensus, proposer, leases,
//! watches, presence, gRPC, the snapshot files, the client library. What is not: the network ([`world`]), the log's
//! disk ([`disk`]), the clocks, threads. RocksDB and TLS are for tests with real processes.
//!
//! **A seed decides everything**: each run has a process of its own, one thread, and a digest of every byte sent. Where
//! nothing in the code may depend on the order of a hash map or on the real clock, a digest that differs between two
//! runs of one seed shows that it does.

#[cfg(not(any(tokio_unstable, doc)))]
compile_error!("without `--cfg tokio_unstable` tokio draws random numbers that no seed decides: unset RUSTFLAGS");

pub mod client;
pub mod cluster;
pub mod disk;
pub mod documents;
pub mod fault;
pub mod fleet;
pub mod history;
pub mod invariant;
pub mod node;
pub mod planted;
pub mod rollout;
pub mod run;
pub mod runner;
pub mod workload;
pub mod world;
