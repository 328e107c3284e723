//! The client itself: where every other handle begins.

use std::sync::Arc;

use tokio::runtime::Handle;

use crate::{
    Builder, Cluster, ConfigBuilder, Configs, Controls, Endpoint, Error, Health, InstanceBuilder, Instances, Lookup,
    Presence, Reader, Rollouts, SessionAdmin, Subscription,
    config::{Readers, Reading},
    connection::{Nodes, Settings, scout},
    instance::Renewals,
    session::Lookups,
    tasks::Tasks,
};

/// A client of one cluster. Cheap to clone; what it does in the background ends with the last clone and the last handle
/// taken from it.
///
/// ```no_run
/// # async fn run() -> Result<(), keeper_client_sdk::Error> {
/// use keeper_client_sdk::{Keeper, Registration, SessionKey};
///
/// let keeper = Keeper::connect(["127.0.0.1:7400"]).await?;
/// let room = keeper.instance("room", "room-1").endpoint("10.0.0.7:7520").open().await?;
/// room.sessions().register(Registration::new(SessionKey::of_user("ann")?)).await?;
/// for session in keeper.lookup().user("ann").await?.found {
///     println!("{:?}", session.owner.endpoints);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Keeper {
    nodes: Arc<Nodes>,
    tasks: Arc<Tasks>,
    lookups: Arc<Lookups>,
    renewals: Arc<Renewals>,
    readers: Arc<Readers>,
}

impl Keeper {
    /// A client that has heard from one of these nodes, each `host:port`, and learnt the others from it.
    ///
    /// # Errors
    /// [`Error::Invalid`] when an endpoint cannot be read; [`Error::Unavailable`] when no node answers within
    /// [`limits::OPERATION_TIMEOUT`](crate::limits::OPERATION_TIMEOUT).
    pub async fn connect(endpoints: impl IntoIterator<Item = impl Into<String>>) -> Result<Self, Error> {
        Self::builder().endpoints(endpoints).connect().await
    }

    /// Everything that can be set.
    pub fn builder() -> Builder {
        Builder::new()
    }

    pub(crate) fn new(endpoints: Vec<Endpoint>, settings: Arc<Settings>) -> Self {
        let tasks = Arc::new(Tasks::new(Handle::current()));
        let nodes = Arc::new(Nodes::new(endpoints, settings));
        let lookups = Arc::new(Lookups::new(nodes.clone(), tasks.clone()));
        let renewals = Arc::new(Renewals::new());
        let readers = Arc::new(Readers::new(nodes.clone(), renewals.clone()));
        let span = |task| tracing::info_span!("keeper", client = %nodes.settings.name, task);
        tasks.spawn(span("scout"), scout(nodes.clone()));
        tasks.spawn(span("renewals"), renewals.clone().run(nodes.clone()));
        Self { nodes, tasks, lookups, renewals, readers }
    }

    /// Resolves when a node has answered.
    pub(crate) async fn greet(&self) -> Result<(), Error> {
        self.nodes.greet().await
    }

    /// The leader, as far as this client knows.
    #[must_use]
    pub fn leader(&self) -> Option<Endpoint> {
        self.nodes.leader()
    }

    /// Every node this client knows: configured and learnt.
    #[must_use]
    pub fn endpoints(&self) -> Vec<Endpoint> {
        self.nodes.endpoints()
    }

    /// Describes this process, to be opened as instance `id` of `service`.
    pub fn instance(&self, service: impl Into<String>, id: impl Into<String>) -> InstanceBuilder {
        let (nodes, tasks) = (self.nodes.clone(), self.tasks.clone());
        let (renewals, readers) = (self.renewals.clone(), self.readers.clone());
        InstanceBuilder::new(nodes, tasks, renewals, readers, service.into(), id.into())
    }

    /// Finds users.
    #[must_use]
    pub fn lookup(&self) -> Lookup {
        Lookup::new(self.lookups.clone())
    }

    /// Follows who comes, goes and moves.
    #[must_use]
    pub fn presence(&self, subscription: Subscription) -> Presence {
        Presence::new(self.nodes.clone(), self.tasks.clone(), subscription)
    }

    /// Reads a document as nobody in particular: without layers, and without a word to the cluster about what is read
    /// and what became of it. A process that is an instance reads by [`InstanceBuilder::config`].
    pub fn config<T>(&self, path: impl Into<String>) -> ConfigBuilder<T> {
        let (tasks, readers) = (self.tasks.clone(), self.readers.clone());
        Reading { tasks, readers, reader: Reader::nobody() }.config(path.into())
    }

    /// Says how this process is, by its own judgement: a rollout that makes an instance unwell ends. It counts for
    /// every instance of this client that reads documents, from now until it is said otherwise.
    pub fn report_health(&self, health: Health) {
        self.readers.report(health);
    }

    /// Documents, for admins.
    #[must_use]
    pub fn configs(&self) -> Configs {
        Configs::new(self.nodes.clone())
    }

    /// Changes of config that a few instances get first, for admins.
    #[must_use]
    pub fn rollouts(&self) -> Rollouts {
        Rollouts::new(self.nodes.clone())
    }

    /// Sessions, for admins.
    #[must_use]
    pub fn sessions(&self) -> SessionAdmin {
        SessionAdmin::new(self.nodes.clone())
    }

    /// Which processes live.
    #[must_use]
    pub fn instances(&self) -> Instances {
        Instances::new(self.nodes.clone())
    }

    /// What processes should do now.
    #[must_use]
    pub fn controls(&self) -> Controls {
        Controls::new(self.nodes.clone())
    }

    /// The nodes themselves.
    #[must_use]
    pub fn cluster(&self) -> Cluster {
        Cluster::new(self.nodes.clone())
    }
}
