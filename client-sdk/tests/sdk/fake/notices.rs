//! `Notices`: those of an incarnation, from a cursor that counts all notices there ever were.

use futures_util::{StreamExt, stream};
use keeper_proto::v1::{NoticesReply, NoticesRequest};
use tonic::{Response, Status};

use super::{Node, Replies, refused, state::Book, status};

impl Node {
    pub(crate) fn tell_notices(&self, request: NoticesRequest) -> Result<Response<Replies<NoticesReply>>, Status> {
        let NoticesRequest { incarnation, cursor, state_id } = request;
        let refusal = self.state.read(|book| match () {
            () if state_id != book.state_id => Some("foreign-state"),
            () if !book.is_open(incarnation) => Some("incarnation-closed"),
            () => None,
        });
        if let Some(reason) = refusal {
            return Err(status(&refused(reason)));
        }
        let told = read(&cursor);
        let mut breaks = self.state.breaks.subscribe();
        let broken = async move { drop(breaks.changed().await) };
        let changes = self.state.changes();
        let replies = stream::unfold((self.clone(), told, changes), move |(node, told, mut changes)| async move {
            loop {
                changes.mark_unchanged();
                if !node.state.read(|book| book.is_open(incarnation)) {
                    return None;
                }
                if let Some((frame, told)) = node.state.read(|book| since(book, incarnation, told)) {
                    return Some((Ok(frame), (node, told, changes)));
                }
                changes.changed().await.ok()?;
            }
        });
        Ok(Response::new(replies.take_until(broken).boxed()))
    }
}

fn since(book: &Book, incarnation: u64, told: usize) -> Option<(NoticesReply, usize)> {
    let next = book.notices.len();
    let cursor = write(next);
    if told < book.notices_floor {
        return Some((NoticesReply { notices: Vec::new(), cursor, reset: true }, next));
    }
    let of = book.notices.iter().skip(told).filter(|(of, _)| *of == incarnation);
    let notices: Vec<_> = of.map(|(_, notice)| notice.clone()).collect();
    (!notices.is_empty()).then_some((NoticesReply { notices, cursor, reset: false }, next))
}

fn write(told: usize) -> bytes::Bytes {
    told.to_string().into()
}

/// A cursor as the double writes them.
pub(crate) fn read(cursor: &[u8]) -> usize {
    std::str::from_utf8(cursor).ok().and_then(|it| it.parse().ok()).unwrap_or(0)
}
