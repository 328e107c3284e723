//! What happened to the sessions of a gateway that it did not do itself.

use futures_util::stream;
use keeper_proto::v1 as wire;
use keeper_registry::{Incarnation, StateId};

use super::SessionService;
use crate::problem::Problem;
use crate::rpc::{ReplyStream, to_proto, token};
use crate::view::Consistency;
use crate::watch::Notices;

impl SessionService {
    pub(super) async fn follow_notices(
        &self,
        request: wire::NoticesRequest,
    ) -> Result<ReplyStream<wire::NoticesReply>, Problem> {
        let cursor = token::read_notices("cursor", &request.cursor)?.unwrap_or_default();
        self.view.wait(Consistency::Linearizable).await?;
        let state = (request.state_id != 0).then_some(StateId(request.state_id));
        let watch = self.watches.notices(Incarnation(request.incarnation), cursor, state)?;
        let replies = stream::unfold(watch, |mut watch| async move {
            let notices = watch.next().await?;
            Some((Ok(reply(&notices)), watch))
        });
        Ok(Box::pin(replies))
    }
}

fn reply(notices: &Notices) -> wire::NoticesReply {
    wire::NoticesReply {
        notices: notices.notices.iter().map(to_proto::notice).collect(),
        cursor: token::write_notices(notices.cursor),
        reset: notices.reset,
    }
}
