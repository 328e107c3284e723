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
        let resumed = Resumed::new(nodes, Followed { incarnation, state_id, cursor: Bytes::new() });
        let frames = futures_util::stream::unfold(Some(resumed), |resumed| async move {
            let mut resumed = resumed?;
            match resumed.frame().await {
                Ok(frame) => {
                    let notices = take(&mut resumed.followed, frame);
                    Some((notices, Some(resumed)))
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
}

fn take(followed: &mut Followed, frame: NoticesReply) -> Vec<Result<Notice, Error>> {
    let reset = frame.reset.then_some(Ok(Notice::Reset));
    let notices = frame.notices.into_iter().map(notice);
    followed.cursor = frame.cursor;
    reset.into_iter().chain(notices).collect()
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
