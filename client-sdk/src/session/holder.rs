//! Who holds a session, in brief.

use bytes::Bytes;

use crate::Epoch;

/// Who holds a session, in brief.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The owner's kind.
    pub service: String,
    /// The owner's name.
    pub instance: String,
    /// Which life of it.
    pub incarnation: u64,
    /// Its own name for the connection.
    pub connection: Bytes,
    /// Of the registration.
    pub epoch: Epoch,
}
