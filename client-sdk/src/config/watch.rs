//! Changes among documents, as they happen.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures_util::{Stream, StreamExt, stream::BoxStream};
use keeper_proto::v1::{self, WatchConfigsRequest};
use tonic::transport::Channel;

use crate::{
    Document, Error,
    config::{configs::client, from_proto},
    connection::{Follow, Nodes, Opening, Resumed},
};

/// How far changes have been told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cursor {
    /// Everything up to and including this revision; zero: nothing yet.
    pub revision: u64,
    /// Which history of the state.
    pub state_id: u64,
}

/// What changed among documents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentsChanged {
    /// Everything up to and including this revision has been told.
    pub revision: u64,
    /// Which history of the state.
    pub state_id: u64,
    /// The documents are complete and replace what was known.
    pub reset: bool,
    /// Those of one publish come together; a deleted one says so.
    pub documents: Vec<Document>,
}

impl DocumentsChanged {
    /// Where to go on after this.
    #[must_use]
    pub const fn cursor(&self) -> Cursor {
        Cursor { revision: self.revision, state_id: self.state_id }
    }
}

/// Changes among documents: the full set first, then no change missed and none twice, across reconnects and nodes.
pub struct ConfigsWatch(BoxStream<'static, Result<DocumentsChanged, Error>>);

impl ConfigsWatch {
    pub(crate) fn new(nodes: Arc<Nodes>, selectors: Vec<String>, cursor: Cursor) -> Self {
        let resumed = Resumed::new(nodes, Selected { selectors, cursor });
        let changes = futures_util::stream::unfold(Some(resumed), |resumed| async move {
            let mut resumed = resumed?;
            match resumed.frame().await {
                Ok(frame) => {
                    let changed = from_proto::changed(frame);
                    resumed.followed.cursor = changed.cursor();
                    Some((Ok(changed), Some(resumed)))
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
    pub async fn next(&mut self) -> Option<Result<DocumentsChanged, Error>> {
        self.0.next().await
    }
}

impl Stream for ConfigsWatch {
    type Item = Result<DocumentsChanged, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_next_unpin(context)
    }
}

impl std::fmt::Debug for ConfigsWatch {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("ConfigsWatch")
    }
}

/// Documents followed by their selectors.
#[derive(Debug, Default)]
pub(crate) struct Selected {
    pub(crate) selectors: Vec<String>,
    pub(crate) cursor: Cursor,
}

impl Follow for Selected {
    type Frame = v1::ConfigsChanged;

    const NAME: &'static str = "configs";

    fn open(&self, channel: Channel) -> Opening<v1::ConfigsChanged> {
        let Cursor { revision: cursor, state_id } = self.cursor;
        let request = WatchConfigsRequest { selectors: self.selectors.clone(), cursor, state_id };
        Box::pin(async move { client(channel).watch(request).await })
    }

    fn quiet(&mut self, frame: &v1::ConfigsChanged) -> bool {
        let is_quiet = !frame.reset && frame.documents.is_empty();
        if is_quiet {
            self.cursor = Cursor { revision: frame.cursor, state_id: frame.state_id };
        }
        is_quiet
    }

    fn is_partial(frame: &v1::ConfigsChanged) -> bool {
        frame.more
    }

    fn join(whole: &mut v1::ConfigsChanged, next: v1::ConfigsChanged) {
        whole.documents.extend(next.documents);
    }
}
