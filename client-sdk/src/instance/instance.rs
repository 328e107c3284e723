//! This process's own lease.

use std::{
    future::Future,
    sync::{Arc, OnceLock},
    time::Duration,
};

use keeper_proto::v1::OpenInstanceReply;
use schemars::JsonSchema;
use tokio::{sync::watch, time::Instant};

use crate::{
    ConfigBuilder, Error, Lost,
    config::Reading,
    connection::Nodes,
    instance::{LeaseId, Renewals, renewals::close},
    session::Registrar,
};

/// A lease held by this process. Renewed in the background; dropping it closes it as soon as the network allows,
/// [`close`](Self::close) waits for that. When the client ends together with it, nobody is left to close it and it
/// expires.
///
/// An `Instance` is one life: when it is [`lost`](Self::lost), open a new one and register again.
#[derive(Debug)]
pub struct Instance {
    nodes: Arc<Nodes>,
    renewals: Arc<Renewals>,
    reading: Reading,
    incarnation: u64,
    state_id: u64,
    revision: u64,
    ttl: Duration,
    lost: watch::Receiver<Option<Lost>>,
    registrar: OnceLock<Registrar>,
}

impl Instance {
    pub(crate) fn new(
        nodes: Arc<Nodes>,
        renewals: Arc<Renewals>,
        reading: Reading,
        opened: &OpenInstanceReply,
        lost: watch::Receiver<Option<Lost>>,
    ) -> Self {
        Self {
            nodes,
            renewals,
            reading,
            incarnation: opened.incarnation,
            state_id: opened.state_id,
            revision: opened.revision,
            ttl: Duration::from_millis(u64::from(opened.ttl_ms)),
            lost,
            registrar: OnceLock::new(),
        }
    }

    /// Kind of process.
    #[must_use]
    pub fn service(&self) -> &str {
        &self.reading.reader.service
    }

    /// Its name.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.reading.reader.id
    }

    /// Which life of it.
    #[must_use]
    pub const fn incarnation(&self) -> u64 {
        self.incarnation
    }

    /// Names the history of the state this life belongs to: another one means that the registry was rebuilt.
    #[must_use]
    pub const fn state_id(&self) -> u64 {
        self.state_id
    }

    /// Of the log entry that opened it.
    #[must_use]
    pub const fn revision(&self) -> u64 {
        self.revision
    }

    /// How long it may stay silent.
    #[must_use]
    pub const fn ttl(&self) -> Duration {
        self.ttl
    }

    /// Whether the lease is believed to be held now.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.lost.borrow().is_none()
    }

    /// Until when the lease is held even if no further renewal succeeds: a TTL after the last acknowledged one was
    /// sent. None when it has ended.
    #[must_use]
    pub fn held_until(&self) -> Option<Instant> {
        self.renewals.until(self.lease())
    }

    /// Resolves when the lease has ended, with the reason.
    pub fn lost(&self) -> impl Future<Output = Lost> + Send + use<> {
        let lost = self.lost.clone();
        async move { wait_lost(lost).await }
    }

    /// Reads a document as this instance; see [`InstanceBuilder::config`](crate::InstanceBuilder::config).
    pub fn config<T: JsonSchema>(&self, path: impl Into<String>) -> ConfigBuilder<T> {
        self.reading.config(path.into()).described()
    }

    /// Reads a document as this instance, by a type that does not describe itself; see
    /// [`InstanceBuilder::config_of_any`](crate::InstanceBuilder::config_of_any).
    pub fn config_of_any<T>(&self, path: impl Into<String>) -> ConfigBuilder<T> {
        self.reading.config(path.into())
    }

    /// Ends the lease: none of its sessions answers as live from then on.
    ///
    /// # Errors
    /// As [`Error`] says; the lease is not renewed any more in any case.
    pub async fn close(self) -> Result<(), Error> {
        if self.is_held() {
            self.renewals.forget(self.lease());
            close(&self.nodes, self.lease()).await?;
        }
        Ok(())
    }

    const fn lease(&self) -> LeaseId {
        LeaseId { state_id: self.state_id, incarnation: self.incarnation }
    }

    pub(crate) fn nodes(&self) -> Arc<Nodes> {
        self.nodes.clone()
    }

    pub(crate) fn registrar(&self) -> Registrar {
        let start = || {
            let lost = self.lost.clone();
            Registrar::start(&self.reading.tasks, self.nodes.clone(), self.incarnation, self.state_id, lost)
        };
        self.registrar.get_or_init(start).clone()
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.renewals.release(self.lease());
    }
}

/// Resolves with the reason; a table that is gone with its client holds nothing either.
pub(crate) async fn wait_lost(mut lost: watch::Receiver<Option<Lost>>) -> Lost {
    match lost.wait_for(Option::is_some).await {
        Ok(reason) => reason.unwrap_or(Lost::Closed),
        Err(_) => Lost::Closed,
    }
}
