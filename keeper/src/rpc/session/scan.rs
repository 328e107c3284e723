//! A walk in one stream, at the caller's pace.
//!
//! A page is read when the client has taken the one before and its time has come, so that a slow client costs a place
//! and nothing else. Under the lock its sessions are copied in one piece; the message is built behind it. Scans are
//! bounded in number, and take turns at the lock: each goes as fast as its client takes it, and would keep apply
//! from it. A reader who takes nothing for a while may lose its place to another one, and goes on from its token.

use std::sync::Arc;

use futures_util::stream;
use keeper_proto::v1 as wire;
use keeper_registry::Walked;
use tokio::sync::Semaphore;

use super::SessionService;
use super::pace::Pace;
use super::walk::{Asked, Met, Take, Walk};
use crate::govern::Place;
use crate::limits;
use crate::problem::Problem;
use crate::rpc::{ReplyStream, error};
use crate::view::{Consistency, View};

/// A scan under way.
struct Scan {
    view: View,
    walk: Walk,
    pace: Pace,
    take: Take,
    pages: Arc<Semaphore>,
    place: Place,
}

impl SessionService {
    pub(super) async fn scan_pages(&self, request: wire::ScanRequest) -> Result<ReplyStream<wire::ScanReply>, Problem> {
        let wire::ScanRequest { token, selector, part, since_revision, rate, count_only, lingering } = request;
        let walked = if lingering { Walked::Seen } else { Walked::Live };
        let walk = Walk::parse(&token, Asked { selector, part, since_revision, walked })?;
        let place = self.scans.enter()?;
        // From here on this node has all that was there when the walk began, wherever that was.
        self.view.wait(Consistency::Linearizable).await?;
        let mut scan = Scan {
            view: self.view.clone(),
            walk,
            pace: Pace::new(rate),
            take: if count_only { Take::Number } else { Take::Sessions },
            pages: Arc::clone(&self.pages),
            place,
        };
        // What is wrong with the request shows with the first page, and refuses the call.
        let first = scan.next().await?;
        let pages = stream::try_unfold((scan, Some(first)), |(mut scan, read)| async move {
            let reply = match read {
                Some(reply) => reply,
                None if scan.walk.is_at_end() => return Ok(None),
                None => scan.next().await.map_err(|problem| error::status(&problem))?,
            };
            Ok(Some((reply, (scan, None))))
        });
        Ok(Box::pin(pages))
    }
}

impl Scan {
    /// The next message, when its time has come. Its reader waits for it, and then has it to take.
    async fn next(&mut self) -> Result<wire::ScanReply, Problem> {
        let Self { view, walk, pace, take, pages, place } = self;
        place.wake()?;
        pace.wait().await;
        let limit = pace.page(limits::PAGE_SESSIONS_MAX);
        let met = {
            let _turn = pages.acquire().await;
            view.read(|state| walk.read(state, limit, *take))?
        };
        let (matched, owners, sessions) = match met {
            Met::Number(matched) => (matched, Vec::new(), Vec::new()),
            Met::Sessions(page) => {
                let matched = page.len();
                let (owners, sessions) = page.finish();
                (matched, owners, sessions)
            }
        };
        pace.spend(matched);
        place.rest()?;
        Ok(wire::ScanReply {
            at_revision: walk.until().0,
            owners,
            sessions,
            next: walk.token(),
            matched: matched as u64,
        })
    }
}
