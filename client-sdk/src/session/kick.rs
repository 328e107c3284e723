//! Ending sessions from outside: of one user at once, or of all that match, by a job that outlives its caller.
//!
//! A kick is two things: the registry forgets the sessions, and their gateways close the connections. The first is done
//! when the job has [finished](KickStatus::is_finished); of the second each gateway says when it is, and a gateway
//! whose incarnation closed meanwhile has no connections any more.

use std::time::Duration;

use bytes::Bytes;
use keeper_proto::v1::{self, kick_status};
use tokio::time;

use crate::{
    Error, Holder, SessionAdmin, SessionKey, SessionSelector,
    connection::{Aim, Retry},
    limits,
    session::{admin::client, from_proto},
};

/// Whose sessions to end, and why.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kick {
    /// Whose sessions.
    pub user: Bytes,
    /// Which device; every one when none.
    pub slot: Option<Bytes>,
    /// Told to the gateway; at most 128 bytes.
    pub reason: String,
    /// Who asks; at most 128 bytes.
    pub author: String,
}

/// Which sessions to end, and why. To know how many that are, ask [`SessionAdmin::count_matching`] first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KickMatching {
    /// Those like this, if registered before the kick; at least one of its fields must be set.
    pub selector: SessionSelector,
    /// Told to the gateways; at most 128 bytes.
    pub reason: String,
    /// Who asks; at most 128 bytes.
    pub author: String,
}

/// What a kick of a user ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kicked {
    /// Of the log entry.
    pub revision: u64,
    /// Its number, for [`SessionAdmin::kick_status`].
    pub kick: u64,
    /// What it ended.
    pub sessions: Vec<KickedSession>,
}

/// A session that a kick ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KickedSession {
    /// Which.
    pub key: SessionKey,
    /// Who held it, and will be told.
    pub holder: Option<Holder>,
}

/// A kick of all that match has begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KickStarted {
    /// Of the log entry: what is registered after it stays.
    pub revision: u64,
    /// Its number, for [`SessionAdmin::kick_status`].
    pub kick: u64,
}

/// How far a kick is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KickStatus {
    /// Its number.
    pub kick: u64,
    /// Whom it is for.
    pub target: KickTarget,
    /// Why.
    pub reason: String,
    /// Who asked.
    pub author: String,
    /// Log time, Unix milliseconds.
    pub started_at_ms: u64,
    /// Log time, Unix milliseconds; none while it is under way.
    pub finished_at_ms: Option<u64>,
    /// How many sessions it has ended.
    pub closed: u64,
    /// The gateways that held them.
    pub gateways: Vec<KickGateway>,
}

/// Whom a kick is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KickTarget {
    /// One user.
    User {
        /// Whose sessions.
        user: Bytes,
        /// Which device; every one when none.
        slot: Option<Bytes>,
    },
    /// All that match.
    Matching(SessionSelector),
}

/// A gateway that held sessions which a kick ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KickGateway {
    /// Its kind.
    pub service: String,
    /// Its name.
    pub instance: String,
    /// Which life of it.
    pub incarnation: u64,
    /// How many of its sessions were ended.
    pub closed: u64,
    /// Whether their connections are closed.
    pub confirmation: Confirmation,
}

/// Whether a gateway has closed the connections of sessions that were ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confirmation {
    /// It has not said so yet.
    Waiting,
    /// It has.
    Confirmed,
    /// Its incarnation has closed, and its connections with it.
    Gone,
}

/// What to wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KickEnd {
    /// Every session it was for has ended: lookups find none of them.
    Finished,
    /// Besides, every gateway has said that it closed the connections, or is gone.
    Confirmed,
}

impl KickStatus {
    /// Whether every session it was for has ended.
    #[must_use]
    pub const fn is_finished(&self) -> bool {
        self.finished_at_ms.is_some()
    }

    /// Whether, besides, every gateway has closed the connections, or is gone.
    #[must_use]
    pub fn is_confirmed(&self) -> bool {
        self.is_finished() && self.gateways.iter().all(|it| it.confirmation != Confirmation::Waiting)
    }

    /// From the first log entry to the last; none while it is under way.
    #[must_use]
    pub fn took(&self) -> Option<Duration> {
        self.finished_at_ms.map(|at| Duration::from_millis(at.saturating_sub(self.started_at_ms)))
    }

    fn has_reached(&self, end: KickEnd) -> bool {
        match end {
            KickEnd::Finished => self.is_finished(),
            KickEnd::Confirmed => self.is_confirmed(),
        }
    }
}

