//! What a gateway registers, and what it gets for it.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::{Epoch, Error, Holder, SessionKey, limits, session::key::within};

/// One connection to be registered.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Registration {
    pub(crate) key: SessionKey,
    pub(crate) connection: Bytes,
    pub(crate) conn_seq: Option<u64>,
    pub(crate) topics: Vec<Bytes>,
    pub(crate) attributes: BTreeMap<String, String>,
    pub(crate) flushed: Option<Epoch>,
}

impl Registration {
    /// Takes `key`.
    pub const fn new(key: SessionKey) -> Self {
        let connection = Bytes::new();
        Self { key, connection, conn_seq: None, topics: Vec::new(), attributes: BTreeMap::new(), flushed: None }
    }

    /// The gateway's own name for the connection: at most [`limits::CONNECTION_BYTES_MAX`] bytes.
    pub fn connection(mut self, name: impl Into<Bytes>) -> Self {
        self.connection = name.into();
        self
    }

    /// The device's own count of its connections: a lower one never displaces a higher. Without it the newest
    /// registration wins.
    pub const fn conn_seq(mut self, count: u64) -> Self {
        self.conn_seq = Some(count);
        self
    }

    /// Binds a topic: at most [`limits::TOPICS_PER_SESSION_MAX`], each 1 to [`limits::TOPIC_BYTES_MAX`] bytes.
    pub fn topic(mut self, topic: impl Into<Bytes>) -> Self {
        self.topics.push(topic.into());
        self
    }

    /// Notes something about the connection: at most [`limits::ATTRIBUTES_MAX`], in all
    /// [`limits::ATTRIBUTES_BYTES_MAX`] bytes.
    pub fn attribute(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.attributes.insert(name.into(), value.into());
        self
    }

    /// The connection is older than the incarnation that registers it, and had this epoch before: it never displaces a
    /// registration that was made meanwhile. A [`Gateway`](crate::Gateway) says so by itself.
    pub const fn flushed(mut self, epoch: Epoch) -> Self {
        self.flushed = Some(epoch);
        self
    }

    /// One operation over its limit would spoil its neighbours' frame, so it is refused before it joins one.
    pub(crate) fn check(&self) -> Result<(), Error> {
        within("connection", self.connection.len(), 0, limits::CONNECTION_BYTES_MAX)?;
        check_topics(&self.topics, 0)?;
        if !self.attributes.is_empty() {
            let bytes = self.attributes.iter().map(|(name, value)| name.len() + value.len()).sum();
            within("attributes", self.attributes.len(), 0, limits::ATTRIBUTES_MAX)?;
            within("attributes", bytes, 0, limits::ATTRIBUTES_BYTES_MAX)?;
        }
        Ok(())
    }
}

pub(crate) fn check_topics(topics: &[Bytes], min: usize) -> Result<(), Error> {
    within("topics", topics.len(), min, limits::TOPICS_PER_SESSION_MAX)?;
    topics.iter().try_for_each(|topic| within("topic", topic.len(), 1, limits::TOPIC_BYTES_MAX))
}

/// A registration that stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registered {
    /// The fencing token: needed to unregister, bind and unbind.
    pub epoch: Epoch,
    /// What it replaced; none when the key was free.
    pub displaced: Option<Box<Holder>>,
    /// Of the log entry: a lookup at least at this revision sees the registration.
    pub revision: u64,
}
