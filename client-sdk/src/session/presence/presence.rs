//! The handle of one subscription.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    vec,
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream::BoxStream};
use keeper_proto::v1::PresenceReply;

use crate::{
    Error, PresenceEvent, PresenceFact, Scan, ScanSessions, SessionSelector, Subscription,
    connection::Nodes,
    session::presence::{facts, follower::Follower, places},
    tasks::Tasks,
};

/// Who comes, who goes, who moves; see [`Keeper::presence`](crate::Keeper::presence). A slow reader holds the server
/// back, not the other way round, and is told of a [reset](PresenceEvent::Reset) when it falls behind what is kept.
pub struct Presence {
    nodes: Arc<Nodes>,
    selector: SessionSelector,
    frames: BoxStream<'static, Result<PresenceFrame, Error>>,
    events: vec::IntoIter<PresenceEvent>,
    revision: u64,
    /// Before the events above, and after them.
    before: Bytes,
    reached: Bytes,
    /// Keeps the client alive.
    _tasks: Arc<Tasks>,
}

/// What one message tells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PresenceFrame {
    /// Facts between the frame before and this one are gone on every node: [`Presence::resync`], then go on.
    pub reset: bool,
    /// In the order they happened; may be none: then nothing happened before `revision`.
    pub facts: Vec<PresenceFact>,
    /// Go on from here once the facts have been dealt with.
    pub token: Bytes,
    /// Everything of a revision before this one has been told.
    pub revision: u64,
}

impl PresenceFrame {
    /// Another node may promise less than the one before: it has less, or more that is not told yet. What was promised
    /// holds all the same, until a reset.
    fn behind(mut self, promised: u64) -> Self {
        if !self.reset {
            self.revision = self.revision.max(promised);
        }
        self
    }
}

impl Presence {
    pub(crate) fn new(nodes: Arc<Nodes>, tasks: Arc<Tasks>, subscription: Subscription) -> Self {
        let (selector, token) = (subscription.selector(), subscription.token().clone());
        let follower = Follower::new(nodes.clone(), subscription);
        let frames = futures_util::stream::unfold((Some(follower), 0), |(follower, promised)| async move {
            let mut follower = follower?;
            match follower.frame().await.and_then(frame) {
                Ok(frame) => {
                    let frame = frame.behind(promised);
                    let promised = frame.revision;
                    Some((Ok(frame), (Some(follower), promised)))
                }
                Err(error) => Some((Err(error), (None, promised))),
            }
        });
        Self {
            nodes,
            selector,
            frames: frames.boxed(),
            events: Vec::new().into_iter(),
            revision: 0,
            before: token.clone(),
            reached: token,
            _tasks: tasks,
        }
    }

    /// Resolves once it is settled from where on facts are told, with the token of that place: at once when the
    /// subscription named one, else when a node has answered. Everything that happens afterwards is told.
    ///
    /// # Errors
    /// As [`next`](Self::next).
    pub async fn opened(&mut self) -> Result<Bytes, Error> {
        while self.reached.is_empty() {
            match self.frames.next().await {
                Some(frame) => self.turn(frame?),
                None => return Err(Error::Ended { what: "the presence stream", happened: crate::Happened::No }),
            }
        }
        Ok(self.token().clone())
    }

    /// The next event; none after an error, which is the last item.
    ///
    /// # Errors
    /// Only what no other node would answer differently: a token of another cluster, say. Everything else is tried
    /// again.
    pub async fn next(&mut self) -> Option<Result<PresenceEvent, Error>> {
        StreamExt::next(self).await
    }

    /// The events of the next message at once, without those that [`next`](Self::next) took already. A message comes
    /// at least once a second, with or without facts. None after an error, which is the last item.
    ///
    /// # Errors
    /// As [`next`](Self::next).
    pub async fn frame(&mut self) -> Option<Result<PresenceFrame, Error>> {
        if self.events.len() > 0 {
            let mut left = PresenceFrame { token: self.reached.clone(), revision: self.revision, ..Default::default() };
            for event in self.events.by_ref() {
                match event {
                    PresenceEvent::Fact(fact) => left.facts.push(fact),
                    PresenceEvent::Reset => left.reset = true,
                }
            }
            return Some(Ok(left));
        }
        let frame = self.frames.next().await?;
        if let Ok(frame) = &frame {
            self.reached.clone_from(&frame.token);
            self.revision = frame.revision;
        }
        Some(frame)
    }

    /// Where to go on, by another process perhaps: everything before was taken. Moves on when the last event of a
    /// message is taken, so that of what was taken since some may come again; with [`frame`](Self::frame) none does.
    /// Empty until the stream has [opened](Self::opened).
    #[must_use]
    pub fn token(&self) -> &Bytes {
        if self.events.len() == 0 { &self.reached } else { &self.before }
    }

    /// Everything of a revision before this one has been told, or is in the message under way.
    #[must_use]
    pub const fn revision(&self) -> u64 {
        self.revision
    }

    /// A walk over the sessions that are followed. After [`PresenceEvent::Reset`], or at the beginning after
    /// [`opened`](Self::opened): take the walk to its end, let it replace what was known, then go on with
    /// [`next`](Self::next). Nothing falls between the two; what happened during the walk comes in facts, whose epochs
    /// tell whether the walk knew it. Sessions that linger are among them: whoever follows was told that they are
    /// online, and not yet that they are not.
    #[must_use]
    pub fn resync(&self) -> Scan {
        let selector = self.selector.clone();
        Scan::over_seen(self.nodes.clone(), ScanSessions { selector, ..ScanSessions::default() })
    }

    fn turn(&mut self, frame: PresenceFrame) {
        let PresenceFrame { reset, facts, token, revision } = frame;
        let events = reset.then_some(PresenceEvent::Reset).into_iter();
        self.events = events.chain(facts.into_iter().map(PresenceEvent::Fact)).collect::<Vec<_>>().into_iter();
        self.before = std::mem::replace(&mut self.reached, token);
        self.revision = revision;
    }
}

impl Stream for Presence {
    type Item = Result<PresenceEvent, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(event) = self.events.next() {
                return Poll::Ready(Some(Ok(event)));
            }
            match ready!(self.frames.poll_next_unpin(context)) {
                Some(Ok(frame)) => self.turn(frame),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
    }
}

impl fmt::Debug for Presence {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Presence").field("of", &self.selector).field("revision", &self.revision).finish()
    }
}

fn frame(reply: PresenceReply) -> Result<PresenceFrame, Error> {
    let PresenceReply { facts: told, token, reset, places: named, revision } = reply;
    Ok(PresenceFrame { reset, facts: facts(told, &places(named))?, token, revision })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_promise_is_not_taken_back_by_a_node_that_promises_less() {
        let frame = |revision, reset| PresenceFrame { revision, reset, ..PresenceFrame::default() };
        assert_eq!(frame(671, false).behind(673).revision, 673);
        assert_eq!(frame(675, false).behind(673).revision, 675);
        assert_eq!(frame(600, true).behind(673).revision, 600);
    }
}
