//! A walk over all live sessions on one stream, for a broadcast or for whoever must know them all.
//!
//! # What it promises
//! Sessions come in the order of a hash of their keys. Every registration that is live from the walk's
//! [`at_revision`](Scan::at_revision) to the walk's end comes exactly once, whatever dies meanwhile: each message ends
//! with a token, and the walk goes on from it on any other node. A session that ends during the walk comes once or not
//! at all. What is registered after `at_revision` does not come: it is the [tail](Scan::tail), a second walk over just
//! that. Nothing is pinned for a walk, so it may take hours.

#[cfg(any(test, fuzzing))]
pub(in crate::session) mod fuzz;

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
    vec,
};

use bytes::{Buf, Bytes};
use futures_util::{Stream, StreamExt, TryStreamExt, stream::BoxStream};
use keeper_proto::{
    fields::{Fields, Value},
    v1::{ScanRequest, lookup_reply},
};
use prost::Message;
use tonic::{Status, codec::DecodeBuf, transport::Channel};

use crate::{
    Error, Part, Session, SessionAdmin, SessionSelector,
    connection::{self, Follow, Incoming, Nodes, Opening, Resumed},
    session::{from_proto, lot::Lot},
};

/// The method whose stream carries a walk.
const PATH: &str = "/keeper.v1.Sessions/Scan";

/// Which sessions to walk over, and how fast; by default all, as fast as they are taken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScanSessions {
    /// Where a walk before stopped, as its [`Scan::token`] told; empty: from the start. Selector, part and
    /// `since_revision` must be those of that walk.
    pub token: Bytes,
    /// Only sessions like this.
    pub selector: SessionSelector,
    /// Only this part of them: several walks at once meet every session once.
    pub part: Part,
    /// Only those registered after this revision. 0: all.
    pub since_revision: u64,
    /// Sessions a second; 0: as fast as they are taken.
    pub rate: u32,
    /// How long to try for the first page; then the walk ends with why there was none. None: for ever, as is tried for
    /// all pages after it.
    pub patience: Option<Duration>,
}

/// How many sessions match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Matching {
    /// Registrations after this revision are not counted.
    pub at_revision: u64,
    /// How many there are.
    pub sessions: u64,
}

/// A walk over live sessions; see [`SessionAdmin::scan`]. A slow reader holds the server back, not the other way round.
/// One who takes nothing for some seconds may lose its place there to another, and goes on from where it was when there
/// is room again.
pub struct Scan {
    nodes: Arc<Nodes>,
    walk: ScanSessions,
    what: What,
    pages: BoxStream<'static, Result<Page, Error>>,
    page: vec::IntoIter<Session>,
    at_revision: Option<u64>,
    /// After the page before, and after this one; none at the end.
    before: Option<Bytes>,
    reached: Option<Bytes>,
}

impl SessionAdmin {
    /// Walks over live sessions.
    #[must_use]
    pub fn scan(&self, scan: ScanSessions) -> Scan {
        Scan::new(self.nodes.clone(), scan, What::Tell)
    }

    /// How many sessions match: a walk that counts at the server. Tells what
    /// [`kick_matching`](Self::kick_matching) would end.
    ///
    /// # Errors
    /// As [`Error`] says.
    pub async fn count_matching(&self, selector: SessionSelector) -> Result<Matching, Error> {
        self.count_scanned(ScanSessions { selector, ..ScanSessions::default() }).await
    }

    /// How many sessions a walk would meet: the servers count, and no session travels.
    ///
    /// # Errors
    /// As [`Error`] says.
    pub async fn count_scanned(&self, walk: ScanSessions) -> Result<Matching, Error> {
        let mut pages = pages(self.nodes.clone(), walk, What::Count);
        let mut matching = Matching { at_revision: 0, sessions: 0 };
        while let Some(page) = pages.try_next().await? {
            matching.at_revision = page.at_revision;
            matching.sessions += page.matched;
        }
        Ok(matching)
    }
}

impl Scan {
    /// A walk over what followers of presence see: sessions that linger, too.
    pub(crate) fn over_seen(nodes: Arc<Nodes>, walk: ScanSessions) -> Self {
        Self::new(nodes, walk, What::Seen)
    }

    fn new(nodes: Arc<Nodes>, walk: ScanSessions, what: What) -> Self {
        let pages = pages(nodes.clone(), walk.clone(), what);
        let start = Some(walk.token.clone());
        let page = Vec::new().into_iter();
        Self { nodes, walk, what, pages, page, at_revision: None, before: start.clone(), reached: start }
    }

    /// The next session; none at the end, or after an error, which is the last item.
    ///
    /// # Errors
    /// Only what no other node would answer differently; everything else is tried again.
    pub async fn next(&mut self) -> Option<Result<Session, Error>> {
        StreamExt::next(self).await
    }

    /// The rest of the page under way, or the next page: cheaper than one by one. May be empty; none at the end, or
    /// after an error, which is the last item.
    ///
    /// # Errors
    /// As [`next`](Self::next).
    pub async fn page(&mut self) -> Option<Result<Vec<Session>, Error>> {
        if self.page.len() == 0 {
            let page = self.pages.next().await?;
            if let Err(error) = self.turn(page) {
                return Some(Err(error));
            }
        }
        self.before.clone_from(&self.reached);
        Some(Ok(std::mem::take(&mut self.page).collect()))
    }

