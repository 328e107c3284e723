//! What others do to a gateway's sessions.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream::BoxStream};
use keeper_proto::v1::{self, NoticesReply, NoticesRequest, sessions_client::SessionsClient};
use tonic::transport::Channel;

use crate::{
    Epoch, Error, Holder, SessionKey,
    connection::{Follow, Nodes, Resumed},
    limits,
    session::from_proto,
    tasks::Tasks,
};

/// What happened to a session that its gateway did not do itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// A session of this gateway ended: close its connection.
    Ended {
        /// Which.
        key: SessionKey,
        /// Of the registration that ended.
        epoch: Epoch,
        /// The gateway's own name for the connection.
        connection: Bytes,
        /// Why.
        cause: NoticeCause,
    },
    /// Facts before this point are gone: compare the sessions this gateway holds with lookups, then go on.
    Reset,
}

/// Why a session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoticeCause {
    /// The user connected elsewhere.
    Displaced(Box<Holder>),
    /// An admin ended it.
    Kicked {
        /// Why.
        reason: String,
        /// Who.
        author: String,
    },
}

/// The notices of one instance, in order, each once; may be late, never lost. Goes on from its cursor across reconnects
/// and nodes, and ends when the instance does.
pub struct Notices {
    stream: BoxStream<'static, Result<Notice, Error>>,
    /// Keeps the client alive, and with it the lease.
    _tasks: Arc<Tasks>,
}

impl Notices {
    pub(crate) fn new(nodes: Arc<Nodes>, tasks: Arc<Tasks>, incarnation: u64, state_id: u64) -> Self {
        let frames = NoticeFrames::new(nodes, incarnation, state_id);
        let frames = futures_util::stream::unfold(Some(frames), |frames| async move {
            let mut frames = frames?;
            match frames.next().await {
                Ok(frame) => {
                    let reset = frame.reset.then_some(Ok(Notice::Reset));
                    let notices = reset.into_iter().chain(frame.notices).collect::<Vec<_>>();
                    Some((notices, Some(frames)))
                }
                Err(error) => Some((vec![Err(error)], None)),
            }
        });
        Self { stream: frames.flat_map(futures_util::stream::iter).boxed(), _tasks: tasks }
    }

    /// The next notice; none after an error, which is the last item.
    ///
    /// # Errors
    /// [`Error::Refused`] when the instance has ended.
    pub async fn next(&mut self) -> Option<Result<Notice, Error>> {
        self.stream.next().await
    }
}

impl Stream for Notices {
    type Item = Result<Notice, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.stream.poll_next_unpin(context)
    }
}

impl std::fmt::Debug for Notices {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Notices")
    }
}

/// The notices of one incarnation, in the frames they come in.
pub(crate) struct NoticeFrames {
    resumed: Resumed<Followed>,
}

/// Notices that were told together.
pub(crate) struct NoticeFrame {
    /// Those before these are gone.
    pub(crate) reset: bool,
    pub(crate) notices: Vec<Result<Notice, Error>>,
    /// Everything up to here has been told.
    pub(crate) cursor: Bytes,
}

impl NoticeFrames {
    pub(crate) fn new(nodes: Arc<Nodes>, incarnation: u64, state_id: u64) -> Self {
        Self { resumed: Resumed::new(nodes, Followed { incarnation, state_id, cursor: Bytes::new() }) }
    }

    /// The next frame. May be dropped at any await.
    pub(crate) async fn next(&mut self) -> Result<NoticeFrame, Error> {
        let NoticesReply { notices, cursor, reset } = self.resumed.frame().await?;
        self.resumed.followed.cursor = cursor.clone();
        Ok(NoticeFrame { reset, notices: notices.into_iter().map(notice).collect(), cursor })
    }
}

struct Followed {
    incarnation: u64,
    state_id: u64,
    cursor: Bytes,
}

impl Follow for Followed {
    type Frame = NoticesReply;

    const NAME: &'static str = "notices";

    fn open(&self, channel: Channel) -> crate::connection::Opening<NoticesReply> {
        let request =
            NoticesRequest { incarnation: self.incarnation, cursor: self.cursor.clone(), state_id: self.state_id };
        let mut client = SessionsClient::new(channel).max_decoding_message_size(limits::ANSWER_BYTES_MAX);
        Box::pin(async move { client.notices(request).await })
    }

    fn quiet(&mut self, frame: &NoticesReply) -> bool {
        let is_quiet = !frame.reset && frame.notices.is_empty();
        if is_quiet {
            self.cursor = frame.cursor.clone();
        }
        is_quiet
    }
}

fn notice(notice: v1::Notice) -> Result<Notice, Error> {
    let cause = match notice.cause {
        Some(v1::notice::Cause::DisplacedBy(holder)) => NoticeCause::Displaced(Box::new(from_proto::holder(holder))),
        Some(v1::notice::Cause::Kicked(v1::notice::Kick { reason, author })) => NoticeCause::Kicked { reason, author },
        None => return Err(Error::malformed("a notice without a cause")),
    };
    Ok(Notice::Ended {
        key: from_proto::key(notice.key),
        epoch: from_proto::epoch(notice.epoch),
        connection: notice.connection,
        cause,
    })
}
