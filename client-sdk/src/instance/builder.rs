//! How a process describes itself before it opens its lease.

use std::{sync::Arc, time::Duration};

use keeper_proto::v1::{OpenInstanceRequest, instances_client::InstancesClient};
use schemars::JsonSchema;
use tokio::time::Instant;

use crate::{
    ConfigBuilder, Error, GatewayBuilder, Instance, InstanceInfo, Instances, Reader,
    config::{Readers, Reading},
    connection::{Aim, Nodes, Retry},
    instance::{LeaseId, Life, Renewals},
    tasks::Tasks,
};

/// A process about to be opened; see [`Keeper::instance`](crate::Keeper::instance).
#[derive(Debug, Clone)]
#[must_use]
pub struct InstanceBuilder {
    nodes: Arc<Nodes>,
    tasks: Arc<Tasks>,
    renewals: Arc<Renewals>,
    readers: Arc<Readers>,
    request: OpenInstanceRequest,
}

impl InstanceBuilder {
    pub(crate) fn new(
        nodes: Arc<Nodes>,
        tasks: Arc<Tasks>,
        renewals: Arc<Renewals>,
        readers: Arc<Readers>,
        service: String,
        id: String,
    ) -> Self {
        Self { nodes, tasks, renewals, readers, request: OpenInstanceRequest { service, id, ..Default::default() } }
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

    /// Reads a document as this instance: with the layers for its service, zone and labels, and with the candidates of
    /// a rollout that has reached it. The type's schema is announced, so that nobody publishes what it cannot read, and
    /// what becomes of each change is acknowledged.
    ///
    /// It may be read before the instance is opened, and goes on being read from one incarnation to the next. Before
    /// the first there are no candidates: who needs them from the first moment opens the instance first.
    ///
    /// ```no_run
    /// # async fn run() -> Result<(), keeper_client_sdk::Error> {
    /// use keeper_client_sdk::{Keeper, LastKnownGood};
    /// use schemars::JsonSchema;
    /// use serde::Deserialize;
    ///
    /// #[derive(Deserialize, JsonSchema)]
    /// #[serde(deny_unknown_fields)]
    /// struct Room {
    ///     #[schemars(range(min = 1, max = 65_535))]
    ///     max_inflight: u32,
    ///     /// The process listens there from its start on.
    ///     #[schemars(extend("x-keeper-restart" = true))]
    ///     port: u16,
    /// }
    ///
    /// let keeper = Keeper::builder().endpoint("10.0.0.1:7400").endpoint("10.0.0.2:7400").build()?;
    /// let room = keeper.instance("room", "room-1").zone("eu-1").label("ring", "canary").version("1.4.2");
    /// let mut config = room
    ///     .config::<Room>("push/room.toml")
    ///     .validate(|room| if room.port == 22 { Err("that is sshd's".into()) } else { Ok(()) })
    ///     .last_known_good(LastKnownGood::in_folder("/var/lib/room"))
    ///     .await?;
    /// let (gateway, events) = room.gateway().start();
    /// loop {
    ///     match config.changed().await {
    ///         Ok(change) if change.needs_restart.is_empty() => println!("running with {:?}", change.fields),
    ///         Ok(change) => println!("restart for {:?}", change.needs_restart),
    ///         Err(error) if error.reason() == "misfit" => println!("the running value stays: {error}"),
    ///         Err(error) => return Err(error),
    ///     }
    /// }
    /// # }
    /// ```
    pub fn config<T: JsonSchema>(&self, path: impl Into<String>) -> ConfigBuilder<T> {
        self.reading().config(path.into()).described()
    }

    /// As [`config`](Self::config), of a type that does not describe itself: any value may be published for it, unless
    /// [a schema](ConfigBuilder::schema) is given, and what it cannot read it refuses afterwards.
    pub fn config_of_any<T>(&self, path: impl Into<String>) -> ConfigBuilder<T> {
        self.reading().config(path.into())
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
        let reading = self.reading();
        let Self { nodes, renewals, readers, request, .. } = self;
        let (service, name) = (request.service.clone(), request.id.clone());
        // Before the first try: the lease may have begun with any of them.
        let sent_at = Instant::now();
        let method = |channel, request| async move { InstancesClient::new(channel).open(request).await };
        let opened = nodes.call("instance open", Aim::Leader, Retry::Safe, request, method).await?;
        let ttl = Duration::from_millis(u64::from(opened.ttl_ms));
        let id = LeaseId { state_id: opened.state_id, incarnation: opened.incarnation };
        let lost = renewals.hold(id, ttl, sent_at);
        readers.opened(&service, &name, Life { id, revision: opened.revision, lost: lost.clone() });
        tracing::info!(service, id = name, incarnation = opened.incarnation, "instance opened");
        Ok(Instance::new(nodes, renewals, reading, &opened, lost))
    }

    fn reading(&self) -> Reading {
        let OpenInstanceRequest { service, id, zone, labels, .. } = self.request.clone();
        let reader = Reader { service, id, zone, labels: labels.into_iter().collect() };
        Reading { tasks: self.tasks.clone(), readers: self.readers.clone(), reader }
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
