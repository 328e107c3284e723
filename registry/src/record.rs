//! The pieces a frozen state is written as, and rebuilt from.
//!
//! Plain data, borrowed where it is large; the bytes on disk are the `keeper` crate's. Records come in the order of the
//! variants below, and [`Thawing`](crate::Thawing) wants them so: the header first, owners before what hangs on them,
//! topics before sessions.

use std::sync::Arc;

use crate::{
    AnnouncementRecord, ClosingCause, Cluster, Epoch, Graces, HistoryPolicy, Incarnation, KeptAnswer, KickJob, LogTime,
    Nodes, NoticeCursor, OperationResult, PresenceCursor, PresenceFact, RebuildGateway, Revision, Rollout, Schema,
    SessionPolicy, StateId,
    config::Document,
    control::Control,
    instance::{Closing, Instance},
    notice::Notice,
    session::{Dropped, Pass},
};

/// One piece of a frozen state.
#[derive(Debug, Clone, Copy)]
pub enum Record<'a> {
    /// The first one, once.
    Header(&'a Header),
    /// What the cluster has decided about itself; absent at the first feature level.
    Cluster(&'a Cluster),
    /// The session policy in force; absent: nothing was ever decided.
    Policy(&'a Arc<SessionPolicy>),
    /// How much of the past of documents is kept; absent: nothing was ever decided.
    History(&'a Arc<HistoryPolicy>),
    /// A version of graces that is in force, or that sessions still linger by.
    Graces(&'a Arc<Graces>),
    /// An incarnation that is open or has rows left.
    Instance(InstanceRecord<'a>),
    /// The numbers of nodes given so far; absent: none.
    Nodes(Nodes),
    /// A gateway that is expected to register again what it holds, of a state that is rebuilding.
    Rebuild(&'a RebuildGateway),
    /// An answer kept for a frame of an open incarnation; each one's oldest first.
    Frame(FrameRecord<'a>),
    /// An incarnation that ended; oldest first.
    Closing(&'a Closing),
    /// How far it was told of the sessions that linger by one version of graces.
    Linger(LingerRecord<'a>),
    /// A topic's name, under the number the sessions of this snapshot call it by.
    Topic(u32, &'a [u8]),
    /// A session: live, lingering, or waiting to be swept.
    Session(SessionRecord<'a>),
    /// A fact for a gateway; oldest first.
    Notice(&'a Notice),
    /// One of the newest presence facts; oldest first.
    Presence(PresenceFact<'a>),
    /// A kick; oldest first.
    Kick(&'a Arc<KickJob>),
    /// A schema that an open incarnation reads by.
    Schema(&'a Schema),
    /// Since when a path's readers are of the kinds they are.
    Readers(&'a str, Revision),
    /// What some open incarnations read.
    Announcement(AnnouncementRecord<'a>),
    /// The last number given to a rollout, and up to where ends of rollouts may be forgotten; absent: there was none.
    Rollouts(u64, Revision),
    /// A rollout; oldest first.
    Rollout(&'a Arc<Rollout>),
    /// A version of a document; each path's oldest first.
    Document(&'a Arc<Document>),
    /// A control.
    Control(&'a Arc<Control>),
    /// An answer kept for a request id; oldest first.
    Answer(&'a KeptAnswer),
}

/// Counters, floors, and what tells that nothing is missing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Header {
    /// The history's name, if it has begun.
    pub state: Option<StateId>,
    /// Of the last entry applied.
    pub revision: Revision,
    /// Log time as of that entry.
    pub time: LogTime,
    /// Epochs that entry has issued.
    pub epochs: u32,
    /// The last number given to an incarnation.
    pub last_incarnation: Incarnation,
    /// Closings up to here are gone.
    pub closings_floor: Revision,
    /// Of the newest notice there ever was.
    pub latest_notice: NoticeCursor,
    /// Of the newest presence fact there ever was.
    pub latest_presence: PresenceCursor,
    /// Presence facts up to here do not follow.
    pub presence_floor: PresenceCursor,
    /// Number of the graces in force.
    pub graces: u32,
    /// Deletions of documents up to here may be forgotten.
    pub configs_floor: Revision,
    /// The last number given to a control.
    pub last_control: u64,
    /// The last number given to a kick.
    pub last_kick: u64,
    /// Orders the walk: the number the state was founded under, which a restored one keeps.
    pub seed: u64,
    /// The registry is being filled again.
    pub rebuild: Option<RebuildHeader>,
    /// How many sessions follow.
    pub sessions: u64,
    /// [`State::hash`](crate::State::hash) when it was frozen.
    pub hash: u64,
}

/// A rebuild, without its gateways.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RebuildHeader {
    /// When it began.
    pub since: LogTime,
    /// The longest TTL of the gateways seen so far.
    pub ttl_ms_max: u32,
}

/// An incarnation.
#[derive(Debug, Clone, Copy)]
pub struct InstanceRecord<'a> {
    /// What it said when it opened.
    pub instance: &'a Arc<Instance>,
    /// How it was closed.
    pub closed: Option<ClosedRecord<'a>>,
    /// Of its last frame.
    pub last_sequence: u64,
    /// Notices of it up to here are gone.
    pub notices_floor: NoticeCursor,
    /// Notices of it up to here have been acted upon.
    pub confirmed: NoticeCursor,
}

/// How an incarnation was closed, and how far that was told.
#[derive(Debug, Clone, Copy)]
pub struct ClosedRecord<'a> {
    /// Of the entry that closed it.
    pub revision: Revision,
    /// When.
    pub at: LogTime,
    /// Why.
    pub cause: ClosingCause,
    /// Number of the graces in force then.
    pub graces: u32,
    /// The graces of its sessions, each once, the shortest first.
    pub stages: &'a [u32],
    /// Which of them is being told.
    pub stage: u32,
    /// It was told of sessions up to this one.
    pub after: Epoch,
}

/// How far it was told of sessions that linger.
#[derive(Debug, Clone, Copy)]
pub struct LingerRecord<'a> {
    /// Number of the graces they linger by.
    pub graces: u32,
    /// One for each grace there is, the shortest first.
    pub passes: &'a [Pass],
}

/// An answered frame.
#[derive(Debug, Clone, Copy)]
pub struct FrameRecord<'a> {
    /// Whose.
    pub incarnation: Incarnation,
    /// Its number.
    pub sequence: u64,
    /// Of the entry that took it.
    pub revision: Revision,
    /// What was answered.
    pub results: &'a Arc<[OperationResult]>,
}

/// A session.
#[derive(Debug, Clone, Copy)]
pub struct SessionRecord<'a> {
    /// Whose.
    pub user: &'a [u8],
    /// Which of the user's devices.
    pub slot: &'a [u8],
    /// The incarnation that registered it.
    pub incarnation: Incarnation,
    /// Its name for the connection.
    pub connection: &'a [u8],
    /// The fencing token.
    pub epoch: Epoch,
    /// When it was registered.
    pub registered_at: LogTime,
    /// The device's own count of its connections.
    pub conn_seq: Option<u64>,
    /// The epoch it had in a former history, if it was claimed again from there.
    pub flushed: Option<Epoch>,
    /// Its connection dropped, and it lingers.
    pub dropped: Option<Dropped>,
    /// As given by the gateway.
    pub attributes: &'a [u8],
    /// Numbers of topic records.
    pub topics: &'a [u32],
}
