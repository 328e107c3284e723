//! Rollouts: changes of config that a few instances get first.
//!
//! A rollout opens stage after stage by itself, for as long as every instance that has its candidates has applied them
//! and says that it is well; the first refusal, and the first instance that is unwell, ends it, and nobody has the
//! candidates any more. [`Rollouts`] starts, watches and decides them; the cluster does the rest.

mod from_proto;
#[cfg(any(test, fuzzing))]
mod fuzz;
#[expect(clippy::module_inception, reason = "a file is named after its one type")]
mod rollout;
mod rollouts;
mod stage;
mod start;

#[cfg(any(test, fuzzing))]
pub(crate) use fuzz::rollout_reply as fuzz_rollout_reply;
pub use rollout::{Rollout, RolloutHeard, RolloutState, RolloutStatus};
pub use rollouts::{Finished, Rollouts};
pub use stage::Stage;
pub use start::{RolloutStarted, StartRollout};