impl SessionAdmin {
    /// Ends sessions of a user at once, exactly once; their gateways are told.
    ///
    /// # Errors
    /// As [`Error`] says.
    pub async fn kick(&self, kick: Kick) -> Result<Kicked, Error> {
        let Kick { user, slot, reason, author } = kick;
        let request = v1::KickRequest { user, slot, reason, author, ..v1::KickRequest::default() };
        let reply = self.send_kick(request).await?;
        let kicked = |it: v1::kick_reply::Kicked| KickedSession {
            key: from_proto::key(it.key),
            holder: it.holder.map(from_proto::holder),
        };
        let sessions = reply.kicked.into_iter().map(kicked).collect();
        Ok(Kicked { revision: reply.revision, kick: reply.kick, sessions })
    }

    /// Begins to end every session that matches and is registered by now, exactly once; their gateways are told. It
    /// goes on by itself, whatever becomes of the caller or of a node.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the selector names nothing: that would end every session of the cluster. Otherwise as
    /// [`Error`] says.
    pub async fn kick_matching(&self, kick: KickMatching) -> Result<KickStarted, Error> {
        let KickMatching { selector, reason, author } = kick;
        if selector.is_all() {
            return Err(Error::invalid("selector", "name a topic, an instance, a user prefix or a slot"));
        }
        let selector = Some(selector.to_proto());
        let request = v1::KickRequest { selector, reason, author, ..v1::KickRequest::default() };
        let reply = self.send_kick(request).await?;
        Ok(KickStarted { revision: reply.revision, kick: reply.kick })
    }

    /// How far a kick is.
    ///
    /// # Errors
    /// [`Error::Refused`] when there is no such kick, or it is remembered no longer; otherwise as [`Error`] says.
    pub async fn kick_status(&self, kick: u64) -> Result<KickStatus, Error> {
        let request = v1::GetKickRequest { kick };
        let method = |channel, request| async move { client(channel).get_kick(request).await };
        self.nodes.call("session kick-status", Aim::Any, Retry::Safe, request, method).await.map(status)
    }

    /// The kicks still remembered, newest first.
    ///
    /// # Errors
    /// As [`Error`] says.
    pub async fn kicks(&self) -> Result<Vec<KickStatus>, Error> {
        let request = v1::ListKicksRequest {};
        let method = |channel, request| async move { client(channel).list_kicks(request).await };
        let reply = self.nodes.call("session kicks", Aim::Any, Retry::Safe, request, method).await?;
        Ok(reply.kicks.into_iter().map(status).collect())
    }

    /// Waits until a kick is as far as `end` says, however long that takes: a gateway that keeps silent keeps its
    /// confirmation until its lease ends. Put a `timeout` around it.
    ///
    /// # Errors
    /// As [`kick_status`](Self::kick_status).
    pub async fn kick_reached(&self, kick: u64, end: KickEnd) -> Result<KickStatus, Error> {
        let mut pause = limits::KICK_POLL_MIN;
        loop {
            let status = self.kick_status(kick).await?;
            if status.has_reached(end) {
                return Ok(status);
            }
            time::sleep(pause).await;
            pause = (pause * 2).min(limits::KICK_POLL_MAX);
        }
    }

    async fn send_kick(&self, request: v1::KickRequest) -> Result<v1::KickReply, Error> {
        let request = v1::KickRequest { request_id: self.nodes.random.request_id(), ..request };
        let method = |channel, request| async move { client(channel).kick(request).await };
        self.nodes.call("session kick", Aim::Leader, Retry::Safe, request, method).await
    }
}

fn status(status: v1::KickStatus) -> KickStatus {
    let target = match status.selector {
        Some(selector) => KickTarget::Matching(SessionSelector::from_proto(selector)),
        None => KickTarget::User { user: status.user, slot: status.slot },
    };
    KickStatus {
        kick: status.kick,
        target,
        reason: status.reason,
        author: status.author,
        started_at_ms: status.started_at_ms,
        finished_at_ms: (status.finished_at_ms > 0).then_some(status.finished_at_ms),
        closed: status.closed,
        gateways: status.gateways.into_iter().map(gateway).collect(),
    }
}

fn gateway(gateway: kick_status::Gateway) -> KickGateway {
    use kick_status::Confirmation as Wire;
    let confirmation = match gateway.confirmation() {
        Wire::Confirmed => Confirmation::Confirmed,
        Wire::Gone => Confirmation::Gone,
        Wire::Waiting | Wire::Unspecified => Confirmation::Waiting,
    };
    let kick_status::Gateway { service, instance, incarnation, closed, .. } = gateway;
    KickGateway { service, instance, incarnation, closed, confirmation }
}
