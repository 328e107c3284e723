//! A one-way stream that goes on from its cursor, on whichever node answers.
//!
//! A node that has had nothing to say for some seconds says so, if it can show that it would know. Whoever hears
//! nothing for longer goes elsewhere.
//!
//! No task: the stream is driven by whoever reads it, and HTTP/2 flow control holds the server back when nobody does.

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use http::uri::PathAndQuery;
use tokio::time::{self, Instant};
use tonic::{Request, Response, Status, Streaming, client::Grpc, transport::Channel};

use crate::{
    Error, Happened,
    connection::{
        Aim, Backoff, Node, Nodes,
        call::asked,
        codec::{Incoming, Outgoing, SharedCodec},
        link::silence,
    },
    error::Failure,
    limits,
};

/// What is followed, and how far it has been told.
pub(crate) trait Follow: Send {
    /// A frame of the stream.
    type Frame: Send + 'static;

    /// For logs and errors.
    const NAME: &'static str;

    /// After how long without a frame a node is taken for one that is cut off; none where a stream may be silent.
    const SILENCE_MAX: Option<Duration> = Some(limits::WATCH_SILENCE_MAX);

    /// Asks a node to go on from the cursor.
    fn open(&self, channel: Channel) -> Opening<Self::Frame>;

    /// Takes a frame that says no more than that there is nothing new up to its cursor; false: it says something.
    fn quiet(&mut self, frame: &Self::Frame) -> bool;

    /// Nothing comes for now, and why.
    fn troubled(&mut self, _error: &Error) {}

    /// Whether the rest of a change is in the frames behind this one.
    fn is_partial(_frame: &Self::Frame) -> bool {
        false
    }

    /// Adds the next frame of the same change.
    fn join(_whole: &mut Self::Frame, _next: Self::Frame) {}
}

/// A stream being opened.
pub(crate) type Opening<F> = Pin<Box<dyn Future<Output = Result<Response<Streaming<F>>, Status>> + Send>>;

/// Opens a stream whose messages are read by other than generated code.
pub(crate) async fn follow<Q, R>(
    channel: Channel,
    path: &'static str,
    request: Q,
) -> Result<Response<Streaming<R>>, Status>
where
    Q: Outgoing,
    R: Incoming,
{
    let mut client = Grpc::new(channel).max_decoding_message_size(limits::ANSWER_BYTES_MAX);
    client.ready().await.map_err(|error| Status::from_error(Box::new(error)))?;
    let request = Request::new(Arc::new(request));
    client.server_streaming(request, PathAndQuery::from_static(path), SharedCodec::<Q, R>::new()).await
}

struct Open<F> {
    node: Node,
    frames: Streaming<F>,
    heard_at: Instant,
}

pub(crate) struct Resumed<W: Follow> {
    /// The owner moves the cursor in here as it takes frames.
    pub(crate) followed: W,
    nodes: Arc<Nodes>,
    backoff: Backoff,
    stream: Option<Open<W::Frame>>,
    /// The beginning of a change whose rest is still to come on this stream.
    begun: Option<W::Frame>,
    /// Why there has been no frame since the last one.
    trouble: Option<Error>,
}

impl<F> Open<F> {
    /// The next frame. A node that has nothing to say says so, unless it is cut off.
    async fn message(&mut self, silence_max: Option<Duration>, name: &'static str) -> Result<F, Failure> {
        let message = match silence_max {
            Some(patience) => match time::timeout_at(self.heard_at + patience, self.frames.message()).await {
                Ok(message) => message,
                Err(_) => return Err(silence(name, patience)),
            },
            None => self.frames.message().await,
        };
        self.heard_at = Instant::now();
        match message {
            Ok(Some(frame)) => Ok(frame),
            Ok(None) => Err(Failure::gone(Error::unreachable("the node ended the stream", Happened::No))),
            Err(status) => Err(Failure::from_status(&status)),
        }
    }
}

impl<W: Follow> Resumed<W> {
    pub(crate) fn new(nodes: Arc<Nodes>, followed: W) -> Self {
        let backoff = Backoff::new(nodes.random.clone());
        Self { followed, nodes, backoff, stream: None, begun: None, trouble: None }
    }

    /// Opens anew before the next frame: what is followed has changed.
    pub(crate) fn reopen(&mut self) {
        self.stream = None;
        self.begun = None;
    }

    /// The next frame, if it comes within a time; else why it did not.
    pub(crate) async fn frame_within(&mut self, patience: Duration) -> Result<W::Frame, Error> {
        if let Ok(frame) = time::timeout(patience, self.frame()).await {
            return frame;
        }
        let silence = || Error::Timeout { operation: W::NAME, after: patience, happened: Happened::No };
        Err(self.trouble.take().unwrap_or_else(silence))
    }

    /// The next frame, after however many reconnects it takes. Fails only with what no other node would answer
    /// differently. May be dropped at any await.
    pub(crate) async fn frame(&mut self) -> Result<W::Frame, Error> {
        loop {
            let failure = match self.stream.as_mut() {
                None => match self.connect().await {
                    Ok(()) => continue,
                    Err(failure) => failure,
                },
                Some(open) => match open.message(W::SILENCE_MAX, W::NAME).await {
                    Ok(frame) => {
                        self.backoff.reset();
                        self.trouble = None;
                        match self.whole(frame) {
                            Some(whole) if self.followed.quiet(&whole) => continue,
                            Some(whole) => return Ok(whole),
                            None => continue,
                        }
                    }
                    Err(failure) => {
                        self.nodes.failed(&open.node.endpoint, &failure);
                        failure
                    }
                },
            };
            self.reopen();
            if !failure.error.is_retryable() {
                return Err(failure.error);
            }
            tracing::debug!(watch = W::NAME, error = %failure.error, "resuming");
            self.followed.troubled(&failure.error);
            let pause = self.backoff.next(asked(&failure.error));
            self.trouble = Some(failure.error);
            self.nodes.pause(pause).await;
        }
    }

    /// The change this frame completes, if it does.
    fn whole(&mut self, frame: W::Frame) -> Option<W::Frame> {
        let is_partial = W::is_partial(&frame);
        let whole = match self.begun.take() {
            Some(mut begun) => {
                W::join(&mut begun, frame);
                begun
            }
            None => frame,
        };
        if is_partial {
            self.begun = Some(whole);
            return None;
        }
        Some(whole)
    }

    async fn connect(&mut self) -> Result<(), Failure> {
        let node = self.nodes.pick(&Aim::Any).map_err(Failure::silent)?;
        let patience = self.nodes.settings.attempt_timeout;
        let opened = time::timeout(patience, self.followed.open(node.channel.clone())).await;
        let failure = match opened {
            Ok(Ok(reply)) => {
                self.stream = Some(Open { node, frames: reply.into_inner(), heard_at: Instant::now() });
                return Ok(());
            }
            Ok(Err(status)) => Failure::from_status(&status),
            Err(_) => silence(W::NAME, patience),
        };
        self.nodes.failed(&node.endpoint, &failure);
        Err(failure)
    }
}
