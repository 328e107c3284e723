//! What a backup says of itself.

use bytes::Bytes;
use keeper_registry::{Level, LogTime, Revision, StateId};

use crate::codec::{DecodeError, Input, Output};

const FIRST: u8 = 1;

/// Since which it names the feature level.
const LEVELS: u8 = 2;

/// Whose state it is, and of when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The cluster's name.
    pub cluster: String,
    /// The node that gave it.
    pub node: u64,
    /// The version of that node's program.
    pub program: String,
    /// The cluster's feature level.
    pub level: Level,
    /// The wall clock of that node, in Unix milliseconds; for people.
    pub taken_at_ms: u64,
    /// The history of the state.
    pub state: StateId,
    /// It holds everything up to this revision.
    pub revision: Revision,
    /// Log time as of that revision.
    pub time: LogTime,
    /// Sessions in it, those that linger or wait to be swept among them.
    pub sessions: u64,
    /// Size of the snapshot behind it.
    pub snapshot_bytes: u64,
}

impl Head {
    /// As it is written.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let is_first = self.level < Level::NAMED;
        let mut output = Output::versioned(if is_first { FIRST } else { LEVELS }, 128);
        if !is_first {
            output.u32(self.level.0);
        }
        output.str(&self.cluster);
        output.u64(self.node);
        output.str(&self.program);
        output.u64(self.taken_at_ms);
        output.u64(self.state.0);
        output.u64(self.revision.0);
        output.u64(self.time.0);
        output.u64(self.sessions);
        output.u64(self.snapshot_bytes);
        output.finish()
    }

    /// Reads what was written.
    ///
    /// # Errors
    /// The bytes are something else.
    pub fn decode(bytes: Bytes) -> Result<Self, DecodeError> {
        let (version, mut input) = Input::versioned("the head of a backup", LEVELS, bytes)?;
        let level = if version >= LEVELS { Level(input.u32()?) } else { Level::FIRST };
        if version >= LEVELS && level < Level::NAMED {
            return Err(DecodeError::OutOfRange { what: "the level of a backup", at: input.position() });
        }
        let head = Self {
            level,
            cluster: input.str()?,
            node: input.u64()?,
            program: input.str()?,
            taken_at_ms: input.u64()?,
            state: StateId(input.u64()?),
            revision: Revision(input.u64()?),
            time: LogTime(input.u64()?),
            sessions: input.u64()?,
            snapshot_bytes: input.u64()?,
        };
        input.finish()?;
        Ok(head)
    }
}
