//! A two-way stream that opens itself again.
//!
//! The owner drives it by [`Link::event`] from its own `select!` and is told when the stream stands, what arrives and
//! that it broke. What was sent and not answered is the owner's to send again: only the owner knows what a repeated
//! frame means. [`Link::event`] may be dropped at any await without losing anything.

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use http::uri::PathAndQuery;
use tokio::{sync::mpsc, time};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Streaming, client::Grpc, transport::Channel};

use crate::{
    Endpoint, Error,
    connection::{
        Aim, Backoff, Nodes,
        call::asked,
        codec::{Incoming, Outgoing, SharedCodec},
    },
    error::Failure,
    limits,
};

/// What happened to a link.
#[derive(Debug)]
pub(crate) enum LinkEvent<R> {
    /// A new stream stands; nothing has been sent on it.
    Opened,
    /// An answer.
    Reply(R),
    /// The stream is gone; what was not answered may or may not have arrived.
    Broken(Error),
}

pub(crate) struct Link<Q, R> {
    nodes: Arc<Nodes>,
    aim: Aim,
    path: &'static str,
    window: usize,
    backoff: Backoff,
    state: State<Q, R>,
}

enum State<Q, R> {
    Pausing(Pin<Box<dyn Future<Output = ()> + Send>>),
    Opening(Opening<Q, R>),
    /// Boxed: it is ten times the size of the others.
    Up(Box<Up<Q, R>>),
}

type Opening<Q, R> = Pin<Box<dyn Future<Output = Result<Box<Up<Q, R>>, (Option<Endpoint>, Failure)>> + Send>>;

struct Up<Q, R> {
    endpoint: Endpoint,
    outgoing: mpsc::Sender<Arc<Q>>,
    incoming: Streaming<R>,
}

impl<Q: Outgoing, R: Incoming> Link<Q, R> {
    /// A link by the method at `path`; at most `window` frames wait unanswered on it.
    pub(crate) fn new(nodes: Arc<Nodes>, aim: Aim, path: &'static str, window: usize) -> Self {
        let backoff = Backoff::new(nodes.random.clone());
        let state = State::Pausing(Box::pin(std::future::ready(())));
        Self { nodes, aim, path, window, backoff, state }
    }

    pub(crate) fn nodes(&self) -> &Nodes {
        &self.nodes
    }

    pub(crate) const fn is_up(&self) -> bool {
        matches!(self.state, State::Up(_))
    }

    /// Sends on the present stream. False when there is none, or it has broken without having said so yet.
    pub(crate) fn send(&mut self, frame: Arc<Q>) -> bool {
        match &self.state {
            State::Up(up) => up.outgoing.try_send(frame).is_ok(),
            State::Pausing(_) | State::Opening(_) => false,
        }
    }

    /// The answers make sense: the next failure is a new one, and a node that answers writes leads.
    pub(crate) fn confirm(&mut self) {
        self.backoff.reset();
        if let State::Up(up) = &self.state
            && self.aim == Aim::Leader
        {
            self.nodes.leads(&up.endpoint);
        }
    }

    /// Gives the present stream up because of an answer in it, or because answers stay away.
    pub(crate) fn fail(&mut self, failure: Failure) -> Error {
        let endpoint = match &self.state {
            State::Up(up) => Some(up.endpoint.clone()),
            State::Pausing(_) | State::Opening(_) => None,
        };
        self.broken(endpoint, failure)
    }

    /// What happens next.
    pub(crate) async fn event(&mut self) -> LinkEvent<R> {
        loop {
            match &mut self.state {
                State::Pausing(pause) => {
                    pause.await;
                    self.state = State::Opening(self.open());
                }
                State::Opening(opening) => match opening.await {
                    Ok(up) => {
                        self.state = State::Up(up);
                        return LinkEvent::Opened;
                    }
                    Err((endpoint, failure)) => return LinkEvent::Broken(self.broken(endpoint, failure)),
                },
                State::Up(up) => {
                    let failure = match up.incoming.message().await {
                        Ok(Some(reply)) => return LinkEvent::Reply(reply),
                        Ok(None) => Failure::gone(Error::unreachable(
                            format!("{} ended the stream", up.endpoint),
                            crate::Happened::Maybe,
                        )),
                        Err(status) => Failure::from_status(&status),
                    };
                    let endpoint = up.endpoint.clone();
                    return LinkEvent::Broken(self.broken(Some(endpoint), failure));
                }
            }
        }
    }

    fn broken(&mut self, endpoint: Option<Endpoint>, failure: Failure) -> Error {
        if let Some(endpoint) = endpoint {
            tracing::debug!(method = self.path, node = %endpoint, error = %failure.error, "stream broke");
            self.nodes.failed(&endpoint, &failure);
        }
        let pause = self.backoff.next(asked(&failure.error));
        self.state = State::Pausing(pausing(self.nodes.clone(), pause));
        failure.error
    }

    fn open(&self) -> Opening<Q, R> {
        let (nodes, aim, path, window) = (self.nodes.clone(), self.aim.clone(), self.path, self.window);
        Box::pin(async move {
            let node = nodes.pick(&aim).map_err(|error| (None, Failure::gone(error)))?;
            let (outgoing, frames) = mpsc::channel(window);
            let patience = nodes.settings.attempt_timeout;
            let incoming = match time::timeout(patience, stream(node.channel, path, frames)).await {
                Ok(Ok(incoming)) => incoming,
                Ok(Err(failure)) => return Err((Some(node.endpoint), failure)),
                Err(_) => return Err((Some(node.endpoint), silence(path, patience))),
            };
            Ok(Box::new(Up { endpoint: node.endpoint, outgoing, incoming }))
        })
    }
}

fn pausing(nodes: Arc<Nodes>, pause: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(async move { nodes.pause(pause).await })
}

/// A node that keeps a connection but does not answer.
pub(crate) fn silence(operation: &'static str, after: Duration) -> Failure {
    Failure::gone(Error::Timeout { operation, after, happened: crate::Happened::Maybe })
}

async fn stream<Q, R>(
    channel: Channel,
    path: &'static str,
    frames: mpsc::Receiver<Arc<Q>>,
) -> Result<Streaming<R>, Failure>
where
    Q: Outgoing,
    R: Incoming,
{
    let mut client = Grpc::new(channel).max_decoding_message_size(limits::ANSWER_BYTES_MAX);
    client.ready().await.map_err(|error| Failure::from_status(&tonic::Status::from_error(Box::new(error))))?;
    let request = Request::new(ReceiverStream::new(frames));
    let reply = client
        .streaming(request, PathAndQuery::from_static(path), SharedCodec::<Q, R>::new())
        .await
        .map_err(|status| Failure::from_status(&status))?;
    Ok(reply.into_inner())
}
