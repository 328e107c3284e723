//! Presence, as clients see it: the stream of facts, and the story of one user.
//!
//! Frames are written once for all subscribers with the same filter, and travel as the bytes they are ([`route`]): at
//! a thousand subscribers, encoding is what would cost, not reading. What such subscribers share lives while one of
//! them does ([`feeds`]).

mod explain;
mod facts;
mod feeds;
mod frame;
#[cfg(any(test, fuzzing))]
pub(in crate::rpc) mod fuzz;
mod route;
mod subscription;
mod token;

use std::sync::Arc;
use std::time::Duration;

use futures_util::{Stream, StreamExt, stream};
use keeper_proto::v1 as wire;
use keeper_registry::Revision;
use prost::Message;
use tonic::Status;

use crate::limits::{WATCH_SILENCE, WATCH_SILENCE_MIN};
use crate::metrics::Metrics;
use crate::problem::Problem;
use crate::rpc::ReplyStream;
use crate::rpc::from_proto::invalid;
use crate::rpc::session::SessionService;
use crate::watch::{Feed, PresenceToken, PresenceWatch, Told, Watches};

pub(crate) use explain::explain;
use feeds::{Feeds, Followed};
use frame::{Frame, FrameWriter};
use subscription::Subscription;

/// Serves the stream.
#[derive(Debug, Clone)]
pub(crate) struct PresenceService {
    watches: Watches,
    metrics: Arc<Metrics>,
    feeds: Feeds,
}

impl PresenceService {
    pub(crate) fn new(watches: Watches, metrics: Arc<Metrics>) -> Self {
        Self { watches, metrics, feeds: Feeds::default() }
    }

    /// Replies, written once for all who are told the same.
    pub(crate) async fn follow_encoded(
        &self,
        request: wire::PresenceRequest,
    ) -> Result<impl Stream<Item = Frame> + Send + use<>, Problem> {
        let token = token::read(&request.token)?;
        let silence = silence(request.silence_ms)?;
        let subscription = Subscription::read(request)?;
        let watch = self.watches.presence(token, silence).await?;
        let (feed, metrics) = (self.feeds.of(subscription), Arc::clone(&self.metrics));
        Ok(stream::unfold((watch, feed, metrics), |(mut watch, feed, metrics)| async move {
            let frame = next(&mut watch, &feed, &metrics).await?;
            Some((frame, (watch, feed, metrics)))
        }))
    }

    /// Replies as messages, for those who take no detour.
    pub(crate) async fn follow(
        &self,
        request: wire::PresenceRequest,
    ) -> Result<ReplyStream<wire::PresenceReply>, Problem> {
        let replies = self.follow_encoded(request).await?;
        let decode = |frame: Frame| {
            wire::PresenceReply::decode(frame.message())
                .map_err(|error| Status::data_loss(format!("a damaged reply: {error}")))
        };
        Ok(Box::pin(replies.map(decode)))
    }
}

async fn next(watch: &mut PresenceWatch, feed: &Arc<Feed<Followed>>, metrics: &Metrics) -> Option<Frame> {
    let reply = match watch.next(feed).await? {
        Told::Facts(frame) => {
            metrics.presence_facts_told.inc_by(frame.facts);
            return Some(frame);
        }
        Told::Nothing(at, settled) => reply(at, settled),
        Told::Reset(at) => wire::PresenceReply { reset: true, ..reply(at, at.cursor.revision) },
    };
    Some(FrameWriter::default().finish(reply))
}

/// One without facts: everything up to `at` has been told, and every fact of a revision before `settled`.
fn reply(at: PresenceToken, settled: Revision) -> wire::PresenceReply {
    wire::PresenceReply { token: token::write(at), revision: settled.0, ..Default::default() }
}

/// After how long without a word a subscriber hears that there is nothing new.
fn silence(ms: u32) -> Result<Duration, Problem> {
    match Duration::from_millis(ms.into()) {
        Duration::ZERO => Ok(WATCH_SILENCE),
        silence if (WATCH_SILENCE_MIN..=WATCH_SILENCE).contains(&silence) => Ok(silence),
        _ => {
            let (least, most) = (WATCH_SILENCE_MIN.as_millis(), WATCH_SILENCE.as_millis());
            Err(invalid("silence_ms", format!("`silence_ms` is {ms}; it lies between {least} and {most}, or is 0")))
        }
    }
}

/// The stream of a service that is reached without a detour.
pub(crate) async fn follow(
    service: &SessionService,
    request: wire::PresenceRequest,
) -> Result<ReplyStream<wire::PresenceReply>, Problem> {
    PresenceService::new(service.watches.clone(), Arc::clone(&service.metrics)).follow(request).await
}
