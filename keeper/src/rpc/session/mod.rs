//! `keeper.v1.Sessions`: one file a call, or a family of calls that share their parts.
//!
//! Each handler parses, makes one call and answers. Frames of writes and of lookups are streams that do their work as
//! they are polled. A walk over sessions ([`walk`]) is the same for a listing, which answers one page, and for a scan,
//! which streams them at the caller's pace; what both read is copied out under the lock in one piece ([`page`]) and
//! becomes messages behind it.

mod count;
#[cfg(any(test, fuzzing))]
pub(in crate::rpc) mod fuzz;
mod kick;
mod list;
mod lookup;
mod notices;
mod pace;
mod page;
mod rebuild;
mod scan;
mod top;
mod walk;
mod write;

pub(crate) use lookup::{Lookups, found_all};

use std::sync::Arc;

use keeper_proto::v1 as wire;
use keeper_proto::v1::sessions_server::Sessions;
use tokio::sync::Semaphore;
use tonic::{Request, Response, Status, Streaming};

use crate::govern::{Gate, Guest, Places};
use crate::limits;
use crate::metrics::{Gatekeeper, Metrics};
use crate::problem::Problem;
use crate::propose::Proposer;
use crate::rpc::{ReplyStream, error, presence};
use crate::settings;
use crate::view::View;
use crate::watch::Watches;

/// What a frame or a kick takes in the log beyond its operations.
const OVERHEAD_BYTES: usize = 64;

/// The handler.
#[derive(Debug, Clone)]
pub(crate) struct SessionService {
    pub(crate) view: View,
    pub(crate) proposer: Proposer,
    pub(crate) watches: Watches,
    pub(crate) metrics: Arc<Metrics>,
    /// Keys being looked up.
    lookups: Arc<Gate>,
    /// Keys to be looked up at a revision that may not be there yet.
    waiting: Arc<Gate>,
    /// Scans that are open.
    scans: Arc<Places>,
    /// Pages of scans being read.
    pages: Arc<Semaphore>,
}

impl SessionService {
    pub(crate) fn new(
        view: View,
        proposer: Proposer,
        watches: Watches,
        metrics: Arc<Metrics>,
        admits: &settings::Limits,
    ) -> Self {
        let refused = |who| metrics.refused.of(who).clone();
        let (keys_max, stale) = (admits.lookup_keys_max, limits::LOOKUP_STALE);
        let lookups = Gate::new("the lane of lookups (keys)", keys_max, stale, refused(Gatekeeper::Lookup));
        let (keys_max, stale) = (keys_max / limits::LOOKUP_KEYS_WAITING_SHARE, limits::AT_LEAST_MAX);
        let waiting = Gate::new("the lane of lookups that wait (keys)", keys_max, stale, refused(Gatekeeper::Waiting));
        let idle_max = limits::SCAN_IDLE_MAX;
        let scans = Places::new("the lane of scans", admits.scans_max, idle_max, refused(Gatekeeper::Scan));
        let pages = Arc::new(Semaphore::new(limits::SCAN_PAGES_AT_ONCE));
        Self { view, proposer, watches, metrics, lookups, waiting, scans, pages }
    }
}

fn answer<T>(result: Result<T, Problem>) -> Result<Response<T>, Status> {
    result.map(Response::new).map_err(|problem| error::status(&problem))
}

const fn another_kind() -> Problem {
    Problem::Unknown { reason: "an answer of another kind" }
}

#[tonic::async_trait]
impl Sessions for SessionService {
    type WriteStream = ReplyStream<wire::WriteFrameReply>;
    type ReadStream = ReplyStream<wire::LookupReply>;
    type ScanStream = ReplyStream<wire::ScanReply>;
    type NoticesStream = ReplyStream<wire::NoticesReply>;
    type PresenceStream = ReplyStream<wire::PresenceReply>;

    async fn write(
        &self,
        request: Request<Streaming<wire::WriteFrame>>,
    ) -> Result<Response<Self::WriteStream>, Status> {
        let guest = request.extensions().get::<Guest>().cloned();
        Ok(Response::new(self.take_frames(request.into_inner(), guest)))
    }

    async fn read(
        &self,
        request: Request<Streaming<wire::LookupRequest>>,
    ) -> Result<Response<Self::ReadStream>, Status> {
        Ok(Response::new(self.answer_lookups(request.into_inner())))
    }

    async fn lookup(&self, request: Request<wire::LookupRequest>) -> Result<Response<wire::LookupReply>, Status> {
        let guest = request.extensions().get::<Guest>().cloned();
        self.find(request.into_inner(), guest.as_ref()).await.map(Response::new)
    }

    async fn list(
        &self,
        request: Request<wire::ListSessionsRequest>,
    ) -> Result<Response<wire::ListSessionsReply>, Status> {
        answer(self.list_page(request.into_inner()).await)
    }

    async fn scan(&self, request: Request<wire::ScanRequest>) -> Result<Response<Self::ScanStream>, Status> {
        answer(self.scan_pages(request.into_inner()).await)
    }

    async fn count(
        &self,
        request: Request<wire::CountSessionsRequest>,
    ) -> Result<Response<wire::CountSessionsReply>, Status> {
        answer(self.count_sessions(request.into_inner()).await)
    }

    async fn top(
        &self,
        request: Request<wire::TopSessionsRequest>,
    ) -> Result<Response<wire::TopSessionsReply>, Status> {
        answer(self.top_sessions(&request.into_inner()).await)
    }

    async fn kick(&self, request: Request<wire::KickRequest>) -> Result<Response<wire::KickReply>, Status> {
        answer(self.end(request.into_inner()).await)
    }

    async fn get_kick(&self, request: Request<wire::GetKickRequest>) -> Result<Response<wire::KickStatus>, Status> {
        answer(self.kick_status(&request.into_inner()).await)
    }

    async fn list_kicks(&self, _: Request<wire::ListKicksRequest>) -> Result<Response<wire::ListKicksReply>, Status> {
        answer(self.kicks().await)
    }

    async fn notices(&self, request: Request<wire::NoticesRequest>) -> Result<Response<Self::NoticesStream>, Status> {
        answer(self.follow_notices(request.into_inner()).await)
    }

    async fn presence(
        &self,
        request: Request<wire::PresenceRequest>,
    ) -> Result<Response<Self::PresenceStream>, Status> {
        answer(presence::follow(self, request.into_inner()).await)
    }

    async fn explain(&self, request: Request<wire::ExplainRequest>) -> Result<Response<wire::ExplainReply>, Status> {
        answer(presence::explain(self, request.into_inner()).await)
    }

    async fn rebuild_status(
        &self,
        _: Request<wire::RebuildStatusRequest>,
    ) -> Result<Response<wire::RebuildStatusReply>, Status> {
        answer(self.rebuild().await)
    }

    async fn give_up(&self, request: Request<wire::GiveUpRequest>) -> Result<Response<wire::GiveUpReply>, Status> {
        answer(self.stop_waiting(request.into_inner()).await)
    }
}
