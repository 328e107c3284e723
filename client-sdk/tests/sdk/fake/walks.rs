//! Walks over the users of the book, in the order of their names. A token is the walk's revision and the number of
//! users passed; one in `of` belongs to a part.

use futures_util::{StreamExt, stream};
use keeper_proto::v1::{self, Part, ScanReply, ScanRequest, SessionSelector, lookup_reply};
use tonic::{Response, Status};

use super::{Node, Replies, state::Book, status, unavailable};

/// Users of one message.
const PAGE: usize = 4;

impl Node {
    pub(crate) fn walk(&self, request: ScanRequest) -> Response<Replies<ScanReply>> {
        self.state.change(|book| book.walks.push((self.number, request.clone())));
        let mut breaks = self.state.breaks.subscribe();
        let pages = stream::unfold((self.clone(), Some(request)), |(node, request)| async move {
            let mut request = request?;
            let (page, idle) = node.state.change(|book| {
                let broken = book.break_walks > 0 && !request.token.is_empty();
                book.break_walks -= usize::from(broken);
                book.walks_full |= broken && book.broken_walks_fill;
                let idle = book.idle_walks > 0 && !request.token.is_empty();
                book.idle_walks -= usize::from(idle);
                ((!broken).then(|| page(book, &request)), idle)
            });
            if idle {
                return Some((Err(status(&unavailable("idle"))), (node, None)));
            }
            let page = page?;
            request.token = page.next.clone();
            let rest = (!page.next.is_empty()).then_some(request);
            Some((Ok::<_, Status>(page), (node, rest)))
        });
        let broken = async move { drop(breaks.changed().await) };
        Response::new(pages.take_until(broken).boxed())
    }
}

fn page(book: &Book, request: &ScanRequest) -> ScanReply {
    let (at_revision, passed) = match request.token.as_ref() {
        [] => (book.revision, 0),
        token => (number(&token[..8]), number(&token[8..]) as usize),
    };
    let selector = request.selector.clone().unwrap_or_default();
    let part = request.part.unwrap_or_default();
    let mut sessions = Vec::new();
    let mut end = passed;
    for (index, (user, revision)) in book.users.iter().enumerate().skip(passed) {
        if sessions.len() == PAGE {
            break;
        }
        end = index + 1;
        if *revision > request.since_revision && *revision <= at_revision && matches(&selector, part, index, user) {
            let epoch = Some(v1::Epoch { revision: *revision, position: 0 });
            sessions.push(v1::Session { key: Some(super::sessions::key(user)), epoch, ..v1::Session::default() });
        }
    }
    let token = [at_revision.to_be_bytes(), (end as u64).to_be_bytes()].concat();
    let matched = sessions.len() as u64;
    ScanReply {
        at_revision,
        owners: vec![lookup_reply::Owner { service: "room".into(), ..lookup_reply::Owner::default() }],
        sessions: if request.count_only { Vec::new() } else { sessions },
        next: if end == book.users.len() { Vec::new() } else { token }.into(),
        matched,
    }
}

fn matches(selector: &SessionSelector, part: Part, index: usize, user: &str) -> bool {
    user.as_bytes().starts_with(&selector.user_prefix) && index as u32 % part.of.max(1) == part.index
}

fn number(bytes: &[u8]) -> u64 {
    u64::from_be_bytes(bytes.try_into().expect("a token of this double"))
}
