//! One page of a walk.

use keeper_proto::v1 as wire;
use keeper_registry::Walked;

use super::SessionService;
use super::walk::{Asked, Met, Take, Walk};
use crate::limits;
use crate::problem::Problem;
use crate::view::Consistency;

/// What a caller gets that names no limit.
const LIMIT_DEFAULT: usize = 100;

impl SessionService {
    pub(super) async fn list_page(
        &self,
        request: wire::ListSessionsRequest,
    ) -> Result<wire::ListSessionsReply, Problem> {
        let wire::ListSessionsRequest { token, limit, selector, part, since_revision } = request;
        let mut walk = Walk::parse(&token, Asked { selector, part, since_revision, walked: Walked::Live })?;
        let limit = match usize::try_from(limit).unwrap_or(usize::MAX) {
            0 => LIMIT_DEFAULT,
            limit => limit.min(limits::PAGE_SESSIONS_MAX),
        };
        self.view.wait(Consistency::Linearizable).await?;
        let (revision, met) = self.view.read(|state| (state.revision(), walk.read(state, limit, Take::Sessions)));
        let (owners, sessions) = match met? {
            Met::Sessions(page) => page.finish(),
            Met::Number(_) => Default::default(),
        };
        let (next, at_revision) = (walk.token(), walk.until().0);
        Ok(wire::ListSessionsReply { revision: revision.0, owners, sessions, next, at_revision })
    }
}
