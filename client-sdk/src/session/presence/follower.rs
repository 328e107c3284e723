//! Follows presence on one node after the other.
//!
//! Like [`Resumed`](crate::connection::Resumed), with two things more. A node that has kept silent for longer than an
//! idle frame is late is given up, although its connection may stand: the node may be stuck. And a node that no longer
//! has the facts after the token is only believed when no other node has them either: its stream is kept aside
//! meanwhile, and taken up again when all were tried.

use std::sync::Arc;

use keeper_proto::v1::{PresenceReply, PresenceRequest};
use tokio::time::{self, Instant};
use tonic::Streaming;

use crate::{
    Endpoint, Error, Happened, Subscription,
    connection::{Aim, Backoff, Node, Nodes, asked, silence},
    error::Failure,
    limits,
    session::admin::client,
};

const NAME: &str = "presence";

pub(super) struct Follower {
    nodes: Arc<Nodes>,
    subscription: Subscription,
    backoff: Backoff,
    stream: Option<Open>,
    search: Option<Search>,
}

/// A stream of one node.
struct Open {
    node: Node,
    frames: Streaming<PresenceReply>,
    heard_at: Instant,
}

/// Looking for a node that still has the facts after the token.
struct Search {
    /// The node that said first that it has not, and what it said: taken up again if no other has them.
    aside: Open,
    reset: PresenceReply,
    /// Those that have them no longer, or do not answer.
    tried: Vec<Endpoint>,
}

impl Follower {
    pub(super) fn new(nodes: Arc<Nodes>, subscription: Subscription) -> Self {
        let backoff = Backoff::new(nodes.random.clone());
        Self { nodes, subscription, backoff, stream: None, search: None }
    }

    /// The next frame, after however many reconnects it takes. Fails only with what no other node would answer
    /// differently. May be dropped at any await.
    pub(super) async fn frame(&mut self) -> Result<PresenceReply, Error> {
        loop {
            let Some(aim) = self.aim() else {
                if let Some(Search { aside, reset, .. }) = self.search.take() {
                    self.stream = Some(Open { heard_at: Instant::now(), ..aside });
                    return Ok(self.reach(reset));
                }
                continue;
            };
            let failure = match self.hear(&aim).await {
                Ok(frame) if frame.reset && self.seek(&frame) => continue,
                Ok(frame) => {
                    self.search = None;
                    return Ok(self.reach(frame));
                }
                Err(failure) => failure,
            };
            self.stream = None;
            if let (Some(search), Aim::At(endpoint)) = (&mut self.search, aim) {
                search.tried.push(endpoint);
                continue;
            }
            if !failure.error.is_retryable() {
                return Err(failure.error);
            }
            tracing::debug!(watch = NAME, error = %failure.error, "resuming");
            let pause = self.backoff.next(asked(&failure.error));
            self.nodes.pause(pause).await;
        }
    }

    /// Whom to ask if no stream is open; none when all were tried.
    fn aim(&self) -> Option<Aim> {
        let Some(search) = &self.search else { return Some(Aim::Any) };
        let untried = |it: &Endpoint| !search.tried.contains(it);
        self.nodes.endpoints().into_iter().find(untried).map(Aim::At)
    }

    /// A frame of the stream that is open, or of a new one.
    async fn hear(&mut self, aim: &Aim) -> Result<PresenceReply, Failure> {
        let open = match &mut self.stream {
            Some(open) => open,
            None => {
                let open = open(&self.nodes, aim, self.subscription.to_proto()).await?;
                self.stream.insert(open)
            }
        };
        let patience = limits::PRESENCE_SILENCE_MAX;
        let failure = match time::timeout_at(open.heard_at + patience, open.frames.message()).await {
            Ok(Ok(Some(frame))) => {
                open.heard_at = Instant::now();
                self.backoff.reset();
                return Ok(frame);
            }
            Ok(Ok(None)) => Failure::gone(Error::unreachable("the node ended the stream", Happened::No)),
            Ok(Err(status)) => Failure::from_status(&status),
            Err(_) => silence(NAME, patience),
        };
        self.nodes.failed(&open.node.endpoint, &failure);
        Err(failure)
    }

    /// Puts the stream that told of a reset aside, if another node may have what this one has not.
    fn seek(&mut self, reset: &PresenceReply) -> bool {
        let Some(open) = self.stream.take() else { return false };
        let endpoint = open.node.endpoint.clone();
        match &mut self.search {
            Some(search) => search.tried.push(endpoint),
            None => self.search = Some(Search { aside: open, reset: reset.clone(), tried: vec![endpoint] }),
        }
        true
    }

    fn reach(&mut self, frame: PresenceReply) -> PresenceReply {
        self.subscription.reach(frame.token.clone());
        frame
    }
}

async fn open(nodes: &Nodes, aim: &Aim, request: PresenceRequest) -> Result<Open, Failure> {
    let node = nodes.pick(aim).map_err(Failure::silent)?;
    let patience = nodes.settings.attempt_timeout;
    let failure = match time::timeout(patience, client(node.channel.clone()).presence(request)).await {
        Ok(Ok(reply)) => return Ok(Open { node, frames: reply.into_inner(), heard_at: Instant::now() }),
        Ok(Err(status)) => Failure::from_status(&status),
        Err(_) => silence(NAME, patience),
    };
    nodes.failed(&node.endpoint, &failure);
    Err(failure)
}
