//! The room: the reference gateway of a push system, on the client SDK alone.
//!
//! A room holds WebSocket connections of devices and keeps three promises by means of Keeper:
//!
//! - **Whoever has been greeted can be found.** A connection is registered before it is greeted, registered again in
//!   each new life of the room's lease, and given up when it ends.
//! - **One connection per session.** When a device connects elsewhere, or an admin kicks it, the old connection is
//!   closed with a code and a reason that say so.
//! - **The running configuration is the published one.** [`config`] follows one document live; a document that does not
//!   fit is named in the log and the running values stay.
//!
//! [`room`] assembles; [`connection`] is one device; [`herald`] hears what the registry has to say about them;
//! [`inbox`] is where senders deliver. That connections stay registered, life after life of the room's lease, is the
//! library's [`Gateway`](keeper_client_sdk::Gateway). [`crowd`] is the other side: devices by the thousand, for
//! demonstrations and load.
//!
//! Left out on purpose: what devices say upstream is counted and dropped, and nothing is stored for devices that are
//! away. Both belong to the application around the room.

pub mod config;
mod connection;
mod connections;
pub mod crowd;
mod ending;
mod herald;
mod inbox;
pub mod limits;
mod params;
pub mod process;
pub mod room;
