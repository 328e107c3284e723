//! How far the registry is in being filled again after its state was lost.

use keeper_proto::v1::{self, rebuild_status_reply};

use crate::{
    Error, SessionAdmin,
    connection::{Aim, Retry},
    session::admin::client,
};

/// Whether the registry is whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RebuildStatus {
    /// The state that answered.
    pub revision: u64,
    /// Which history of the state.
    pub state_id: u64,
    /// None: the registry is whole.
    pub rebuild: Option<Rebuild>,
}

/// How far the registry is in being filled again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rebuild {
    /// Log time, Unix milliseconds.
    pub since_ms: u64,
    /// It does not end before this; log time, Unix milliseconds.
    pub not_before_ms: u64,
    /// Sessions from the backup that nobody has registered again.
    pub unconfirmed: u64,
    /// Sessions live now.
    pub live: u64,
    /// The gateways that are expected.
    pub gateways: Vec<RebuildGateway>,
    /// How far it is, in thousandths: how many of the gateways have finished or were given up, or how much of the time
    /// up to `not_before_ms` has passed, whichever is less.
    pub done_permille: u32,
}

/// A gateway that is expected to register again what it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RebuildGateway {
    /// Its kind.
    pub service: String,
    /// Its name.
    pub instance: String,
    /// How far it is.
    pub progress: RebuildProgress,
    /// How many it had to register again when it said so first.
    pub total: u64,
    /// How many are left.
    pub remaining: u64,
}

/// How far a gateway is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RebuildProgress {
    /// Not heard of yet.
    Awaited,
    /// Registering.
    Flushing,
    /// Everything it holds is registered.
    Finished,
    /// Nobody waits for it any more.
    GivenUp,
}

/// For whom not to wait any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GiveUp {
    /// These instances, as `service/id`: at most 1,024, at least one.
    Instances(Vec<String>),
    /// Everybody, and the time itself: the registry is whole from now on.
    Everybody,
}

impl SessionAdmin {
    /// How far the registry is in being filled again.
    ///
    /// # Errors
    /// As [`Error`] says.
    pub async fn rebuild_status(&self) -> Result<RebuildStatus, Error> {
        let request = v1::RebuildStatusRequest {};
        let method = |channel, request| async move { client(channel).rebuild_status(request).await };
        let reply = self.nodes.call("session rebuild-status", Aim::Any, Retry::Safe, request, method).await?;
        Ok(RebuildStatus { revision: reply.revision, state_id: reply.state_id, rebuild: reply.rebuild.map(rebuild) })
    }

    /// Stops waiting for gateways that will not come back; tells the revision of the log entry.
    ///
    /// # Errors
    /// [`Error::Invalid`] when no instance is named; otherwise as [`Error`] says.
    pub async fn give_up(&self, whom: GiveUp, author: impl Into<String>) -> Result<u64, Error> {
        let instances = match whom {
            GiveUp::Instances(instances) if instances.is_empty() => {
                return Err(Error::invalid("instances", "name at least one, as service/id"));
            }
            GiveUp::Instances(instances) => instances,
            GiveUp::Everybody => Vec::new(),
        };
        let request = v1::GiveUpRequest { instances, author: author.into() };
        let method = |channel, request| async move { client(channel).give_up(request).await };
        let reply = self.nodes.call("session give-up", Aim::Leader, Retry::Safe, request, method).await?;
        Ok(reply.revision)
    }
}

fn rebuild(rebuild: rebuild_status_reply::Rebuild) -> Rebuild {
    let rebuild_status_reply::Rebuild { since_ms, not_before_ms, unconfirmed, live, gateways, done_permille } = rebuild;
    let gateways = gateways.into_iter().map(gateway).collect();
    Rebuild { since_ms, not_before_ms, unconfirmed, live, gateways, done_permille }
}

fn gateway(gateway: rebuild_status_reply::Gateway) -> RebuildGateway {
    use rebuild_status_reply::Progress;
    let progress = match gateway.progress() {
        Progress::Flushing => RebuildProgress::Flushing,
        Progress::Finished => RebuildProgress::Finished,
        Progress::GivenUp => RebuildProgress::GivenUp,
        Progress::Awaited | Progress::Unspecified => RebuildProgress::Awaited,
    };
    let rebuild_status_reply::Gateway { service, instance, total, remaining, .. } = gateway;
    RebuildGateway { service, instance, progress, total, remaining }
}
