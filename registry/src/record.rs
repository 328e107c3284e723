//! The pieces a frozen state is written as, and rebuilt from.
//!
//! Plain data, borrowed where it is large; the bytes on disk are the `keeper` crate's. Records come in the order of the
//! variants below, and [`Thawing`](crate::Thawing) wants them so: the header first, owners before what hangs on them,
//! topics before sessions.

use std::sync::Arc;

use crate::{
    Epoch, Incarnation, KeptAnswer, LogTime, NoticeCursor, OperationResult, Revision, StateId,
    config::Document,
    control::Control,
    instance::{Closing, Instance},
    notice::Notice,
};

/// One piece of a frozen state.
#[derive(Debug, Clone, Copy)]
pub enum Record<'a> {
    /// The first one, once.
    Header(&'a Header),
    /// An incarnation that is open or has rows left.
    Instance(InstanceRecord<'a>),
    /// An answer kept for a frame of an open incarnation; each one's oldest first.
    Frame(FrameRecord<'a>),
    /// An incarnation that ended; oldest first.
    Closing(&'a Closing),
    /// A topic's name, under the number the sessions of this snapshot call it by.
    Topic(u32, &'a [u8]),
    /// A session, live or waiting to be reaped.
    Session(SessionRecord<'a>),
    /// A fact for a gateway; oldest first.
    Notice(&'a Notice),
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
    /// Deletions of documents up to here may be forgotten.
    pub configs_floor: Revision,
    /// The last number given to a control.
    pub last_control: u64,
    /// How many sessions follow.
    pub sessions: u64,
    /// [`State::hash`](crate::State::hash) when it was frozen.
    pub hash: u64,
}

/// An incarnation.
#[derive(Debug, Clone, Copy)]
pub struct InstanceRecord<'a> {
    /// What it said when it opened.
    pub instance: &'a Arc<Instance>,
    /// At which revision it was closed.
    pub closed: Option<Revision>,
    /// Of its last frame.
    pub last_sequence: u64,
    /// Notices of it up to here are gone.
    pub notices_floor: NoticeCursor,
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
    /// As given by the gateway.
    pub attributes: &'a [u8],
    /// Numbers of topic records.
    pub topics: &'a [u32],
}
