//! Consensus: openraft, and everything that touches it.
//!
//! Nothing outside this folder imports openraft. What leaves it is [`RaftHandle`]: propose a batch, confirm a read, follow
//! the leadership, report status.

mod type_config;

pub use type_config::{Member, TypeConfig};
