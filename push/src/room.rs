//! The room itself: assembled from its parts, run, drained.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context;
use keeper_client_sdk::{Answer, InstanceBuilder, Keeper};
use tokio::{
    net::TcpListener,
    sync::{Semaphore, oneshot, watch},
    task::JoinSet,
    time,
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{
    config::{self, RoomConfig},
    connection::{self, Surroundings},
    connections::Connections,
    ending::Ending,
    herald::Herald,
    inbox, limits,
};

/// The service rooms are instances of.
const SERVICE: &str = "room";

/// How a room is set up.
#[derive(Debug, Clone)]
pub struct Options {
    /// Its name among rooms.
    pub id: String,
    /// Where devices connect.
    pub listen: SocketAddr,
    /// Where senders deliver.
    pub inbox: SocketAddr,
    /// What senders are told about the inbox; its own address when absent.
    pub advertise: Option<String>,
    /// Where the room stands.
    pub zone: String,
    /// How long the room may be silent before its sessions count as gone.
    pub ttl: Duration,
    /// The document it runs by.
    pub config: String,
}

impl Options {
    /// The room as the cluster knows it, but for where it is reached.
    fn instance(&self, keeper: &Keeper) -> InstanceBuilder {
        let instance = keeper.instance(SERVICE, self.id.as_str()).zone(self.zone.as_str()).ttl(self.ttl);
        instance.version(env!("CARGO_PKG_VERSION"))
    }
}

/// A room that has its ports and does nothing yet.
#[derive(Debug)]
pub struct Room {
    options: Options,
    devices: TcpListener,
    senders: TcpListener,
}

impl Room {
    /// Takes the ports.
    ///
    /// # Errors
    /// When one of them is in use.
    pub async fn bind(options: Options) -> anyhow::Result<Self> {
        let bind = async |address: SocketAddr| {
            TcpListener::bind(address).await.with_context(|| format!("{address} cannot be listened on"))
        };
        let (devices, senders) = (bind(options.listen).await?, bind(options.inbox).await?);
        Ok(Self { options, devices, senders })
    }

    /// Where devices connect, and where senders deliver.
    ///
    /// # Errors
    /// When the operating system does not say.
    pub fn addresses(&self) -> std::io::Result<(SocketAddr, SocketAddr)> {
        Ok((self.devices.local_addr()?, self.senders.local_addr()?))
    }

    /// Serves until `stop` or until an admin asks it to drain. When it is stopped the lease ends first, so that nobody
    /// finds what is about to close; a drain is answered before.
    ///
    /// # Errors
    /// When a listener fails for good.
    pub async fn run(self, keeper: Keeper, stop: CancellationToken) -> anyhow::Result<()> {
        let (running, config) = watch::channel(Arc::new(RoomConfig::default()));
        let mut follower = JoinSet::new();
        follower.spawn(config::follow(self.options.instance(&keeper), self.options.config.clone(), running));
        self.run_by(config, keeper, stop).await
    }

    /// As [`run`](Self::run), by values that somebody else follows. No device is let in before the first of them has
    /// been sent: what the receiver holds until then is nobody's word yet.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub async fn run_by(
        self,
        config: watch::Receiver<Arc<RoomConfig>>,
        keeper: Keeper,
        stop: CancellationToken,
    ) -> anyhow::Result<()> {
        let (device_address, inbox_address) = self.addresses()?;
        info!("devices connect to ws://{device_address}/connect, senders deliver to http://{inbox_address}");
        let Self { options, devices, senders } = self;
        let connections = Arc::new(Connections::default());
        let endpoint = options.advertise.clone().unwrap_or_else(|| inbox_address.to_string());
        let name = format!("{SERVICE}/{}", options.id);
        let (gateway, events) = options.instance(&keeper).endpoint(endpoint).gateway().start();
        let around = Surroundings { connections: connections.clone(), config, gateway: gateway.clone() };
        let (drain, mut drained) = oneshot::channel();
        let herald = Herald { name, events, connections: connections.clone(), stop: stop.clone(), drain: Some(drain) };

        let mut parts = JoinSet::new();
        let routes = inbox::routes(around.clone());
        parts.spawn(async move {
            if let Err(error) = axum::serve(senders, routes).await {
                warn!("the inbox stopped: {error}");
            }
        });
        parts.spawn(herald.run());
        let mut open = accept(devices, around, stop).await;

        if let Ok(action) = drained.try_recv() {
            // An admin waits for the answer, which only a gateway can give whose lease lives.
            empty(&connections, &mut open).await;
            if let Err(error) = action.acknowledge(Answer::Done).await {
                warn!("the drain is not answered: {error}");
            }
        }
        gateway.close().await;
        empty(&connections, &mut open).await;
        Ok(())
    }
}

/// Tells every device to go elsewhere, and waits for them.
async fn empty(connections: &Connections, open: &mut JoinSet<()>) {
    connections.end_all(&Ending::GoingAway);
    let gone = async { while open.join_next().await.is_some() {} };
    if time::timeout(limits::DRAIN_TIMEOUT, gone).await.is_err() {
        warn!("{} connections are cut off", open.len());
    }
}

/// Takes connections, once it is known what they are bound to, until asked to stop; hands back those that are open.
async fn accept(devices: TcpListener, mut around: Surroundings, stop: CancellationToken) -> JoinSet<()> {
    let handshakes = Arc::new(Semaphore::new(limits::HANDSHAKES_MAX));
    let mut open = JoinSet::new();
    // Topics are bound once: a device let in too early would go without them for as long as it stays. Until then it
    // waits in the listener's backlog.
    let Some(Ok(())) = stop.run_until_cancelled(around.config.changed()).await else { return open };
    loop {
        // Finished connections would otherwise be remembered for ever.
        while open.try_join_next().is_some() {}
        let next = async {
            let permit = handshakes.clone().acquire_owned().await;
            (permit, devices.accept().await)
        };
        match stop.run_until_cancelled(next).await {
            Some((Ok(permit), Ok((stream, _)))) => drop(open.spawn(connection::serve(stream, around.clone(), permit))),
            Some((_, Err(error))) => {
                // Out of file descriptors, most likely: it passes when connections close.
                warn!("a connection was not accepted: {error}");
                time::sleep(limits::RETRY_PAUSE).await;
            }
            Some((Err(_), _)) | None => return open,
        }
    }
}
