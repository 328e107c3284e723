//! How a process describes itself before it opens its lease.

use std::{sync::Arc, time::Duration};

use keeper_proto::v1::{OpenInstanceRequest, instances_client::InstancesClient};
use tokio::time::Instant;

use crate::{
    Error, Instance,
    connection::{Aim, Nodes, Retry},
    instance::Renewals,
    tasks::Tasks,
};

/// A process about to be opened; see [`Keeper::instance`](crate::Keeper::instance).
#[derive(Debug, Clone)]
#[must_use]
pub struct InstanceBuilder {
    nodes: Arc<Nodes>,
    tasks: Arc<Tasks>,
    renewals: Arc<Renewals>,
    request: OpenInstanceRequest,
}

impl InstanceBuilder {
    pub(crate) fn new(
        nodes: Arc<Nodes>,
        tasks: Arc<Tasks>,
        renewals: Arc<Renewals>,
        service: String,
        id: String,
    ) -> Self {
        Self { nodes, tasks, renewals, request: OpenInstanceRequest { service, id, ..Default::default() } }
    }

    /// Adds an address where this process is reached: at most 8.
    pub fn endpoint(mut self, endpoint: impl Into<String>) -> Self {
        self.request.endpoints.push(endpoint.into());
        self
    }

    /// Where this process stands.
    pub fn zone(mut self, zone: impl Into<String>) -> Self {
        self.request.zone = zone.into();
        self
    }

    /// Share of traffic this process asks for.
    pub const fn weight(mut self, weight: u32) -> Self {
        self.request.weight = weight;
        self
    }

    /// Adds a word about this process: at most 16.
    pub fn label(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.request.labels.insert(name.into(), value.into());
        self
    }

    /// Of this program.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.request.version = version.into();
        self
    }

    /// How long this process may stay silent: 1 second to 10 minutes, 10 seconds when not set.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.request.ttl_ms = u32::try_from(ttl.as_millis()).unwrap_or(u32::MAX);
        self
    }

    /// Opens the lease, exactly once; an open instance of the same name is closed by it.
    ///
    /// # Errors
    /// [`Error::Refused`] when a name or number is outside its limits; otherwise as [`Error`] says.
    pub async fn open(self) -> Result<Instance, Error> {
        let Self { nodes, tasks, renewals, mut request } = self;
        request.request_id = nodes.random.request_id();
        let (service, id) = (request.service.clone(), request.id.clone());
        // Before the first try: the lease may have begun with any of them.
        let sent_at = Instant::now();
        let method = |channel, request| async move { InstancesClient::new(channel).open(request).await };
        let opened = nodes.call("instance open", Aim::Leader, Retry::Safe, request, method).await?;
        let ttl = Duration::from_millis(u64::from(opened.ttl_ms));
        let lost = renewals.hold(opened.incarnation, opened.state_id, ttl, sent_at);
        tracing::info!(service, id, incarnation = opened.incarnation, "instance opened");
        Ok(Instance::new(nodes, tasks, renewals, service, id, &opened, lost))
    }
}
