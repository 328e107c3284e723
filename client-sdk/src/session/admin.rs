//! Sessions for tools: walk, count, kick. To find one, use [`Lookup`](crate::Lookup).

use std::sync::Arc;

use bytes::Bytes;
use keeper_proto::v1::{self, sessions_client::SessionsClient};
use tonic::transport::Channel;

use crate::{
    Error, Holder, Session, SessionKey,
    connection::{Aim, Nodes, Retry},
    limits,
    session::from_proto,
};

/// Sessions for tools; see [`Keeper::sessions`](crate::Keeper::sessions).
#[derive(Debug, Clone)]
pub struct SessionAdmin {
    nodes: Arc<Nodes>,
}

/// Which sessions to list; everything by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListSessions {
    /// Where the page before ended, on any node of the same cluster; empty: from the start.
    pub token: Bytes,
    /// At most 1,000; 0 means 100.
    pub limit: u32,
    /// Only sessions of this instance, as `service/id`; empty: all.
    pub instance: String,
    /// Only users that begin with these bytes; empty: all.
    pub user_prefix: Bytes,
    /// Only sessions bound to this topic; empty: all.
    pub topic: Bytes,
}

/// A page of a walk over sessions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionPage {
    /// The state that answered.
    pub revision: u64,
    /// In a fixed order.
    pub sessions: Vec<Session>,
    /// The token of the next page; none at the end.
    pub next: Option<Bytes>,
}

/// How many sessions live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counts {
    /// The state that answered.
    pub revision: u64,
    /// Of all instances.
    pub total: u64,
    /// By instance.
    pub instances: Vec<InstanceCount>,
}

/// How many sessions one instance holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceCount {
    /// Its kind.
    pub service: String,
    /// Its name.
    pub instance: String,
    /// Which life of it.
    pub incarnation: u64,
    /// How many it holds.
    pub sessions: u64,
}

/// Whom to kick, and why.
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

/// What a kick ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kicked {
    /// Of the log entry.
    pub revision: u64,
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

impl SessionAdmin {
    pub(crate) const fn new(nodes: Arc<Nodes>) -> Self {
        Self { nodes }
    }

    /// A page of a walk over live sessions.
    ///
    /// # Errors
    /// As [`Error`] says.
    pub async fn list(&self, list: ListSessions) -> Result<SessionPage, Error> {
        let ListSessions { token, limit, instance, user_prefix, topic } = list;
        let request = v1::ListSessionsRequest { token, limit, instance, user_prefix, topic };
        let reply = self
            .nodes
            .call("session list", Aim::Any, Retry::Safe, request, |channel, request| async move {
                client(channel).list(request).await
            })
            .await?;
        let owners = from_proto::owners(reply.owners);
        let sessions = reply.sessions.into_iter().map(|it| from_proto::session(it, &owners));
        Ok(SessionPage {
            revision: reply.revision,
            sessions: sessions.collect::<Result<_, _>>()?,
            next: (!reply.next.is_empty()).then_some(reply.next),
        })
    }

    /// How many sessions live: all, or those bound to a topic.
    ///
    /// # Errors
    /// As [`Error`] says.
    pub async fn count(&self, topic: Option<Bytes>) -> Result<Counts, Error> {
        let request = v1::CountSessionsRequest { topic: topic.unwrap_or_default() };
        let reply = self
            .nodes
            .call("session count", Aim::Any, Retry::Safe, request, |channel, request| async move {
                client(channel).count(request).await
            })
            .await?;
        let instance = |it: v1::count_sessions_reply::InstanceCount| InstanceCount {
            service: it.service,
            instance: it.instance,
            incarnation: it.incarnation,
            sessions: it.sessions,
        };
        Ok(Counts {
            revision: reply.revision,
            total: reply.total,
            instances: reply.instances.into_iter().map(instance).collect(),
        })
    }

    /// Ends sessions of a user, exactly once; their gateways are told.
    ///
    /// # Errors
    /// As [`Error`] says.
    pub async fn kick(&self, kick: Kick) -> Result<Kicked, Error> {
        let Kick { user, slot, reason, author } = kick;
        let request_id = self.nodes.random.request_id();
        let request = v1::KickRequest { user, slot, reason, author, request_id };
        let reply = self
            .nodes
            .call("session kick", Aim::Leader, Retry::Safe, request, |channel, request| async move {
                client(channel).kick(request).await
            })
            .await?;
        let kicked = |it: v1::kick_reply::Kicked| KickedSession {
            key: from_proto::key(it.key),
            holder: it.holder.map(from_proto::holder),
        };
        Ok(Kicked { revision: reply.revision, sessions: reply.kicked.into_iter().map(kicked).collect() })
    }
}

fn client(channel: Channel) -> SessionsClient<Channel> {
    SessionsClient::new(channel).max_decoding_message_size(limits::ANSWER_BYTES_MAX)
}
