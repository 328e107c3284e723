//! Sessions: which gateway holds which user's connection.
//!
//! [`Sessions`] writes for a gateway, [`Lookup`] reads for senders, [`Notices`] tells a gateway what others did to its
//! sessions, [`Presence`] tells everybody else who comes and goes, [`SessionAdmin`] serves tools. Writing and reading
//! share one shape: callers put single operations into a bounded queue, one worker per stream drains it into frames, a
//! pure window numbers the frames and matches the answers.

mod admin;
mod answer;
mod ask;
pub(crate) mod asker;
mod asking;
mod cache;
mod consistency;
mod explain;
mod formerly;
pub(crate) mod from_proto;
#[cfg(any(test, fuzzing))]
mod fuzz;
mod holder;
mod key;
mod kick;
mod lookup;
mod lot;
mod notice;
pub(crate) mod presence;
mod reader;
mod rebuild;
mod registrar;
pub(crate) mod registration;
mod scan;
mod selector;
#[expect(clippy::module_inception, reason = "a file is named after its one type")]
mod session;
mod sessions;
pub(crate) mod to_proto;
pub(crate) mod window;
pub(crate) mod worker;

pub use admin::{Counts, InstanceCount, ListSessions, SessionAdmin, SessionPage, Top, TopicCount};
pub use cache::{CacheSettings, CacheStats, CachedLookup};
pub use consistency::Consistency;
pub use explain::Explained;
pub use formerly::{FormerState, Formerly, Rebuilding};
#[cfg(any(test, fuzzing))]
pub(crate) use fuzz::PROPERTIES as FUZZ;
pub use holder::Holder;
pub use key::{Epoch, SessionKey};
pub use kick::{
    Confirmation, Kick, KickEnd, KickGateway, KickMatching, KickStarted, KickStatus, KickTarget, Kicked, KickedSession,
};
pub(crate) use lookup::Lookups;
pub use lookup::{Found, Looked, Lookup, Route};
pub use notice::{Notice, NoticeCause, Notices};
pub(crate) use notice::{NoticeFrame, NoticeFrames};
pub use presence::{
    MovedFrom, OfflineReason, Place, Presence, PresenceChange, PresenceEvent, PresenceFact, PresenceFrame,
    PresenceScope, Subscription,
};
pub use rebuild::{GiveUp, Rebuild, RebuildGateway, RebuildProgress, RebuildStatus};
pub(crate) use registrar::Registrar;
pub use registration::{Registered, Registration};
pub use scan::{Matching, Scan, ScanSessions};
pub use selector::{Part, SessionSelector};
pub use session::{Owner, Session};
pub use sessions::Sessions;
