//! A session as a lookup finds it, and the instance that holds it.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;

use crate::{Epoch, SessionKey};

/// A live session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Its name.
    pub key: SessionKey,
    /// Who holds it; shared by all sessions of one answer.
    pub owner: Arc<Owner>,
    /// The owner's own name for the connection.
    pub connection: Bytes,
    /// The fencing token.
    pub epoch: Epoch,
    /// The device's own count of its connections, when it gave one.
    pub conn_seq: Option<u64>,
    /// Bound on this connection.
    pub topics: Vec<Bytes>,
    /// Network, client version, address ...
    pub attributes: BTreeMap<String, String>,
    /// Log time, Unix milliseconds.
    pub registered_at_ms: u64,
}

impl Session {
    /// When it was registered, by log time.
    #[must_use]
    pub fn registered_at(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(self.registered_at_ms)
    }
}

/// The instance that holds a session, and where to reach it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// Its kind.
    pub service: String,
    /// Its name.
    pub instance: String,
    /// Which life of it.
    pub incarnation: u64,
    /// Where it is reached.
    pub endpoints: Vec<String>,
    /// Where it stands.
    pub zone: String,
}
