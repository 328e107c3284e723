//! Instances: processes that hold a lease.
//!
//! [`Instance`] is this process's own; [`Instances`] is everybody's. The promise of a lease has two halves. The server
//! never expires it within a TTL of a renewal it acknowledged. This side never believes in it longer: a full TTL after
//! the *sending* of the last renewal that was acknowledged, by the monotonic clock, the lease counts as lost, whatever
//! an answer may still say. [`lease`] decides that without IO; [`renewals`] drives it.

mod builder;
mod from_proto;
mod info;
#[expect(clippy::module_inception, reason = "a file is named after its one type")]
mod instance;
mod instances;
mod lease;
mod renewals;
mod watch;

pub use builder::InstanceBuilder;
pub use info::{Closed, InstanceInfo, InstancesChanged};
pub use instance::Instance;
pub(crate) use instance::wait_lost;
pub use instances::Instances;
pub use lease::Lost;
pub(crate) use lease::{LeaseId, Life};
pub(crate) use renewals::Renewals;
pub use watch::InstancesWatch;
