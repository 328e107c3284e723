//! The room's own lease: one life after another.
//!
//! A lost lease means that none of the room's sessions answers any more. A new life is opened, and every connection,
//! which follows [`Tenure`]s by itself, registers again in it.

use std::{collections::HashMap, convert::Infallible, sync::Arc, time::Duration};

use keeper_client_sdk::{Instance, Keeper, Notice, NoticeCause, Sessions};
use tokio::{sync::watch, time};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{
    connections::{ConnectionId, Connections},
    ending::Ending,
    limits,
};

/// The service rooms are instances of.
pub(crate) const SERVICE: &str = "room";

/// One life of the lease.
#[derive(Debug, Clone)]
pub(crate) struct Tenure {
    pub(crate) incarnation: u64,
    pub(crate) sessions: Sessions,
}

/// How the room describes itself.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub(crate) id: String,
    pub(crate) endpoint: String,
    pub(crate) zone: String,
    pub(crate) ttl: Duration,
}

/// Holds a lease until asked to stop, opening a new life whenever one is lost; then closes it.
pub(crate) async fn hold(
    keeper: Keeper,
    identity: Identity,
    connections: Arc<Connections>,
    tenures: watch::Sender<Option<Tenure>>,
    stop: CancellationToken,
) {
    while !stop.is_cancelled() {
        let Some(instance) = stop.run_until_cancelled(open(&keeper, &identity)).await else { return };
        let incarnation = instance.incarnation();
        info!("{SERVICE}/{} holds incarnation {incarnation}", identity.id);
        tenures.send_replace(Some(Tenure { incarnation, sessions: instance.sessions() }));
        tokio::select! {
            reason = instance.lost() => {
                tenures.send_replace(None);
                warn!("incarnation {incarnation} is lost ({reason:?}): all connections register again in the next");
            }
            never = heed(&keeper, &instance, &connections) => match never {},
            () = stop.cancelled() => return close(instance).await,
        }
    }
}

async fn open(keeper: &Keeper, identity: &Identity) -> Instance {
    loop {
        let builder = keeper
            .instance(SERVICE, &identity.id)
            .endpoint(&identity.endpoint)
            .zone(&identity.zone)
            .version(env!("CARGO_PKG_VERSION"))
            .ttl(identity.ttl);
        match builder.open().await {
            Ok(instance) => return instance,
            Err(error) => warn!("no lease yet: {error}"),
        }
        time::sleep(limits::RETRY_PAUSE).await;
    }
}

/// One entry ends every session of the room: senders stop finding them before their connections close.
async fn close(instance: Instance) {
    match time::timeout(limits::DRAIN_TIMEOUT, instance.close()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => warn!("the lease runs out by itself: {error}"),
        Err(_) => warn!("the lease runs out by itself: no answer within {:?}", limits::DRAIN_TIMEOUT),
    }
}

/// Closes the connections whose sessions others ended, for as long as the life lasts.
async fn heed(keeper: &Keeper, instance: &Instance, connections: &Connections) -> Infallible {
    let mut notices = instance.sessions().notices();
    while let Some(notice) = notices.next().await {
        match notice {
            Ok(Notice::Ended { connection, cause, .. }) => {
                if let Some((id, ending)) = ended(instance.incarnation(), &connection, cause) {
                    connections.end(id, ending);
                }
            }
            Ok(Notice::Reset) => reconcile(keeper, instance.incarnation(), connections).await,
            Err(error) => warn!("notices end: {error}"),
        }
    }
    // The stream ends with the life; that it ended is for the lease to say.
    std::future::pending().await
}

fn ended(incarnation: u64, connection: &[u8], cause: NoticeCause) -> Option<(ConnectionId, Ending)> {
    let id = ConnectionId::parse(connection)?;
    let ending = match cause {
        // A registration tried again displaces its own first try.
        NoticeCause::Displaced(by) if by.incarnation == incarnation && by.connection == connection => return None,
        NoticeCause::Displaced(by) => Ending::Displaced { to: format!("{}/{}", by.service, by.instance) },
        NoticeCause::Kicked { reason, .. } => Ending::Kicked { reason },
    };
    Some((id, ending))
}

/// Notices were missed: ends every connection whose session is not this room's any more.
async fn reconcile(keeper: &Keeper, incarnation: u64, connections: &Connections) {
    let here: HashMap<_, _> = connections.registered_in(incarnation).into_iter().map(|(id, key)| (key, id)).collect();
    info!("notices were missed: {} connections are compared with the registry", here.len());
    let keys: Vec<_> = here.keys().cloned().collect();
    for some in keys.chunks(limits::RECONCILE_KEYS_MAX) {
        let found = match keeper.lookup().many(some).await {
            Ok(looked) => looked.found,
            Err(error) => {
                warn!("{} connections could not be compared: {error}", some.len());
                continue;
            }
        };
        for (key, session) in some.iter().zip(found) {
            let Some(id) = here.get(key).copied() else { continue };
            match session {
                Some(session) if session.owner.incarnation == incarnation && session.connection == id.name() => {}
                Some(session) => {
                    let owner = &session.owner;
                    connections.end(id, Ending::Displaced { to: format!("{}/{}", owner.service, owner.instance) });
                }
                None => connections.end(id, Ending::Kicked { reason: "the session ended".to_owned() }),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use keeper_client_sdk::{Epoch, Holder};

    use super::*;

    fn displaced_by(incarnation: u64, connection: &'static str) -> NoticeCause {
        NoticeCause::Displaced(Box::new(Holder {
            service: SERVICE.into(),
            instance: "b".into(),
            incarnation,
            connection: connection.into(),
            epoch: Epoch { revision: 1, position: 0 },
        }))
    }

    #[test]
    fn a_registration_tried_again_does_not_end_itself() {
        assert_eq!(ended(7, b"1", displaced_by(7, "1")), None);
        let (id, ending) = ended(7, b"1", displaced_by(7, "2")).unwrap();
        assert_eq!((id.to_string(), ending), ("1".into(), Ending::Displaced { to: "room/b".into() }));
        assert!(ended(7, b"1", displaced_by(8, "1")).is_some());
    }

    #[test]
    fn a_kick_carries_its_reason() {
        let cause = NoticeCause::Kicked { reason: "spam".into(), author: "ops".into() };
        assert_eq!(ended(7, b"1", cause).unwrap().1, Ending::Kicked { reason: "spam".into() });
    }
}
