//! One append stream to one peer, kept open between uses.
//!
//! openraft opens an append stream for each session: a long one for replication, one of a single request for every
//! heartbeat and every round of reads. Opening an HTTP/2 stream costs more than the request itself, so the lane
//! outlives the session and the next one goes on with it, **provided nothing is under way on it**: then the next answer
//! can only belong to the next request. A session given up with requests under way leaves a lane that nobody uses
//! again.

use std::collections::VecDeque;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::task::noop_waker_ref;
use keeper_proto::peer::Envelope;
use keeper_proto::peer::envelope::Kind;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

use super::peers::{CallError, Peer};
use crate::raft::limits::{APPEND_BYTES_IN_FLIGHT_MAX, APPENDS_IN_FLIGHT_MAX, CONNECT_MAX};

#[derive(Debug)]
pub(super) struct Lane {
    requests: mpsc::Sender<Envelope>,
    answers: Streaming<Envelope>,
    /// Sizes of the requests not yet answered, oldest first.
    under_way: VecDeque<usize>,
    bytes_under_way: usize,
    ended: bool,
}

impl Lane {
    pub(super) async fn open(peer: &Peer) -> Result<Self, CallError> {
        // As many as may be under way: then sending never waits and never fails for want of room.
        let (requests, outgoing) = mpsc::channel(APPENDS_IN_FLIGHT_MAX);
        let mut client = peer.client();
        let opening = client.append(ReceiverStream::new(outgoing));
        let answers = tokio::time::timeout(CONNECT_MAX, opening)
            .await
            .map_err(|_| peer.silent(CONNECT_MAX))?
            .map_err(|status| peer.unreachable(status))?
            .into_inner();
        Ok(Self { requests, answers, under_way: VecDeque::new(), bytes_under_way: 0, ended: false })
    }

    /// Whether another session may use it.
    pub(super) fn is_reusable(&mut self) -> bool {
        let mut cx = Context::from_waker(noop_waker_ref());
        // An idle stream has nothing to say, unless the peer has ended it.
        !self.ended && self.is_idle() && self.answers.poll_next_unpin(&mut cx).is_pending()
    }

    pub(super) fn is_idle(&self) -> bool {
        self.under_way.is_empty()
    }

    pub(super) fn has_room(&self) -> bool {
        let room = self.under_way.len() < APPENDS_IN_FLIGHT_MAX;
        room && (self.bytes_under_way < APPEND_BYTES_IN_FLIGHT_MAX) && !self.ended
    }

    pub(super) fn send(&mut self, request: Envelope) {
        let size = request.body.len();
        // Fails only when the connection has ended; the answers then end too, and say why.
        if self.requests.try_send(request).is_ok() {
            self.under_way.push_back(size);
            self.bytes_under_way += size;
        }
    }

    /// The answer to the oldest request. After an error the lane is of no use.
    pub(super) fn poll_answer(&mut self, peer: &Peer, cx: &mut Context<'_>) -> Poll<Result<Bytes, CallError>> {
        let Poll::Ready(answer) = self.answers.poll_next_unpin(cx) else { return Poll::Pending };
        let opened = match answer {
            Some(Ok(answer)) => peer.open(answer, Kind::Append),
            Some(Err(status)) => Err(peer.unreachable(status)),
            None => Err(peer.refused("the append stream ended".to_owned())),
        };
        self.ended |= opened.is_err();
        self.bytes_under_way -= self.under_way.pop_front().unwrap_or(0);
        Poll::Ready(opened)
    }
}
