//! Integration: real nodes, real sockets, real disks, through the SDK.
//!
//! One file a noun, and `cluster` and `processes` for what happens to the nodes themselves.

mod cluster;
mod config;
mod ctl;
mod instance;
mod limits;
mod processes;
mod session;
mod wire;
