//! A gateway: a lease, and the connections registered under it.

use std::sync::Arc;

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::{
    Connection, Error, Registration,
    gateway::{desk::Desk, table},
    tasks::Tasks,
};

/// Holds a lease and keeps connections registered under it, life after life. Cheap to clone.
///
/// The application says which connections there are; the gateway sees to it that the registry says the same. It opens a
/// new life when its lease is lost, registers what stood before at a governed rate, tells a cluster that lost its state
/// how much is still to come, and never takes a session back from whoever registered it meanwhile. What others do to
/// its sessions comes as [`GatewayEvent`](crate::GatewayEvent)s.
///
/// A connection takes 130 bytes of memory, measured with a million of them, for a user of 16 bytes, a name of 8 bytes
/// and one topic: 56 in the table, its registration as it goes to the wire, an index, and 16 for the handle.
///
/// The gateway ends when [`close`](Self::close) is called, when another process opens a lease of its name, or when the
/// last of its handles and connections is dropped.
///
/// ```no_run
/// # async fn run(keeper: keeper_client_sdk::Keeper) -> Result<(), keeper_client_sdk::Error> {
/// use keeper_client_sdk::{GatewayEvent, Registration, SessionKey};
///
/// let (gateway, mut events) = keeper.instance("room", "room-1").endpoint("10.0.0.7:7520").gateway().start();
/// let ann = Registration::new(SessionKey::of_user("ann")?).connection("17").topic("news");
/// let connection = gateway.connect(ann).await?;
/// while let Some(event) = events.next().await {
///     match event {
///         GatewayEvent::Displaced { connection, by, .. } => println!("{connection:?} is now at {}", by.instance),
///         GatewayEvent::Kicked { connection, reason, .. } => println!("{connection:?} was kicked: {reason}"),
///         GatewayEvent::Drain(control) => {
///             control.acknowledge(keeper_client_sdk::Answer::Done).await?;
///             break;
///         }
///         other => println!("{other:?}"),
///     }
/// }
/// connection.close().await;
/// gateway.close().await;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Gateway {
    shared: Arc<Shared>,
}

/// How a gateway stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GatewayStatus {
    /// The present life; none while there is none.
    pub incarnation: Option<u64>,
    /// Connections the application holds and whose sessions have not ended.
    pub connections: u64,
    /// Those of them registered in the present life.
    pub registered: u64,
    /// Those that were registered in an earlier life and are not in the present one.
    pub pending: u64,
}

/// What the handles of a gateway share. With the last of them the gateway ends.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(super) desk: Arc<Desk>,
    pub(super) stop: CancellationToken,
    /// Keeps the client alive, and with it the lease.
    pub(super) _tasks: Arc<Tasks>,
}

impl Gateway {
    pub(super) const fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Registers a connection, and keeps it registered until its handle goes.
    ///
    /// Waits for as long as it takes: for a lease, for a leader, for its turn. Dropping the future gives the connection
    /// up, and what it may have brought about is undone. Give each connection a
    /// [name of its own](Registration::connection): events are about that name.
    ///
    /// # Errors
    /// [`Error::Refused`] by a higher `conn_seq`, a quota or too many slots, `displaced` by a newer connection that
    /// came first; [`Error::Invalid`] when a part is over its limit; [`Error::Ended`] when the gateway has ended.
    pub async fn connect(&self, registration: Registration) -> Result<Connection, Error> {
        registration.check()?;
        let (connecting, connected) = oneshot::channel();
        let slot = self.shared.desk.change(|table| table.admit(registration, connecting))?;
        let connection = Connection::new(self.shared.clone(), slot);
        match connected.await {
            Ok(registered) => registered.map(|()| connection),
            Err(_) => Err(table::over()),
        }
    }

    /// How it stands now.
    #[must_use]
    pub fn status(&self) -> GatewayStatus {
        self.shared.desk.read(|table| GatewayStatus {
            incarnation: table.life.map(|life| life.incarnation),
            connections: table.counts.wanted,
            registered: table.counts.registered,
            pending: table.counts.pending,
        })
    }

    /// Resolves with the incarnation as soon as there is a life.
    ///
    /// # Errors
    /// [`Error::Ended`] when the gateway has ended.
    pub async fn opened(&self) -> Result<u64, Error> {
        let mut life = self.shared.desk.life();
        tokio::select! {
            life = life.wait_for(Option::is_some) => {
                life.ok().and_then(|life| *life).map(|life| life.incarnation).ok_or_else(table::over)
            }
            () = self.shared.desk.over() => Err(table::over()),
        }
    }

    /// Ends the gateway: one entry ends all its sessions, so that nobody finds what is about to close. Resolves when
    /// the lease is closed, or would not be closed in time.
    pub async fn close(&self) {
        self.shared.stop.cancel();
        self.shared.desk.over().await;
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
