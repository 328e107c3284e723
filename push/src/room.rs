//! The room itself: assembled from its parts, run, drained.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context;
use keeper_client_sdk::Keeper;
use tokio::{
    net::TcpListener,
    sync::{Semaphore, watch},
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
    inbox, limits,
    tenure::{self, Identity, Tenure},
};

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

    /// Serves until `stop`, then drains: the lease ends first, so that nobody finds what is about to close.
    ///
    /// # Errors
    /// When a listener fails for good.
    pub async fn run(self, keeper: Keeper, stop: CancellationToken) -> anyhow::Result<()> {
        let (device_address, inbox_address) = self.addresses()?;
        info!("devices connect to ws://{device_address}/connect, senders deliver to http://{inbox_address}");
        let Self { options, devices, senders } = self;
        let connections = Arc::new(Connections::default());
        let (config_sender, config) = watch::channel(Arc::new(RoomConfig::default()));
        let (tenure_sender, tenures) = watch::channel::<Option<Tenure>>(None);
        let around = Surroundings { connections: connections.clone(), config, tenures };
        let identity = Identity {
            endpoint: options.advertise.unwrap_or_else(|| inbox_address.to_string()),
            id: options.id,
            zone: options.zone,
            ttl: options.ttl,
        };

        let mut parts = JoinSet::new();
        parts.spawn(config::follow(keeper.clone(), options.config, config_sender));
        let routes = inbox::routes(around.clone());
        parts.spawn(async move {
            if let Err(error) = axum::serve(senders, routes).await {
                warn!("the inbox stopped: {error}");
            }
        });
        let lease = tenure::hold(keeper, identity, connections.clone(), tenure_sender, stop.clone());
        let ((), mut open) = tokio::join!(lease, accept(devices, around, stop));

        connections.end_all(&Ending::GoingAway);
        let drained = async { while open.join_next().await.is_some() {} };
        if time::timeout(limits::DRAIN_TIMEOUT, drained).await.is_err() {
            warn!("{} connections are cut off", open.len());
        }
        Ok(())
    }
}

/// Takes connections until asked to stop; hands back those that are open.
async fn accept(devices: TcpListener, around: Surroundings, stop: CancellationToken) -> JoinSet<()> {
    let handshakes = Arc::new(Semaphore::new(limits::HANDSHAKES_MAX));
    let mut open = JoinSet::new();
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
