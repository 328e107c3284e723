//! The gateway: connections kept registered, whatever becomes of leases, leaders and the state of the cluster.
//!
//! [`Gateway`] is built on an [`Instance`](crate::Instance) a life and on the frames of [`Sessions`](crate::Sessions).
//! Its heart is a table without IO ([`table`]): the application changes what is wanted, the cluster's answers and
//! notices change what stands, and whatever differs is due. One task owned by the client ([`lives`]) opens a life after
//! another and, within each ([`life`]), forms frames from what is due, reads the notices, and takes actions.
//!
//! What follows from it:
//! - Nobody outside handles an epoch, a retry or a life.
//! - An operation of a gateway has no time limit of its own, and its answer is always awaited. So nothing it does has
//!   an unknown outcome: whatever registers after its caller gave up is found by its answer, and undone.
//! - Connections of an earlier life are *claimed* by the epoch they had, not made: a claim never displaces what was
//!   registered meanwhile. A gateway that was cut off does not steal its users back from where they went.
//! - What the application is told waits in the table, and notices are confirmed when the connections they name are let
//!   go of: memory is bounded by the connections there are, and a slow application loses nothing.
//!
//! Left out on purpose: a gateway keeps nothing on disk. A process that restarts holds no connections, and says so by
//! opening a life that announces none.

mod builder;
mod cause;
mod confirmations;
mod connection;
mod desk;
mod entry;
mod event;
mod events;
#[expect(clippy::module_inception, reason = "a file is named after its one type")]
mod gateway;
mod life;
mod lifetime;
mod lives;
mod news;
mod notices;
mod operation;
mod pace;
mod packed;
mod reconcile;
mod slots;
mod table;
mod ticket;

pub use builder::GatewayBuilder;
pub use connection::Connection;
pub use event::GatewayEvent;
pub use events::GatewayEvents;
pub use gateway::{Gateway, GatewayStatus};
