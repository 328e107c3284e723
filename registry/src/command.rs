//! Everything that can be asked of the state.
//!
//! Byte strings are [`Bytes`]: on the leader they share the buffer the client's frame arrived in, on followers the
//! buffer of the log entry, so that nothing is copied before it is stored.

use bytes::Bytes;

use crate::{
    AdvanceRollout, Announce, Epoch, Incarnation, Level, NoticeCursor, PromoteRollout, Publish, Shortage, StartRollout,
    StateId, StepRollout, StopRollout, numbered::numbered,
};

/// One change of the state. A log entry carries a list of these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Begins a history: sets the state id. Proposed once, by the leader that finds a state without one; refused when
    /// the state has one already.
    Found(StateId),
    /// Session operations of one gateway, exactly once.
    Frame(Frame),
    /// The same while the disks have no room for more: operations that would make the state grow are refused, each at
    /// its place, and the others are done.
    FrameSparing(Frame, Shortage),
    /// Ends sessions of a user, or begins to end all that match.
    Kick(Kick),
    /// Ends at most `limits::KICK_SLICE` sessions of the oldest kick under way.
    KickStep,
    /// Opens an incarnation.
    OpenInstance(OpenInstance),
    /// Closes an incarnation at its own or an admin's wish.
    CloseInstance(CloseInstance),
    /// Closes an incarnation whose lease ran out. Proposed by the leader alone; a deposed leader's proposal lies in the
    /// log before the first entry of its successor, and so before any renewal the successor acknowledges.
    Expire(Incarnation),
    /// Settles what is due, at most `limits::SWEEP_SLICE` rows of it: sessions of closed incarnations, lingering ones
    /// whose grace has passed, the end of a rebuild.
    Sweep,
    /// Stops waiting for gateways that will not come back.
    GiveUp(GiveUp),
    /// Begins another history with what a backup held: proposed once, by the leader of a restored cluster.
    Restore(StateId),
    /// Publishes documents, all or none.
    Publish(Publish),
    /// Says which documents an incarnation reads.
    Announce(Announce),
    /// Begins to roll changes out.
    StartRollout(StartRollout),
    /// Opens the next stage of a rollout.
    AdvanceRollout(AdvanceRollout),
    /// Opens no further stage of a rollout until it is resumed.
    PauseRollout(StepRollout),
    /// Goes on with a rollout.
    ResumeRollout(StepRollout),
    /// Ends a rollout, and nobody has its changes.
    StopRollout(StopRollout),
    /// Ends a rollout, and everybody has its changes.
    PromoteRollout(PromoteRollout),
    /// Addresses an action to instances.
    SendControl(SendControl),
    /// An instance's answer to an action.
    AcknowledgeControl(AcknowledgeControl),
    /// Gives a number to a node that joins the cluster: the next above every one given, and above this one.
    ReserveNode(u64),
    /// Counts a number among those given, because the member that brought it along is about to leave.
    RetireNode(u64),
    /// Raises the cluster's feature level. Proposed by the leader alone, once every member can read what comes with it.
    RaiseLevel(RaiseLevel),
}

impl Command {
    /// The feature level it comes with: it is not proposed below.
    #[must_use]
    pub fn level(&self) -> Level {
        let has_layers = if let Self::Publish(publish) = self { publish.has_layers() } else { false };
        if has_layers { Level::CONFIGS } else { self.encoding() }
    }

    /// The feature level that its encoding comes with: it is not taken below, for an older binary does not read it.
    ///
    /// A key with a layer is written as any other. Below its level it is the bad name that it was before, so that what
    /// an older leader proposes is refused by every binary in the same words.
    #[must_use]
    pub fn encoding(&self) -> Level {
        match self {
            Self::Found(_)
            | Self::Frame(_)
            | Self::Kick(_)
            | Self::KickStep
            | Self::OpenInstance(_)
            | Self::CloseInstance(_)
            | Self::Expire(_)
            | Self::Sweep
            | Self::GiveUp(_)
            | Self::Restore(_)
            | Self::SendControl(_)
            | Self::AcknowledgeControl(_)
            // It is what leads out of the first level.
            | Self::RaiseLevel(_) => Level::FIRST,
            Self::FrameSparing(..) | Self::ReserveNode(_) | Self::RetireNode(_) => Level::NAMED,
            Self::Publish(publish) => publish.encoding(),
            Self::Announce(_)
            | Self::StartRollout(_)
            | Self::AdvanceRollout(_)
            | Self::PauseRollout(_)
            | Self::ResumeRollout(_)
            | Self::StopRollout(_)
            | Self::PromoteRollout(_) => Level::CONFIGS,
        }
    }
}

/// Raises the feature level.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RaiseLevel {
    /// The new one.
    pub to: Level,
    /// The release that came with it, for whoever cannot read more than this.
    pub needs: String,
    /// Who asked.
    pub author: String,
}

/// Chosen at random by a client, so that a retried request gets its first answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub [u8; 16]);

/// Names a session: a user, and which of the user's devices.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionKey {
    /// 1 to `limits::USER_BYTES_MAX` bytes.
    pub user: Bytes,
    /// 0 to `limits::SLOT_BYTES_MAX` bytes.
    pub slot: Bytes,
}

