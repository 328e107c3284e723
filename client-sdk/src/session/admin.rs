//! Sessions for tools: walk a page at a time, count. To find one, use [`Lookup`](crate::Lookup).
//!
//! One file beside this one for each of the longer tasks: `scan`, `kick`, `explain`, `rebuild`.

use std::sync::Arc;

use bytes::Bytes;
use keeper_proto::v1::{self, sessions_client::SessionsClient};
use tonic::transport::Channel;

use crate::{
    Error, Part, Session, SessionSelector,
    connection::{Aim, Nodes, Retry},
    limits,
    session::from_proto,
};

/// Sessions for tools; see [`Keeper::sessions`](crate::Keeper::sessions).
#[derive(Debug, Clone)]
pub struct SessionAdmin {
    pub(crate) nodes: Arc<Nodes>,
}

/// Which sessions to list; everything by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListSessions {
    /// Where the page before ended, on any node of the same cluster; empty: from the start. Selector, part and
    /// `since_revision` must be those of the page before.
    pub token: Bytes,
    /// At most 1,000; 0 means 100.
    pub limit: u32,
    /// Only sessions like this.
    pub selector: SessionSelector,
    /// Only this part of them.
    pub part: Part,
    /// Only those registered after this revision: the tail of the walk whose `at_revision` it was. 0: all.
    pub since_revision: u64,
}

/// A page of a walk over sessions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionPage {
    /// The state that answered.
    pub revision: u64,
    /// Registrations after this revision are left out of the whole walk; `since_revision` asks for them.
    pub at_revision: u64,
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

/// Where most sessions are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Top {
    /// The state that answered.
    pub revision: u64,
    /// Of all instances.
    pub total: u64,
    /// Those with most sessions, most first.
    pub topics: Vec<TopicCount>,
    /// Those with most sessions, most first.
    pub instances: Vec<InstanceCount>,
}

/// How many sessions are bound to one topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicCount {
    /// Its name.
    pub topic: Bytes,
    /// How many sessions are bound to it.
    pub sessions: u64,
    /// How many instances hold them: a message to all of them goes to so many gateways.
    pub instances: u32,
}

impl SessionAdmin {
    pub(crate) const fn new(nodes: Arc<Nodes>) -> Self {
        Self { nodes }
    }

    /// A page of a walk over live sessions. [`scan`](Self::scan) walks through all pages by itself.
    ///
    /// # Errors
    /// As [`Error`] says.
    pub async fn list(&self, list: ListSessions) -> Result<SessionPage, Error> {
        let ListSessions { token, limit, selector, part, since_revision } = list;
        let (selector, part) = (Some(selector.to_proto()), Some(part.to_proto()));
        let request = v1::ListSessionsRequest { token, limit, selector, part, since_revision };
        let method = |channel, request| async move { client(channel).list(request).await };
        let reply = self.nodes.call("session list", Aim::Any, Retry::Safe, request, method).await?;
        let owners = from_proto::owners(reply.owners);
        let sessions = reply.sessions.into_iter().map(|it| from_proto::session(it, &owners));
        Ok(SessionPage {
            revision: reply.revision,
            at_revision: reply.at_revision,
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
        let method = |channel, request| async move { client(channel).count(request).await };
        let reply = self.nodes.call("session count", Aim::Any, Retry::Safe, request, method).await?;
        Ok(Counts {
            revision: reply.revision,
            total: reply.total,
            instances: reply.instances.into_iter().map(instance_count).collect(),
        })
    }

    /// The topics and the instances with most sessions: at most `limit` of each, up to 1,000; 0 means 20.
    ///
    /// # Errors
    /// As [`Error`] says.
    pub async fn top(&self, limit: u32) -> Result<Top, Error> {
        let request = v1::TopSessionsRequest { limit };
        let method = |channel, request| async move { client(channel).top(request).await };
        let reply = self.nodes.call("session top", Aim::Any, Retry::Safe, request, method).await?;
        let topic = |it: v1::top_sessions_reply::TopicCount| TopicCount {
            topic: it.topic,
            sessions: it.sessions,
            instances: it.instances,
        };
        Ok(Top {
            revision: reply.revision,
            total: reply.total,
            topics: reply.topics.into_iter().map(topic).collect(),
            instances: reply.instances.into_iter().map(instance_count).collect(),
        })
    }
}

fn instance_count(count: v1::count_sessions_reply::InstanceCount) -> InstanceCount {
    let v1::count_sessions_reply::InstanceCount { service, instance, incarnation, sessions } = count;
    InstanceCount { service, instance, incarnation, sessions }
}

pub(crate) fn client(channel: Channel) -> SessionsClient<Channel> {
    SessionsClient::new(channel).max_decoding_message_size(limits::ANSWER_BYTES_MAX)
}
