//! Raw documents as they change, for admins.

use futures_util::{StreamExt, stream};
use keeper_proto::v1 as wire;
use keeper_registry::{Revision, StateId};

use super::ConfigService;
use crate::limits;
use crate::problem::Problem;
use crate::rpc::from_proto::invalid;
use crate::rpc::{ReplyStream, to_proto};
use crate::watch::{Changed, ConfigsChanged};

impl ConfigService {
    pub(super) async fn changes(
        &self,
        request: wire::WatchConfigsRequest,
    ) -> Result<ReplyStream<wire::ConfigsChanged>, Problem> {
        let wire::WatchConfigsRequest { selectors, cursor, state_id } = request;
        if selectors.len() > limits::SELECTORS_MAX {
            let (given, limit) = (selectors.len(), limits::SELECTORS_MAX);
            return Err(invalid("selectors", format!("{given} selectors; the limit is {limit}: watch a prefix")));
        }
        let state = (state_id != 0).then_some(StateId(state_id));
        let watch = self.watches.configs(selectors, Revision(cursor), state).await?;
        let changes = stream::unfold(watch, |mut watch| async move { Some((watch.next().await?, watch)) });
        Ok(Box::pin(changes.flat_map(|changed| stream::iter(frames(changed)).map(Ok))))
    }
}

/// A change, in frames of bounded size. Each is made when it is sent.
fn frames(changed: ConfigsChanged) -> impl Iterator<Item = wire::ConfigsChanged> + Send {
    let Changed { cursor, state, reset, change } = changed;
    let mut rest = change.into_iter().peekable();
    let mut first = true;
    std::iter::from_fn(move || {
        if !std::mem::take(&mut first) && rest.peek().is_none() {
            return None;
        }
        let (mut bytes, mut documents) = (0, Vec::new());
        while bytes < limits::WATCH_FRAME_BYTES
            && let Some(document) = rest.next()
        {
            bytes += document.text.len() + document.value.len();
            documents.push(to_proto::document(&document, to_proto::Body::Whole));
        }
        let more = rest.peek().is_some();
        Some(wire::ConfigsChanged { cursor: cursor.0, state_id: state.0, reset, documents, more })
    })
}