/// Operations of one incarnation, numbered 1, 2, 3 ...
///
/// `sequence` one above the last taken: applied. At or below it: the answer given before is given again, if it is among
/// the last `limits::FRAME_REPLIES_KEPT`. Above that: refused as a gap, and nothing changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Who asks.
    pub incarnation: Incarnation,
    /// Where in the order of its frames.
    pub sequence: u64,
    /// The history that the epochs in `operations` come from.
    pub state: StateId,
    /// At most `limits::FRAME_OPERATIONS_MAX`.
    pub operations: Vec<SessionOperation>,
    /// Notices up to here have been acted upon.
    pub confirmed: Option<NoticeCursor>,
    /// How many sessions of a former history are still to be registered again.
    pub flush_remaining: Option<u64>,
}

/// One operation on one session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionOperation {
    /// Takes the key for the frame's incarnation.
    Register(Register),
    /// Gives it up.
    Unregister(Unregister),
    /// Adds topics to a session.
    Bind(BindTopics),
    /// Removes topics from a session.
    Unbind(BindTopics),
}

impl SessionOperation {
    /// Which session it is about.
    #[must_use]
    pub const fn key(&self) -> &SessionKey {
        match self {
            Self::Register(register) => &register.key,
            Self::Unregister(unregister) => &unregister.key,
            Self::Bind(bind) | Self::Unbind(bind) => &bind.key,
        }
    }
}

/// Takes a key. Newest wins by log order, except that a lower `conn_seq` never displaces a higher one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Register {
    /// Which session.
    pub key: SessionKey,
    /// The gateway's own name for the connection: at most `limits::CONNECTION_BYTES_MAX`.
    pub connection: Bytes,
    /// The device's own count of its connections.
    pub conn_seq: Option<u64>,
    /// At most `limits::TOPICS_PER_SESSION_MAX`, each 1 to `limits::TOPIC_BYTES_MAX` bytes.
    pub topics: Vec<Bytes>,
    /// Opaque here: at most `limits::ATTRIBUTES_BYTES_MAX`.
    pub attributes: Bytes,
    /// The epoch the connection had in a former history: it is claimed again, not made.
    pub flushed: Option<Epoch>,
}

/// Gives a key up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unregister {
    /// Which session.
    pub key: SessionKey,
    /// Of the registration meant; a stale one changes nothing.
    pub epoch: Epoch,
    /// Why.
    pub cause: UnregisterCause,
}

numbered! {
    /// Why a key is given up.
    pub enum UnregisterCause {
        /// The device said good-bye: offline at once.
        Left = 1,
        /// The connection dropped: the session lingers for the grace of its topics.
        Lost = 2,
    }
}

/// Adds or removes topics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BindTopics {
    /// Which session.
    pub key: SessionKey,
    /// Of the registration meant; a stale one changes nothing.
    pub epoch: Epoch,
    /// Each 1 to `limits::TOPIC_BYTES_MAX` bytes.
    pub topics: Vec<Bytes>,
}

/// Ends sessions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kick {
    /// Which.
    pub target: KickTarget,
    /// Told to the gateway.
    pub reason: String,
    /// Who asked.
    pub author: String,
    /// For exactly-once.
    pub request: Option<RequestId>,
}

/// Which sessions a kick ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KickTarget {
    /// Those of a user, at once.
    User {
        /// Whose.
        user: Bytes,
        /// Which device; every one when absent.
        slot: Option<Bytes>,
    },
    /// All that match and were registered before, in slices.
    Matching(SessionSelector),
}

/// Which sessions: those that match every part given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionSelector {
    /// Bound to this topic.
    pub topic: Option<Bytes>,
    /// Held by the open incarnation of (service, id).
    pub instance: Option<(String, String)>,
    /// Of users that begin with these bytes.
    pub user_prefix: Bytes,
    /// With this slot.
    pub slot: Option<Bytes>,
}

/// Stops waiting for gateways while the registry is filled again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GiveUp {
    /// Which, as (service, id); none: whatever was to come, the registry is whole.
    pub instances: Vec<(String, String)>,
    /// Who asked.
    pub author: String,
}

/// Opens an incarnation of (service, id). An open one of that name is closed by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenInstance {
    /// Kind of process.
    pub service: String,
    /// Which one.
    pub id: String,
    /// Where it is reached.
    pub endpoints: Vec<String>,
    /// Where it stands.
    pub zone: String,
    /// Share of traffic it asks for.
    pub weight: u32,
    /// Sorted by name, names unique.
    pub labels: Vec<(String, String)>,
    /// Of its program.
    pub version: String,
    /// How long it may stay silent.
    pub ttl_ms: u32,
    /// The former history it held sessions in, if it will register them again.
    pub former_state: Option<StateId>,
    /// How many sessions it will register again.
    pub flush_total: u64,
    /// For exactly-once.
    pub request: Option<RequestId>,
}

/// Closes an incarnation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloseInstance {
    /// Which.
    pub incarnation: Incarnation,
    /// Told to watchers.
    pub reason: String,
}

/// Addresses an action to every open instance of a service, or to one of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendControl {
    /// Which service.
    pub service: String,
    /// Which instance; all when empty.
    pub id: String,
    /// What to do.
    pub action: String,
    /// The application's to read.
    pub argument: Bytes,
    /// How long it is worth doing, from the stamp's time.
    pub deadline_ms: u32,
    /// Who asked.
    pub author: String,
    /// For exactly-once.
    pub request: Option<RequestId>,
}

/// An instance's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcknowledgeControl {
    /// Which action: the revision that sent it.
    pub control: u64,
    /// Who answers.
    pub incarnation: Incarnation,
    /// Whether it was done.
    pub done: bool,
    /// Why not.
    pub message: String,
}
