//! One connection, for as long as it is held.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use tokio::sync::oneshot;

use crate::{
    Epoch, Error, SessionKey,
    gateway::{
        entry::{ChangeKind, Phase, Slot, TopicChange},
        gateway::Shared,
        table,
    },
    session::registration::check_topics,
};

/// A connection that is kept registered while this handle lives; see [`Gateway::connect`](crate::Gateway::connect).
///
/// Dropping it says that the connection dropped: the session lingers for its grace. [`close`](Self::close) says that
/// the device left. After its session has [ended](crate::GatewayEvent) letting go of it says that the connection is
/// closed; that is what tells the admin who kicked it.
pub struct Connection {
    shared: Arc<Shared>,
    slot: Slot,
    is_held: bool,
}

impl Connection {
    pub(super) const fn new(shared: Arc<Shared>, slot: Slot) -> Self {
        Self { shared, slot, is_held: true }
    }

    /// Whose it is.
    #[must_use]
    pub fn key(&self) -> SessionKey {
        let key = |table: &table::Table| table.slots.get(self.slot).map(|entry| entry.packed.key());
        self.shared.desk.read(key).unwrap_or_else(|| SessionKey::trusted(Bytes::new(), Bytes::new()))
    }

    /// The fencing token of its registration in the present life; none while it is not registered. A lookup at least at
    /// its revision finds the session.
    #[must_use]
    pub fn epoch(&self) -> Option<Epoch> {
        self.shared.desk.read(|table| {
            let entry = table.slots.get(self.slot)?;
            (entry.is_wanted() && table.stands(entry)).then_some(entry.epoch)
        })
    }

    /// Binds topics, in this life and the next ones. A future that is dropped may still bind them.
    ///
    /// # Errors
    /// [`Error::Refused`] when a quota or the number of topics is against it, or the session is somebody else's;
    /// [`Error::Ended`] when it has ended.
    pub async fn bind(&self, topics: Vec<Bytes>) -> Result<(), Error> {
        self.change(ChangeKind::Bind, topics).await
    }

    /// Unbinds topics.
    ///
    /// # Errors
    /// As [`bind`](Self::bind); [`Error::Refused`] when one of them is not bound.
    pub async fn unbind(&self, topics: Vec<Bytes>) -> Result<(), Error> {
        self.change(ChangeKind::Unbind, topics).await
    }

    /// The device left: it is offline at once. Resolves when the registry knows; happens also when nobody waits for it.
    pub async fn close(self) {
        self.give_up(Phase::Left).await;
    }

    /// The connection dropped: the session lingers for the grace of its topics. Resolves when the registry knows;
    /// dropping the handle does the same without waiting.
    pub async fn dropped(self) {
        self.give_up(Phase::Dropped).await;
    }

    async fn give_up(mut self, phase: Phase) {
        let (leaving, left) = oneshot::channel();
        self.is_held = false;
        self.shared.desk.change(|table| table.release(self.slot, phase, Some(leaving)));
        tokio::select! {
            // An end of the channel says as well that nothing of it remains.
            _ = left => {}
            () = self.shared.desk.over() => {}
        }
    }

    async fn change(&self, kind: ChangeKind, topics: Vec<Bytes>) -> Result<(), Error> {
        check_topics(&topics, 1)?;
        let (answer, answered) = oneshot::channel();
        self.shared.desk.change(|table| table.change_topics(self.slot, TopicChange { kind, topics, answer }));
        answered.await.unwrap_or_else(|_| Err(table::over()))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if self.is_held {
            self.shared.desk.change(|table| table.release(self.slot, Phase::Dropped, None));
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (key, epoch) = (self.key().to_string(), self.epoch().map(|it| it.to_string()));
        formatter.debug_struct("Connection").field("key", &key).field("epoch", &epoch).finish()
    }
}
