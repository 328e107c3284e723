//! Who may come in, and when whoever was refused may come again.
//!
//! Everything a client can ask for in numbers passes a bound before it costs anything: proposals pass their lane (see
//! `propose`), lookups pass a [`Gate`], scans find a [`Place`](Places); connections find a place among [`Connections`],
//! and what is kept in memory for them is counted by [`Memory`]. Full is a refusal with a hint, never a growing
//! queue; the hint is computed by [`Drain`] from what waits and how fast that goes. A refused client that obeys it
//! comes back when there is room, and a storm is served at the pace the cluster can hold.
//!
//! Not built: fairness between clients beyond the share of a gateway. Lanes are first in, first out, so that whoever
//! keeps to a share waits no longer than the lane is deep.

mod connections;
mod drain;
mod gate;
mod guest;
mod memory;
mod metered;
mod places;

pub use connections::{Connection, ConnectionLimits, Connections, Welcome};
pub use drain::Drain;
pub use gate::{Admitted, Gate};
pub use guest::{Guarded, Guest};
pub use memory::{Held, Memory, MemoryLimits, Need, Share};
pub use metered::{Metered, Rules};
pub use places::{Place, Places};
