//! Rollouts: changes of config that a few instances get first.
//!
//! A rollout opens stage after stage by itself, for as long as every instance that has its candidates has applied them
//! and says that it is well; the first refusal, and the first instance that is unwell, ends it, and nobody has the
//! candidates any more. [`Rollouts`] starts, watches and decides them; the cluster does the rest.

mod from_proto;
#[expect(clippy::module_inception, reason = "a file is named after its one type")]
mod rollout;
mod rollouts;
mod stage;
mod start;

pub use rollout::{Rollout, RolloutHeard, RolloutState, RolloutStatus};
pub use rollouts::{Finished, Rollouts};
pub use stage::Stage;
pub use start::{RolloutStarted, StartRollout};
