//! Effective documents, as they change, for admins and agents; see [`Configs::follow`].

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures_util::{Stream, StreamExt, stream::BoxStream};
use keeper_proto::v1::{self, FollowRequest, follows_client::FollowsClient};
use tonic::transport::Channel;

use crate::{
    Configs, Cursor, EffectiveDocument, Error, Reader,
    config::effective::effective_document,
    connection::{Follow, Nodes, Opening, Resumed},
    limits,
};

/// What changed among effective documents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EffectiveChanged {
    /// Everything up to and including this revision has been told.
    pub revision: u64,
    /// Which history of the state.
    pub state_id: u64,
    /// The documents are complete and replace what was known.
    pub reset: bool,
    /// Those of one publish come together.
    pub documents: Vec<EffectiveDocument>,
}

/// Effective documents: the full set first, then no change missed and none twice, across reconnects and nodes.
pub struct EffectiveWatch(BoxStream<'static, Result<EffectiveChanged, Error>>);

impl Configs {
    /// What a reader is to run with: the full set of 1 to [`limits::FOLLOWED_MAX`] documents, then each change. It is
    /// neither announced nor acknowledged: a process follows its own documents by
    /// [`InstanceBuilder::config`](crate::InstanceBuilder::config).
    #[must_use]
    pub fn follow(&self, paths: impl IntoIterator<Item = impl Into<String>>, reader: Reader) -> EffectiveWatch {
        EffectiveWatch::new(self.nodes.clone(), paths.into_iter().map(Into::into).collect(), reader)
    }
}

impl EffectiveWatch {
    fn new(nodes: Arc<Nodes>, paths: Vec<String>, reader: Reader) -> Self {
        let resumed = Resumed::new(nodes, Followed { paths, reader, cursor: Cursor::default() });
        let changes = futures_util::stream::unfold(Some(resumed), |resumed| async move {
            let mut resumed = resumed?;
            match resumed.frame().await {
                Ok(frame) => {
                    resumed.followed.cursor = Cursor { revision: frame.cursor, state_id: frame.state_id };
                    Some((Ok(changed(frame)), Some(resumed)))
                }
                Err(error) => Some((Err(error), None)),
            }
        });
        Self(changes.boxed())
    }

    /// The next change; none after an error, which is the last item.
    ///
    /// # Errors
    /// Only what no other node would answer differently; everything else is tried again.
    pub async fn next(&mut self) -> Option<Result<EffectiveChanged, Error>> {
        self.0.next().await
    }
}

impl Stream for EffectiveWatch {
    type Item = Result<EffectiveChanged, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_next_unpin(context)
    }
}

impl std::fmt::Debug for EffectiveWatch {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("EffectiveWatch")
    }
}

pub(super) struct Followed {
    paths: Vec<String>,
    reader: Reader,
    cursor: Cursor,
}

impl Follow for Followed {
    type Frame = v1::Followed;

    const NAME: &'static str = "effective documents";

    fn open(&self, channel: Channel) -> Opening<v1::Followed> {
        let Cursor { revision: cursor, state_id } = self.cursor;
        let (paths, reader) = (self.paths.clone(), Some(self.reader.to_proto()));
        let request = FollowRequest { paths, reader, cursor, state_id, ..FollowRequest::default() };
        Box::pin(async move { client(channel).follow(request).await })
    }

    fn quiet(&mut self, frame: &v1::Followed) -> bool {
        let is_quiet = !frame.reset && frame.documents.is_empty();
        if is_quiet {
            self.cursor = Cursor { revision: frame.cursor, state_id: frame.state_id };
        }
        is_quiet
    }

    fn is_partial(frame: &v1::Followed) -> bool {
        frame.more
    }

    fn join(whole: &mut v1::Followed, next: v1::Followed) {
        whole.documents.extend(next.documents);
        (whole.cursor, whole.state_id) = (next.cursor, next.state_id);
    }
}

pub(super) fn changed(frame: v1::Followed) -> EffectiveChanged {
    EffectiveChanged {
        revision: frame.cursor,
        state_id: frame.state_id,
        reset: frame.reset,
        documents: frame.documents.into_iter().map(effective_document).collect(),
    }
}

pub(crate) fn client(channel: Channel) -> FollowsClient<Channel> {
    FollowsClient::new(channel).max_decoding_message_size(limits::ANSWER_BYTES_MAX)
}
