//! A session on a [`Lane`]: requests go out as they come, answers come back in the same order.
//!
//! Both directions are polled by the one task that consumes the answers; there is no task of its own to outlive it.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use keeper_proto::peer::envelope::Kind;
use openraft::alias::LeaderIdOf;
use openraft::errors::RPCError;
use openraft::raft::{AppendEntriesRequest, StreamAppendResult};
use tokio::time::Sleep;

use super::lane::Lane;
use super::peers::CallError;
use super::rpc_error;
use super::witness::Witness;
use crate::clock;
use crate::raft::encode;
use crate::raft::limits::APPEND_SILENCE_MAX;
use crate::raft::type_config::TypeConfig;

type LeaderId = LeaderIdOf<TypeConfig>;

pub(super) struct AppendStream<'s, S> {
    witness: Witness<'s>,
    lane: &'s mut Lane,
    /// Who asks: one stream serves one leader. `None` as long as nothing was asked.
    leader: Option<LeaderId>,
    /// `None` when it has ended.
    input: Option<S>,
    watchdog: Pin<Box<Sleep>>,
    finished: bool,
}

impl<'s, S> AppendStream<'s, S>
where
    S: Stream<Item = AppendEntriesRequest<TypeConfig>> + Unpin,
{
    pub(super) fn new(witness: Witness<'s>, lane: &'s mut Lane, input: S) -> Self {
        let watchdog = Box::pin(tokio::time::sleep(APPEND_SILENCE_MAX));
        Self { witness, lane, leader: None, input: Some(input), watchdog, finished: false }
    }

    fn send_what_there_is(&mut self, cx: &mut Context<'_>) {
        while self.lane.has_room()
            && let Some(input) = &mut self.input
            && let Poll::Ready(request) = input.poll_next_unpin(cx)
        {
            let Some(request) = request else {
                self.input = None;
                return;
            };
            if self.lane.is_idle() {
                self.rearm();
            }
            self.leader = Some(request.vote.leader_id);
            self.lane.send(self.witness.peer.envelope(Kind::Append, encode::append_request(&request)));
        }
    }

    fn rearm(&mut self) {
        self.watchdog.as_mut().reset(clock::now() + APPEND_SILENCE_MAX);
    }

    fn decode(&self, answer: Bytes) -> Result<StreamAppendResult<TypeConfig>, CallError> {
        encode::decode_append_result(answer).map_err(|source| self.witness.peer.malformed(source))
    }
}

impl<S> Stream for AppendStream<'_, S>
where
    S: Stream<Item = AppendEntriesRequest<TypeConfig>> + Unpin,
{
    type Item = Result<StreamAppendResult<TypeConfig>, RPCError<TypeConfig>>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if this.finished {
            return Poll::Ready(None);
        }
        this.send_what_there_is(cx);
        if let Poll::Ready(answer) = this.lane.poll_answer(this.witness.peer, cx) {
            let answer = answer.and_then(|answer| this.decode(answer));
            // The peer ends its side after any answer but a success.
            this.finished = !matches!(answer, Ok(Ok(_)));
            this.rearm();
            let told = answer.and_then(|answer| match this.leader {
                Some(leader) => this.witness.weigh(leader, answer),
                None => Ok(answer),
            });
            return Poll::Ready(Some(told.map_err(rpc_error)));
        }
        if this.lane.is_idle() {
            return if this.input.is_none() { Poll::Ready(None) } else { Poll::Pending };
        }
        ready!(this.watchdog.as_mut().poll(cx));
        this.finished = true;
        Poll::Ready(Some(Err(rpc_error(this.witness.peer.silent(APPEND_SILENCE_MAX)))))
    }
}

impl<S> fmt::Debug for AppendStream<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "append stream to {:?}", self.witness.peer)
    }
}
