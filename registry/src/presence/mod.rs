//! Presence: who came online, who left, who moved.
//!
//! Every command that changes what subscribers see says so in facts. Facts are a by-product of `apply` and as
//! deterministic: the same ones with the same cursors on every node, so that a token taken on one is good on any other.
//!
//! Subscribers differ in what they see of a session, because graces differ: those of a topic see its own grace, those
//! of everything, of a user prefix or of an instance see the longest one ("whole"). A fact says for whom it is. For
//! each of these views the facts of one session alternate: online, then any number of moved and reconnected, then
//! offline.
//!
//! The ring that keeps the newest facts is a node's own affair: its size is a setting of the node, it is not in the
//! hash of the state, and nothing in it reaches an outcome. A snapshot carries its newest part, and the newest cursor
//! there ever was, so that the order goes on.
//!
//! Deliberately absent: subscribers. Whoever follows holds a cursor and reads what comes after it, outside of any lock.

mod chunk;
mod cursor;
mod fact;
mod place;
mod ring;
mod slice;

pub use self::{
    cursor::PresenceCursor,
    fact::{Former, OfflineReason, PresenceFact, PresenceWhat, TopicNames},
    place::Place,
    ring::{PresenceLimits, PresenceRing},
    slice::PresenceSlice,
};
