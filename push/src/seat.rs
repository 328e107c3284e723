//! The registration of one connection: made, made again in each life of the room's lease, given up.
//!
//! An operation that was sent is never abandoned: whoever stops waiting for a registration could not give up what it
//! may still bring about. So the question lives here, not in the future that waits for it, and [`Seat::keep`] may be
//! dropped at any await.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use keeper_client_sdk::{Epoch, Error, Registered, Registration, SessionKey, Sessions};
use tokio::{sync::watch, time};
use tracing::{debug, warn};

use crate::{
    config::RoomConfig,
    connections::{ConnectionId, Connections},
    ending::Ending,
    limits,
    params::Params,
    tenure::Tenure,
};

pub(crate) struct Seat {
    id: ConnectionId,
    params: Params,
    connections: Arc<Connections>,
    config: watch::Receiver<Arc<RoomConfig>>,
    tenures: watch::Receiver<Option<Tenure>>,
    /// The life in which nothing remains to be done.
    settled_in: Option<u64>,
    asking: Option<BoxFuture<'static, (Tenure, Result<Registered, Error>)>>,
    held: Option<Held>,
}

struct Held {
    sessions: Sessions,
    epoch: Epoch,
}

/// What an answer means for the connection.
enum Next {
    /// Nothing to do until the next life of the lease.
    Stay,
    /// The cluster does not answer now.
    Again,
    End(Ending),
}

impl Seat {
    pub(crate) const fn new(
        id: ConnectionId,
        params: Params,
        connections: Arc<Connections>,
        config: watch::Receiver<Arc<RoomConfig>>,
        tenures: watch::Receiver<Option<Tenure>>,
    ) -> Self {
        Self { id, params, connections, config, tenures, settled_in: None, asking: None, held: None }
    }

    /// Keeps the connection registered for ever, or says why it must end.
    pub(crate) async fn keep(&mut self) -> Ending {
        loop {
            if self.asking.is_none() {
                let tenure = self.next_tenure().await;
                self.asking = Some(self.ask(tenure));
            }
            let Some(asking) = &mut self.asking else { continue };
            let (tenure, answer) = asking.await;
            self.asking = None;
            match self.answered(&tenure, answer) {
                Next::Stay => self.settled_in = Some(tenure.incarnation),
                Next::Again => time::sleep(limits::RETRY_PAUSE).await,
                Next::End(ending) => return ending,
            }
        }
    }

    /// Gives the session up if it is still this connection's.
    pub(crate) async fn give_up(mut self, ending: &Ending) {
        if !ending.leaves_session() {
            return;
        }
        if let Some(asking) = self.asking.take() {
            let (tenure, answer) = asking.await;
            if let Ok(registered) = answer {
                self.held = Some(Held { sessions: tenure.sessions, epoch: registered.epoch });
            }
        }
        let Some(Held { sessions, epoch }) = self.held else { return };
        if let Err(error) = sessions.unregister(&self.params.key, epoch).await {
            // The session moved, or ended with the lease; otherwise it ends with the lease at the latest.
            debug!(key = %self.params.key, %error, "not unregistered");
        }
    }

    async fn next_tenure(&mut self) -> Tenure {
        let settled_in = self.settled_in;
        let unsettled =
            |tenure: &Option<Tenure>| tenure.as_ref().is_some_and(|tenure| Some(tenure.incarnation) != settled_in);
        match self.tenures.wait_for(unsettled).await.map(|tenure| tenure.clone()) {
            Ok(Some(tenure)) => tenure,
            // The room goes away, and ends its connections itself.
            Ok(None) | Err(_) => std::future::pending().await,
        }
    }

    fn ask(&self, tenure: Tenure) -> BoxFuture<'static, (Tenure, Result<Registered, Error>)> {
        let mut registration = Registration::new(self.params.key.clone()).connection(self.id.name());
        if let Some(conn_seq) = self.params.conn_seq {
            registration = registration.conn_seq(conn_seq);
        }
        for topic in &self.config.borrow().topics {
            registration = registration.topic(topic.clone());
        }
        Box::pin(async move {
            let answer = tenure.sessions.register(registration).await;
            (tenure, answer)
        })
    }

    fn answered(&mut self, tenure: &Tenure, answer: Result<Registered, Error>) -> Next {
        let registered = match answer {
            Ok(registered) => registered,
            Err(error) => return refused(&self.params.key, error),
        };
        self.held = Some(Held { sessions: tenure.sessions.clone(), epoch: registered.epoch });
        if self.connections.registered(self.id, tenure.incarnation) {
            let greeting = self.config.borrow().greeting.clone();
            if !greeting.is_empty() {
                self.connections.push(self.id, greeting);
            }
        }
        // What this room displaced itself is told by the answer alone.
        let here = registered.displaced.filter(|holder| holder.incarnation == tenure.incarnation);
        if let Some(id) = here.and_then(|holder| ConnectionId::parse(&holder.connection)).filter(|id| *id != self.id) {
            self.connections.end(id, Ending::Displaced { to: "this room".to_owned() });
        }
        Next::Stay
    }
}

fn refused(key: &SessionKey, error: Error) -> Next {
    match error.reason() {
        "stale-conn-seq" => Next::End(Ending::Superseded),
        // This life of the lease is over: the next one is on its way.
        "incarnation-closed" | "foreign-state" | "ended" => Next::Stay,
        _ if error.is_retryable() => {
            warn!(%key, %error, "not registered yet");
            Next::Again
        }
        _ => Next::End(Ending::Refused { reason: error.to_string() }),
    }
}
