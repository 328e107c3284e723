//! Rollouts, driven: the leader opens the next stage when the present one has proved itself, and stops at the first
//! sign that it has not.
//!
//! **What it promises.** A stage is opened by itself only on evidence that this leader gathered in its present term of
//! office, about this very rollout: every open instance in the open stages that reads what is rolled out (or the share
//! that the rollout asks for) has said that it runs with it, nobody has refused it, everybody is well, and the stage
//! was watched for its time. Whoever takes office begins without any evidence and waits until it has been told
//! everything anew. The proposal carries the term and the stage, so that it does nothing in another term or at another
//! stage.
//!
//! A refusal, or an instance in an open stage that is not well, stops the rollout at once, a paused one too, and
//! though it has closed or thinks otherwise by then. So a value that an instance at five percent refuses never
//! reaches a sixth.
//!
//! **Instances that disappear.** A process that dies of a candidate is closed, and says nothing any more: without it,
//! everybody left would have applied. So a stage waits for an instance that was in it and is gone, unless it took its
//! leave in order; it may come back under its name, or an admin may go on without it. A leader that has just taken
//! office does not know of those that were gone before.
//!
//! **Split.** [`gate`] decides, from what is known and the time; [`evidence`] gathers; [`driver`] performs; [`promote`]
//! judges once more, since consumers may have come since the start, and publishes.

mod driver;
mod evidence;
mod gate;
mod promote;

pub use driver::{Driver, Worker};
pub use evidence::{Evidence, Heard, Member};
pub use gate::{Decision, decide};
pub use promote::{Promotion, Promotions};
