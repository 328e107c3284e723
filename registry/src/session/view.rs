//! A live session, as a reader sees it.

use std::sync::Arc;

use bytes::Bytes;

use super::{row::Entry, topic::Topics};
use crate::{Epoch, Holder, Incarnation, LogTime, SessionKey, instance::Instance};

/// A live session: its owner's incarnation is open. Borrows from the state.
#[derive(Debug, Clone, Copy)]
pub struct SessionView<'a> {
    pub(super) entry: Entry<'a>,
    pub(super) owner: &'a Arc<Instance>,
    pub(super) topics: &'a Topics,
}

impl<'a> SessionView<'a> {
    /// Whose it is.
    #[must_use]
    pub fn user(&self) -> &'a [u8] {
        self.entry.user()
    }

    /// Which of the user's devices.
    #[must_use]
    pub fn slot(&self) -> &'a [u8] {
        self.entry.slot()
    }

    /// User and slot, copied.
    #[must_use]
    pub fn key(&self) -> SessionKey {
        SessionKey { user: Bytes::copy_from_slice(self.user()), slot: Bytes::copy_from_slice(self.slot()) }
    }

    /// The gateway that holds it.
    #[must_use]
    pub fn owner(&self) -> &'a Arc<Instance> {
        self.owner
    }

    /// Which life of the gateway.
    #[must_use]
    pub fn incarnation(&self) -> Incarnation {
        self.owner.incarnation
    }

    /// The gateway's own name for the connection.
    #[must_use]
    pub fn connection(&self) -> &'a [u8] {
        self.entry.connection()
    }

    /// The fencing token of the registration.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.entry.row.epoch()
    }

    /// The device's own count of its connections.
    #[must_use]
    pub fn conn_seq(&self) -> Option<u64> {
        self.entry.conn_seq()
    }

    /// The epoch it had in a former history, if it was claimed again from there.
    #[must_use]
    pub fn flushed(&self) -> Option<Epoch> {
        self.entry.flushed()
    }

    /// As given by the gateway.
    #[must_use]
    pub fn attributes(&self) -> &'a [u8] {
        self.entry.attributes()
    }

    /// When it was registered.
    #[must_use]
    pub fn registered_at(&self) -> LogTime {
        self.entry.registered_at()
    }

    /// Names, in the order they were bound.
    pub fn topics(&self) -> impl ExactSizeIterator<Item = &'a [u8]> + use<'a> {
        let topics = self.topics;
        self.entry.topics().map(move |topic| topics.name(topic))
    }

    /// Who holds it, in brief, copied.
    #[must_use]
    pub fn holder(&self) -> Holder {
        Holder {
            service: Arc::clone(&self.owner.service),
            instance: Arc::clone(&self.owner.id),
            incarnation: self.owner.incarnation,
            connection: Bytes::copy_from_slice(self.connection()),
            epoch: self.epoch(),
        }
    }
}
