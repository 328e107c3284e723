//! The client itself: where every other handle begins.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use tokio::runtime::Handle;

use crate::{
    Builder, Cluster, Config, Configs, Controls, Endpoint, Error, InstanceBuilder, Instances, Lookup, Presence,
    Rollouts, SessionAdmin, Subscription,
    config::Hub,
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
    hub: Arc<Hub>,
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
        let hub = Arc::new(Hub::new());
        let span = |task| tracing::info_span!("keeper", client = %nodes.settings.name, task);
        tasks.spawn(span("scout"), scout(nodes.clone()));
        tasks.spawn(span("renewals"), renewals.clone().run(nodes.clone()));
        tasks.spawn(span("configs"), hub.clone().run(nodes.clone()));
        Self { nodes, tasks, lookups, renewals, hub }
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
        InstanceBuilder::new(self.nodes.clone(), self.tasks.clone(), self.renewals.clone(), service.into(), id.into())
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

    /// Follows a document as a type of the caller's own.
    ///
    /// # Errors
    /// [`Error::Refused`] with reason `not-found` when there is no such document; [`Error::Misfit`] when it does not
    /// fit `T`; otherwise as [`Error`] says.
    pub async fn config<T>(&self, path: impl Into<String>) -> Result<Config<T>, Error>
    where
        T: DeserializeOwned + Send + Sync + 'static,
    {
        Config::open(self.hub.clone(), self.tasks.clone(), self.configs(), path.into()).await
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