    /// Where to go on, by another process perhaps: everything before was taken, and of what was taken since, at most a
    /// page comes again. None when everything was taken.
    #[must_use]
    pub fn token(&self) -> Option<&Bytes> {
        if self.page.len() == 0 { self.reached.as_ref() } else { self.before.as_ref() }
    }

    /// What was registered after this revision belongs to the tail; none until the first page has come.
    #[must_use]
    pub const fn at_revision(&self) -> Option<u64> {
        self.at_revision
    }

    /// The same walk over what was registered since this one began, to be asked for at its end. Its own tail is what
    /// was registered since that, and so on: each is as long as the one before took.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the end was not reached: what lies between would be in neither walk.
    pub fn tail(self) -> Result<Self, Error> {
        match (self.token(), self.at_revision) {
            (None, Some(since_revision)) => {
                let walk = ScanSessions { token: Bytes::new(), since_revision, ..self.walk };
                Ok(Self::new(self.nodes, walk, self.what))
            }
            _ => Err(Error::invalid("scan", "its end was not reached: take every session first")),
        }
    }

    fn turn(&mut self, page: Result<Page, Error>) -> Result<(), Error> {
        let Page { at_revision, next, sessions, matched: _ } = page?;
        self.page = sessions.into_iter();
        self.at_revision = Some(at_revision);
        let reached = (!next.is_empty()).then_some(next);
        self.before = std::mem::replace(&mut self.reached, reached);
        Ok(())
    }
}

impl Stream for Scan {
    type Item = Result<Session, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(session) = self.page.next() {
                return Poll::Ready(Some(Ok(session)));
            }
            let Some(page) = ready!(self.pages.poll_next_unpin(context)) else { return Poll::Ready(None) };
            if let Err(error) = self.turn(page) {
                return Poll::Ready(Some(Err(error)));
            }
        }
    }
}

impl fmt::Debug for Scan {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Scan").field("walk", &self.walk).field("at_revision", &self.at_revision).finish()
    }
}

/// What a walk is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    /// The live sessions.
    Tell,
    /// Those that followers of presence see.
    Seen,
    /// How many are live.
    Count,
}

struct Walked {
    walk: ScanSessions,
    what: What,
}

impl Follow for Walked {
    type Frame = Page;

    const NAME: &'static str = "scan";

    /// At its caller's pace, which may be slow.
    const SILENCE_MAX: Option<Duration> = None;

    fn quiet(&mut self, _: &Page) -> bool {
        false
    }

    fn open(&self, channel: Channel) -> Opening<Page> {
        let ScanSessions { token, selector, part, since_revision, rate, patience: _ } = self.walk.clone();
        let (selector, part) = (Some(selector.to_proto()), Some(part.to_proto()));
        let (count_only, lingering) = (self.what == What::Count, self.what == What::Seen);
        let request = ScanRequest { token, selector, part, since_revision, rate, count_only, lingering };
        Box::pin(connection::follow(channel, PATH, request))
    }
}

/// A message of a walk.
#[derive(Debug)]
struct Page {
    at_revision: u64,
    next: Bytes,
    sessions: Vec<Session>,
    matched: u64,
}

impl Page {
    /// From a `keeper.v1.ScanReply`.
    fn read(bytes: Bytes) -> Result<Self, Error> {
        let mut page = Self { at_revision: 0, next: Bytes::new(), sessions: Vec::new(), matched: 0 };
        let (mut owners, mut sessions) = (Vec::new(), Vec::new());
        for field in Fields::of(&bytes) {
            match field? {
                (1, Value::Number(it)) => page.at_revision = it,
                (2, Value::Bytes(it)) => owners.push(owner(it)?),
                (3, Value::Bytes(it)) => sessions.push(it),
                (4, Value::Bytes(it)) => page.next = Bytes::copy_from_slice(it),
                (5, Value::Number(it)) => page.matched = it,
                _ => {}
            }
        }
        let lot = Lot { bytes: bytes.clone(), owners: from_proto::owners(owners).into() };
        page.sessions = sessions.into_iter().map(|it| lot.session(it)).collect::<Result<_, _>>()?;
        Ok(page)
    }
}

fn owner(bytes: &[u8]) -> Result<lookup_reply::Owner, Error> {
    lookup_reply::Owner::decode(bytes).map_err(|error| Error::malformed(error.to_string()))
}

impl Incoming for Page {
    fn read(buffer: &mut DecodeBuf<'_>) -> Result<Self, Status> {
        let bytes = buffer.copy_to_bytes(buffer.remaining());
        Self::read(bytes).map_err(|error| Status::internal(error.to_string()))
    }
}

/// The pages of a walk to its end, from whichever nodes.
fn pages(nodes: Arc<Nodes>, walk: ScanSessions, what: What) -> BoxStream<'static, Result<Page, Error>> {
    let patience = walk.patience;
    let resumed = Resumed::new(nodes, Walked { walk, what });
    let pages = futures_util::stream::unfold(Some((resumed, patience)), |standing| async move {
        let (mut resumed, patience) = standing?;
        let page = match patience {
            Some(patience) => resumed.frame_within(patience).await,
            None => resumed.frame().await,
        };
        match page {
            Ok(page) => {
                resumed.followed.walk.token = page.next.clone();
                let rest = (!page.next.is_empty()).then_some((resumed, None));
                Some((Ok(page), rest))
            }
            Err(error) => Some((Err(error), None)),
        }
    });
    pages.boxed()
}
