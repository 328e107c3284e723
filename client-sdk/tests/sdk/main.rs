//! The library against a test double of the servers, over real sockets.
//!
//! The double takes frames as the state does (each number once, in order, the first answer kept) and breaks streams
//! where it is told to; what arrived and what was taken is written down for the tests to judge.

mod backups;
mod caches;
mod calls;
mod configs;
mod fake;
mod gateway;
mod kept;
mod leases;
mod lookups;
mod presence;
mod reading;
mod rollouts;
mod sessions;
mod walks;
