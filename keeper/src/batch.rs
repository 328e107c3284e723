//! The payload of a log entry: commands of many clients under one stamp of time.
//!
//! A batch is encoded once, by the leader that proposes it; the same bytes go to disk, to the followers and, on them,
//! to apply. The leader keeps the commands it encoded; a follower decodes them once, when it applies.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use keeper_registry::{Command, LogTime, Rejection, Reply};

use crate::codec::{self, DecodeError};

/// The answers to a batch, one a command.
pub type Replies = Vec<Result<Reply, Rejection>>;

/// Commands that enter the log as one entry. Cheap to clone.
#[derive(Clone)]
pub struct Batch {
    encoded: Bytes,
    decoded: Option<Decoded>,
}

/// The commands of a batch and when they were proposed.
#[derive(Clone)]
pub struct Decoded {
    /// The time the leader stamped.
    pub time: LogTime,
    /// In the order proposed.
    pub commands: Arc<[Command]>,
}

impl Batch {
    /// Encodes commands into the payload of an entry.
    #[must_use]
    pub fn new(time: LogTime, commands: Vec<Command>) -> Self {
        let encoded = codec::batch::encode(time, &commands);
        Self { encoded, decoded: Some(Decoded { time, commands: commands.into() }) }
    }

    /// A batch as it came from disk or from a peer; decoded when it is applied.
    #[must_use]
    pub const fn from_encoded(encoded: Bytes) -> Self {
        Self { encoded, decoded: None }
    }

    /// The bytes that are stored and sent.
    #[must_use]
    pub const fn encoded(&self) -> &Bytes {
        &self.encoded
    }

    /// The commands.
    ///
    /// # Errors
    /// The bytes are not a batch that this version can read.
    pub fn decode(&self) -> Result<Decoded, DecodeError> {
        match &self.decoded {
            Some(decoded) => Ok(decoded.clone()),
            None => codec::batch::decode(&self.encoded),
        }
    }
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Display for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "batch of {} bytes", self.encoded.len())
    }
}
