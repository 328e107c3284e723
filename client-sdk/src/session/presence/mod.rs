//! Who comes, who goes, who moves: facts in one order per session, from whichever node can tell them.
//!
//! # What it promises
//! A [`Presence`] tells every fact that matches its [`Subscription`], each once, in the order they happened, from its
//! token on: whatever nodes and connections die meanwhile, and also when the token is taken up by another process. For
//! a topic's subscriber the facts of one session alternate: online, moved any number of times, offline, online ...
//!
//! # Where that ends
//! Nodes keep a bounded number of facts. When those after the token are gone on the node that is asked, the others are
//! tried; when they are gone there, too, [`PresenceEvent::Reset`] says so, once. The way back is
//! [`Presence::resync`]: take that walk to its end, let it replace what was known, and go on with
//! [`Presence::next`]. Facts that happened during the walk come then; compare epochs, so that they are taken
//! once:
//!
//! - `Online`, `Moved`, `Reconnected` with an epoch not above the one known: already known;
//! - `Offline` with another epoch than the one known: about a registration that is gone already.
//!
//! The walk tells who was told to be online and not to be offline, which is what the facts go on from: sessions that
//! linger are in it, although a lookup or a plain walk would not call them live. Whether they come back or not, what is
//! told of them then is about a session that is known.
//!
//! The same is the way to begin: [`Presence::opened`], [`Presence::resync`], then follow.

mod fact;
mod follower;
mod from_proto;
#[cfg(any(test, fuzzing))]
pub(in crate::session) mod fuzz;
#[expect(clippy::module_inception, reason = "a file is named after its one type")]
mod presence;
mod subscription;

pub use fact::{MovedFrom, OfflineReason, Place, PresenceChange, PresenceEvent, PresenceFact, PresenceScope};
pub(crate) use from_proto::{facts, places};
pub use presence::{Presence, PresenceFrame};
pub use subscription::Subscription;
