//! The client library of Keeper: where each user is connected, which configuration a process runs, which processes
//! live.
//!
//! Everything begins with a [`Keeper`], which is cheap to clone and follows the leader by itself:
//!
//! - a [`Gateway`] holds a lease and keeps its connections registered; [`Instance`] and [`Sessions`] do it by hand;
//! - a sender asks a [`Lookup`] where a user is, or a [`CachedLookup`] when it asks about few users often;
//! - whoever must know who comes and goes follows [`Presence`], and walks over all sessions by a [`Scan`];
//! - any process reads a [`Config`] as a type of its own and is told what changed;
//! - an admin uses [`SessionAdmin`], [`Instances`], [`Configs`], [`Rollouts`], [`Controls`] and [`Cluster`].
//!
//! Callers write one `async` call per item. Frames form by themselves: whatever is queued when a slot of the in-flight
//! window is free travels together, so a lone caller never waits for company and a thousand share one frame.
//!
//! Every task belongs to a [`Keeper`] and ends with its last clone. Waiting goes through `tokio::time` and chance
//! through one seedable source, so that the library runs unchanged in simulated time. Nothing here parses config
//! formats or decides anything about the state: the servers do.

#![warn(missing_docs)]

mod backup;
mod builder;
mod cluster;
mod config;
mod connection;
mod control;
mod error;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzz;
mod gateway;
mod instance;
mod keeper;
pub mod limits;
mod members;
mod random;
mod rollout;
mod session;
mod tasks;

pub use backup::{Backup, BackupHead, BackupOf};
pub use builder::Builder;
pub use cluster::{Cluster, Disk, Divergence, InitialMember, Member, NodeStatus, Role, Upgraded};
pub use config::{
    Applied, AppliedLayer, Change, Comments, Compared, Config, ConfigBuilder, ConfigStatus, Configs, ConfigsWatch,
    Conflict, ConsumerGroup, ConsumerSchema, Consumers, Cursor, Detail, Document, Documents, DocumentsChanged, Edit,
    Effective, EffectiveChanged, EffectiveDocument, EffectiveWatch, FieldChange, Format, GivenField, Gone, Health,
    InstanceConfig, Kept, KeptProblem, LastKnownGood, Linted, Listener, LocalDocument, Merge, Merged, Objection,
    Origin, Publish, Published, Reader, Rollback, SecretKey, Secrets, Side, StatusOf, Verdict, diff,
};
pub use connection::Endpoint;
pub use control::{Addressed, Answer, ControlState, ControlStatus, Controls, ControlsWatch, SendControl, Sent};
pub use error::{Error, Happened};
pub use gateway::{Connection, Gateway, GatewayBuilder, GatewayEvent, GatewayEvents, GatewayStatus};
pub use instance::{
    Closed, Instance, InstanceBuilder, InstanceInfo, Instances, InstancesChanged, InstancesWatch, Lost,
};
pub use keeper::Keeper;
pub use members::{MembershipChange, MembershipChanged, MembershipStep, Rank};
pub use rollout::{
    Finished, Rollout, RolloutHeard, RolloutStarted, RolloutState, RolloutStatus, Rollouts, Stage, StartRollout,
};
pub use session::{
    CacheSettings, CacheStats, CachedLookup, Confirmation, Consistency, Counts, Epoch, Explained, FormerState,
    Formerly, Found, GiveUp, Holder, InstanceCount, Kick, KickEnd, KickGateway, KickMatching, KickStarted, KickStatus,
    KickTarget, Kicked, KickedSession, ListSessions, Looked, Lookup, Matching, MovedFrom, Notice, NoticeCause, Notices,
    OfflineReason, Owner, Part, Place, Presence, PresenceChange, PresenceEvent, PresenceFact, PresenceFrame,
    PresenceScope, Rebuild, RebuildGateway, RebuildProgress, RebuildStatus, Rebuilding, Registered, Registration,
    Route, Scan, ScanSessions, Session, SessionAdmin, SessionKey, SessionPage, SessionSelector, Sessions, Subscription,
    Top, TopicCount,
};
