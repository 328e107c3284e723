//! What applying a command says.

use std::sync::Arc;

use bytes::Bytes;

use crate::{Epoch, Incarnation, Level, Revision, RolloutState, SessionKey, Shortage, StateId, Witness};

/// What one command did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The answer to whoever proposed it.
    pub reply: Result<Reply, Rejection>,
    /// What watchers should look at.
    pub events: Vec<Event>,
}

/// A decision in favour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// To `Found`.
    Founded(StateId),
    /// To `Frame`: one result an operation. Shared with the state, which keeps it for a retry.
    Frame {
        /// Of the entry that first took the frame.
        revision: Revision,
        /// In the order asked.
        results: Arc<[OperationResult]>,
    },
    /// To `Kick`.
    Kicked {
        /// Its number: the revision of the entry, for [`State::kick_job`](crate::State::kick_job); with several in one
        /// entry the later ones take the next free numbers.
        job: u64,
        /// What a kick of a user ended at once; empty for one by selector.
        kicked: Vec<Kicked>,
    },
    /// To `KickStep`.
    KickStepped {
        /// Sessions ended.
        closed: u32,
        /// Whether a kick is still under way.
        more: bool,
    },
    /// To `OpenInstance`.
    Opened {
        /// The new incarnation.
        incarnation: Incarnation,
    },
    /// To `CloseInstance` and `Expire`.
    Closed,
    /// To `Sweep`.
    Swept {
        /// Rows looked at.
        rows: u32,
        /// Whether more is due now.
        more: bool,
    },
    /// To `GiveUp`.
    GivenUp,
    /// To `Restore`.
    Restored(StateId),
    /// To `RaiseLevel`.
    LevelRaised {
        /// The cluster's level now.
        level: Level,
    },
    /// To `Publish`.
    Published {
        /// Where the documents now stand: this entry, or the one that already said the same.
        revision: Revision,
        /// False when every text was already what is published.
        changed: bool,
    },
    /// To `SendControl`.
    ControlSent {
        /// Its number: the revision that sent it.
        control: u64,
        /// How many instances it was addressed to.
        instances: u32,
    },
    /// To `AcknowledgeControl`.
    Acknowledged,
    /// To `ReserveNode`.
    NodeReserved {
        /// The number, never given before or again.
        node: u64,
    },
    /// To `RetireNode`.
    NodeRetired,
    /// To `Announce`.
    Announced,
    /// To everything about a rollout: where it stands now.
    Rollout {
        /// Which.
        rollout: u64,
        /// How far it is.
        state: RolloutState,
        /// Its last open stage.
        stage: u32,
    },
}

/// The result of one operation of a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OperationResult {
    /// To `Register`.
    Registered {
        /// The fencing token.
        epoch: Epoch,
        /// What was replaced.
        displaced: Option<Box<Holder>>,
    },
    /// To `Unregister`, `Bind`, `Unbind`.
    Done,
    /// A decision against.
    Refused(Box<Rejection>),
}

/// Who holds a session, in brief.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The owner's kind.
    pub service: Arc<str>,
    /// The owner's name.
    pub instance: Arc<str>,
    /// Which life of it.
    pub incarnation: Incarnation,
    /// Its name for the connection.
    pub connection: Bytes,
    /// Of the registration.
    pub epoch: Epoch,
}

/// A session that was ended by a kick.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kicked {
    /// Which.
    pub key: SessionKey,
    /// Who held it.
    pub holder: Holder,
}

/// A decision against, with its reason and what would be right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rejection {
    /// The history has begun already.
    AlreadyFounded(StateId),
    /// A name, list or text over its limit. `field` as in the wire's messages, `limit` names the constant.
    TooLarge {
        /// What was too large.
        field: &'static str,
        /// How large.
        actual: u64,
        /// How large it may be.
        limit: u64,
    },
    /// A number outside of what is allowed.
    OutOfRange {
        /// Which.
        field: &'static str,
        /// The one given.
        actual: u64,
        /// The smallest allowed.
        min: u64,
        /// The largest allowed.
        max: u64,
    },
    /// A name that is empty or has characters outside its alphabet.
    BadName {
        /// Which.
        field: &'static str,
    },
    /// The same thing twice in one request.
    Repeated {
        /// What.
        field: &'static str,
    },
    /// Epochs of another history.
    ForeignState {
        /// The present one.
        present: StateId,
    },
    /// No open incarnation of this number.
    IncarnationClosed(Incarnation),
    /// A frame out of order.
    SequenceGap {
        /// What would be right.
        expected: u64,
    },
    /// A frame whose answer is no longer kept.
    ReplyForgotten {
        /// The last frame taken.
        last: u64,
    },
    /// A request id whose answer was taken by a request of another kind.
    RequestIdReused,
    /// The epoch is not that of the present session; its holder, if there is one.
    StaleEpoch(Option<Holder>),
    /// A lower `conn_seq` than the present session's.
    StaleConnSeq {
        /// The one given.
        given: u64,
        /// The present one.
        present: u64,
        /// Who holds the session.
        holder: Holder,
    },
    /// The user has `limits::SLOTS_PER_USER_MAX` live sessions.
    TooManySlots {
        /// How many may be.
        limit: u64,
    },
    /// The session is not bound to a topic to be unbound.
    NotBound {
        /// The topic.
        topic: Bytes,
    },
    /// Nobody to act on.
    NotFound {
        /// What was looked for.
        what: &'static str,
    },
    /// A compare-and-set that did not hold.
    RevisionMismatch {
        /// Which document.
        path: String,
        /// What was expected.
        expected: Revision,
        /// What is; `Revision(0)`: there is no such document.
        present: Revision,
    },
    /// Something has moved since the publish was judged by it.
    Moved {
        /// As it was looked at.
        what: Witness,
        /// Where it stands.
        present: Revision,
    },
    /// The document is part of a rollout that is under way.
    RollingOut {
        /// Which document.
        path: String,
        /// Which rollout.
        rollout: u64,
    },
    /// The rollout is not where it was thought to be.
    RolloutIs {
        /// Which.
        rollout: u64,
        /// How far it is.
        state: RolloutState,
        /// Its last open stage.
        stage: u32,
    },
    /// The disks have no room for the state to grow.
    Shortage(Shortage),
    /// It comes with a feature level that the cluster has not reached.
    LevelTooLow {
        /// The level it comes with.
        needed: Level,
        /// The cluster's.
        present: Level,
    },
    /// The session policy allows no more.
    Quota {
        /// Which bound: "topics.NAME.sessions_max", "instance_sessions_max", "instances.SERVICE/ID".
        limit: Arc<str>,
        /// How many there are.
        present: u64,
        /// How many may be.
        max: u64,
    },
    /// The state holds as many of these as it may.
    Full {
        /// Of what.
        what: &'static str,
        /// How many it may hold.
        limit: u64,
    },
}

/// Something a watcher may want to look at. Level-triggered: it says where to look, not what was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The set of open instances changed.
    Instances,
    /// Incarnation closed: leases and streams of it end.
    IncarnationClosed(Incarnation),
    /// A document changed.
    Config {
        /// Which.
        path: Arc<str>,
    },
    /// There are notices for an incarnation.
    Notice(Incarnation),
    /// There are presence facts.
    Presence,
    /// A kick by selector began or ended.
    Kick,
    /// The registry began to be filled again, went on with it, or is whole.
    Rebuild,
    /// A rollout began, went a step on, or ended: what instances are to run with may have changed.
    Rollout(u64),
    /// There are controls for an incarnation.
    Control(Incarnation),
}
