//! Real nodes for tests: in this process ([`InProcess`]), or as processes of their own ([`Processes`]).
//!
//! Both speak over real sockets on loopback and keep their data on disk. In-process nodes start in milliseconds and can
//! be dropped in the middle of anything; processes can be killed and paused. Nothing here sleeps for a guessed time:
//! [`until`] waits for a condition and says which one never came.

mod in_process;
mod ports;
mod processes;
mod wait;

pub use in_process::InProcess;
pub use processes::{Processes, binary};
pub use wait::{WAIT_MAX, until, until_some};
