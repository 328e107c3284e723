//! The replicated state of Keeper, pure: no IO, no clock, no randomness, no async, no error path.
//!
//! [`State::apply`] is the only way the state changes. Same state, same stamp, same command: same outcome, on every
//! node, for ever, and across versions. A refusal is a reply, never an error: a committed entry cannot fail. Work per
//! command is bounded by the named limits in [`limits`]; long work (the sessions of a dead gateway, a kick of millions)
//! is a series of bounded commands. Iteration order of a hash map never reaches an outcome.
//!
//! Deliberately absent: parsing of config formats, leases' deadlines (the leader keeps them in memory and proposes
//! [`Command::Expire`]), encoding (the `keeper` crate owns every byte on disk), and any clock: time is in the
//! [`Stamp`].

#![warn(missing_docs)]

mod check;
mod clock;
mod cluster;
mod command;
mod config;
mod consumer;
mod control;
mod digest;
mod epoch;
mod frame;
mod freeze;
mod instance;
pub mod limits;
mod nodes;
mod notice;
mod numbered;
mod outcome;
pub mod planted;
mod policy;
mod presence;
mod rebuild;
mod record;
mod request;
mod ring;
mod rollout;
mod session;
mod shortage;
mod stamp;
mod state;
mod thaw;

pub use cluster::{Cluster, Level, LevelRaised};
pub use command::{
    AcknowledgeControl, BindTopics, CloseInstance, Command, Frame, GiveUp, Kick, KickTarget, OpenInstance, RaiseLevel,
    Register, RequestId, SendControl, SessionKey, SessionOperation, SessionSelector, Unregister, UnregisterCause,
};
pub use config::{
    Document, DocumentAction, DocumentChange, Format, HistoryPolicy, Keep, Layer, LayerError, LayerLabels, Policy,
    Publish, SEALED_PREFIX, VersionAt, Witness,
};
pub use consumer::{Announce, AnnouncementRecord, Consumed, ConsumerGroup, ConsumersOfGroup, Schema, SchemaHash};
pub use control::{Addressed, AnswerState, Control, ControlAnswer};
pub use epoch::{Epoch, Incarnation, StateId};
pub use freeze::Frozen;
pub use instance::{Changes, Closing, ClosingCause, Instance};
pub use nodes::Nodes;
pub use notice::{Notice, NoticeCause, NoticeCursor, Notices};
pub use numbered::UnknownNumber;
pub use outcome::{Event, Holder, Kicked, OperationResult, Outcome, Rejection, Reply};
pub use policy::{Graces, SessionPolicy, TopicPolicy};
pub use presence::{
    Former, OfflineReason, Place, PresenceCursor, PresenceFact, PresenceLimits, PresenceRing, PresenceSlice,
    PresenceWhat, TopicNames,
};
pub use rebuild::{Rebuild, RebuildGateway, RebuildProgress};
pub use record::{
    ClosedRecord, FrameRecord, Header, InstanceRecord, LingerRecord, RebuildHeader, Record, SessionRecord,
};
pub use request::{KeptAnswer, RequestKind};
pub use rollout::{
    AdvanceRollout, AppliedLayer, Candidate, ConfigFor, Gates, InstanceSelector, PromoteRollout, Rollout, RolloutState,
    Stage, StartRollout, StepRollout, StopCause, StopRollout, rollout_place,
};
pub use session::{
    Dropped, FormerState, Formerly, KickConfirmation, KickGateway, KickJob, Part, Pass, ScanPosition, SessionFilter,
    SessionPage, SessionView, TopicSize, Walked,
};
pub use shortage::Shortage;
pub use stamp::{LogTime, Revision, Stamp};
pub use state::State;
pub use thaw::{ThawError, Thawing};
