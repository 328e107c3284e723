//! Changes among instances, as they happen.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures_util::{Stream, StreamExt, stream::BoxStream};
use keeper_proto::v1::{self, WatchInstancesRequest, instances_client::InstancesClient};
use tonic::transport::Channel;

use crate::{
    Error, InstancesChanged,
    connection::{Follow, Nodes, Opening, Resumed},
    instance::from_proto,
    limits,
};

/// Changes among instances: the full set first, then no change missed and none twice, across reconnects and nodes.
pub struct InstancesWatch(BoxStream<'static, Result<InstancesChanged, Error>>);

impl InstancesWatch {
    pub(crate) fn new(nodes: Arc<Nodes>, service: String) -> Self {
        let resumed = Resumed::new(nodes, Followed { service, cursor: 0, state_id: 0 });
        let changes = futures_util::stream::unfold(Some(resumed), |resumed| async move {
            let mut resumed = resumed?;
            match resumed.frame().await {
                Ok(frame) => {
                    let changed = from_proto::changed(frame);
                    resumed.followed.cursor = changed.revision;
                    resumed.followed.state_id = changed.state_id;
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
    pub async fn next(&mut self) -> Option<Result<InstancesChanged, Error>> {
        self.0.next().await
    }
}

impl Stream for InstancesWatch {
    type Item = Result<InstancesChanged, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_next_unpin(context)
    }
}

impl std::fmt::Debug for InstancesWatch {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("InstancesWatch")
    }
}

struct Followed {
    service: String,
    cursor: u64,
    state_id: u64,
}

impl Follow for Followed {
    type Frame = v1::InstancesChanged;

    const NAME: &'static str = "instances";

    fn open(&self, channel: Channel) -> Opening<v1::InstancesChanged> {
        let (cursor, state_id) = (self.cursor, self.state_id);
        let request = WatchInstancesRequest { service: self.service.clone(), cursor, state_id };
        let mut client = InstancesClient::new(channel).max_decoding_message_size(limits::ANSWER_BYTES_MAX);
        Box::pin(async move { client.watch(request).await })
    }

    fn quiet(&mut self, frame: &v1::InstancesChanged) -> bool {
        let is_quiet = !frame.reset && frame.opened.is_empty() && frame.closed.is_empty();
        if is_quiet {
            (self.cursor, self.state_id) = (frame.cursor, frame.state_id);
        }
        is_quiet
    }

    fn is_partial(frame: &v1::InstancesChanged) -> bool {
        frame.more
    }

    fn join(whole: &mut v1::InstancesChanged, next: v1::InstancesChanged) {
        whole.opened.extend(next.opened);
        whole.closed.extend(next.closed);
    }
}
