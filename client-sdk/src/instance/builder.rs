//! How a process describes itself before it opens its lease.

use std::{sync::Arc, time::Duration};

use keeper_proto::v1::{OpenInstanceRequest, instances_client::InstancesClient};
use tokio::time::Instant;

use crate::{
    Error, GatewayBuilder, Instance, InstanceInfo, Instances,
    connection::{Aim, Nodes, Retry},
    instance::{Renewals, lease::LeaseId},
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

    /// This process held sessions in a former history of the state and will register `total` of them again: the
    /// registry is not whole before it has. A [`Gateway`](crate::Gateway) says so by itself.
    pub const fn formerly(mut self, state_id: u64, total: u64) -> Self {
        self.request.former_state_id = state_id;
        self.request.flush_total = total;
        self
    }

    /// Holds the lease by a gateway, which opens it anew whenever it is lost.
    pub fn gateway(self) -> GatewayBuilder {
        GatewayBuilder::new(self)
    }

    /// Opens the lease, exactly once; an open instance of the same name is closed by it.
    ///
    /// # Errors
    /// [`Error::Refused`] when a name or number is outside its limits; otherwise as [`Error`] says.
    pub async fn open(self) -> Result<Instance, Error> {
        self.once().open_once().await
    }

    /// The same request however often it is tried: one lease comes of it, also when an answer was lost.
    pub(crate) fn once(mut self) -> Self {
        self.request.request_id = self.nodes.random.request_id();
        self
    }

    pub(crate) async fn open_once(self) -> Result<Instance, Error> {
        let Self { nodes, tasks, renewals, request } = self;
        let (service, name) = (request.service.clone(), request.id.clone());
        // Before the first try: the lease may have begun with any of them.
        let sent_at = Instant::now();
        let method = |channel, request| async move { InstancesClient::new(channel).open(request).await };
        let opened = nodes.call("instance open", Aim::Leader, Retry::Safe, request, method).await?;
        let ttl = Duration::from_millis(u64::from(opened.ttl_ms));
        let id = LeaseId { state_id: opened.state_id, incarnation: opened.incarnation };
        let lost = renewals.hold(id, ttl, sent_at);
        tracing::info!(service, id = name, incarnation = opened.incarnation, "instance opened");
        Ok(Instance::new(nodes, tasks, renewals, service, name, &opened, lost))
    }

    /// The lease that lives under this name now, whoever holds it.
    pub(crate) async fn living(&self) -> Result<Option<InstanceInfo>, Error> {
        Instances::new(self.nodes.clone()).get(&self.request.service, &self.request.id).await
    }

    /// Service and id.
    pub(crate) fn name(&self) -> (&str, &str) {
        (&self.request.service, &self.request.id)
    }

    pub(crate) fn nodes(&self) -> &Arc<Nodes> {
        &self.nodes
    }

    pub(crate) fn tasks(&self) -> &Arc<Tasks> {
        &self.tasks
    }
}
