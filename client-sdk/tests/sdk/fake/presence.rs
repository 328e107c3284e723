//! `keeper.v1.Sessions/Presence`: the facts of the book, told by any node from any token, and at rest an idle frame now
//! and then. A token is the number of facts told.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use keeper_proto::v1::{PresenceFact, PresenceReply, PresenceRequest, presence_fact, presence_reply::Place};
use tokio::time;
use tonic::{Response, Status};

use super::{Node, Replies, state::Book};

/// More often than the real ones, so that tests need not wait.
const IDLE: Duration = Duration::from_millis(50);

/// Facts told at once, so that a handful of them makes several frames.
const FRAME: u64 = 3;

impl Node {
    pub(crate) fn tell_presence(&self, request: PresenceRequest) -> Response<Replies<PresenceReply>> {
        let (node, number) = (self.clone(), self.number);
        let told = self.state.change(|book| {
            book.subscriptions.push((number, request.clone()));
            if request.token.is_empty() { book.facts.len() as u64 } else { number_in(&request.token) }
        });
        let mut breaks = self.state.breaks.subscribe();
        let start = (node, told, request.token.is_empty());
        let replies = stream::unfold(start, |(node, told, at_once)| async move {
            let (reply, told) = node.next_presence(told, at_once).await;
            Some((Ok::<_, Status>(reply), (node, told, false)))
        });
        let broken = async move { drop(breaks.changed().await) };
        Response::new(replies.take_until(broken).boxed())
    }

    async fn next_presence(&self, told: u64, at_once: bool) -> (PresenceReply, u64) {
        let mut changes = self.state.changes();
        let mut idle = at_once;
        loop {
            if self.state.read(|book| book.mute.contains(&self.number)) {
                std::future::pending::<()>().await;
            }
            if let Some(next) = self.state.read(|book| read(book, self.number, told, idle)) {
                return next;
            }
            idle = !matches!(time::timeout(IDLE, changes.changed()).await, Ok(Ok(())));
        }
    }
}

/// What comes after the facts told; at rest nothing, unless it is time for an idle frame.
fn read(book: &Book, node: usize, told: u64, idle: bool) -> Option<(PresenceReply, u64)> {
    let count = book.facts.len() as u64;
    let floor = book.floors.get(&node).copied().unwrap_or(0);
    let reset = told < floor;
    let end = if reset { count } else { count.min(told + FRAME) };
    if end == told && !idle {
        return None;
    }
    let facts = if reset { Vec::new() } else { book.facts[told as usize..end as usize].to_vec() };
    let places = vec![Place { service: "room".into(), instance: "room-1".into(), incarnation: 1 }];
    let token = end.to_be_bytes().to_vec().into();
    let revision = if end == count { book.revision + 1 } else { facts.last().map_or(0, |it| it.revision) };
    Some((PresenceReply { facts, token, reset, places, revision }, end))
}

fn number_in(token: &[u8]) -> u64 {
    u64::from_be_bytes(token.try_into().expect("a token of this double"))
}

impl Book {
    /// A user came online.
    pub(crate) fn comes(&mut self, user: &str) {
        self.revision += 1;
        let revision = self.revision;
        self.facts.push(PresenceFact {
            key: Some(super::sessions::key(user)),
            epoch: Some(keeper_proto::v1::Epoch { revision, position: 0 }),
            revision,
            event: Some(presence_fact::Event::Online(presence_fact::Online {})),
            ..PresenceFact::default()
        });
    }
}
