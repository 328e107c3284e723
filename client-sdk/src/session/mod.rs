//! Sessions: which gateway holds which user's connection.
//!
//! [`Sessions`] writes for a gateway, [`Lookup`] reads for senders, [`Notices`] tells a gateway what others did to its
//! sessions, [`SessionAdmin`] serves tools. Writing and reading share one shape: callers put single operations into a
//! bounded queue, one worker per stream drains it into frames, a pure window numbers the frames and matches the
//! answers.

mod admin;
mod asking;
mod consistency;
pub(crate) mod from_proto;
mod holder;
mod key;
mod lookup;
mod notice;
mod reader;
mod registrar;
mod registration;
#[expect(clippy::module_inception, reason = "a file is named after its one type")]
mod session;
mod sessions;
mod to_proto;
mod window;
mod worker;

pub use admin::{Counts, InstanceCount, Kick, Kicked, KickedSession, ListSessions, SessionAdmin, SessionPage};
pub use consistency::Consistency;
pub use holder::Holder;
pub use key::{Epoch, SessionKey};
pub(crate) use lookup::Lookups;
pub use lookup::{Found, Looked, Lookup, Route};
pub use notice::{Notice, NoticeCause, Notices};
pub(crate) use registrar::Registrar;
pub use registration::{Registered, Registration};
pub use session::{Owner, Session};
pub use sessions::Sessions;
