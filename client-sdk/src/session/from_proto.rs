//! Sessions as they come from the wire.

use std::sync::Arc;

use keeper_proto::v1::{self, lookup_reply};

use crate::{Epoch, Error, FormerState, Formerly, Holder, Owner, Session, SessionKey};

pub(crate) fn key(key: Option<v1::SessionKey>) -> SessionKey {
    let v1::SessionKey { user, slot } = key.unwrap_or_default();
    SessionKey::trusted(user, slot)
}

pub(crate) fn epoch(epoch: Option<v1::Epoch>) -> Epoch {
    let v1::Epoch { revision, position } = epoch.unwrap_or_default();
    Epoch { revision, position }
}

pub(crate) fn holder(holder: v1::Holder) -> Holder {
    Holder {
        service: holder.service,
        instance: holder.instance,
        incarnation: holder.incarnation,
        connection: holder.connection,
        epoch: epoch(holder.epoch),
    }
}

pub(crate) fn owners(owners: Vec<lookup_reply::Owner>) -> Vec<Arc<Owner>> {
    let owner = |it: lookup_reply::Owner| {
        Arc::new(Owner {
            service: it.service,
            instance: it.instance,
            incarnation: it.incarnation,
            endpoints: it.endpoints,
            zone: it.zone,
        })
    };
    owners.into_iter().map(owner).collect()
}

/// A session names its owner by its place in the answer.
pub(crate) fn session(session: v1::Session, owners: &[Arc<Owner>]) -> Result<Session, Error> {
    let owner = usize::try_from(session.owner).ok().and_then(|index| owners.get(index));
    let owner = owner.ok_or_else(|| Error::malformed("a session without its owner"))?;
    Ok(Session {
        key: key(session.key),
        owner: owner.clone(),
        connection: session.connection,
        epoch: epoch(session.epoch),
        conn_seq: session.conn_seq,
        topics: session.topics,
        attributes: session.attributes.map(|it| it.values.into_iter().collect()).unwrap_or_default(),
        registered_at_ms: session.registered_at_ms,
    })
}

/// A session that is not live; see [`session`].
pub(crate) fn formerly(formerly: lookup_reply::Formerly, owners: &[Arc<Owner>]) -> Result<Formerly, Error> {
    use lookup_reply::formerly::State;
    let state = match formerly.state() {
        State::Unconfirmed => FormerState::Unconfirmed,
        State::Lingering | State::Unspecified => FormerState::Lingering { until_ms: formerly.until_ms },
    };
    let was = formerly.session.ok_or_else(|| Error::malformed("a former session without the session"))?;
    Ok(Formerly { session: session(was, owners)?, state })
}
