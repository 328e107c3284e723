//! How many sessions are live.

use keeper_proto::v1 as wire;
use keeper_registry::{Incarnation, State, limits};

use super::SessionService;
use crate::problem::Problem;
use crate::rpc::from_proto;
use crate::view::Consistency;

impl SessionService {
    pub(super) async fn count_sessions(
        &self,
        request: wire::CountSessionsRequest,
    ) -> Result<wire::CountSessionsReply, Problem> {
        from_proto::check_size(|| "topic".to_owned(), &request.topic, limits::TOPIC_BYTES_MAX)?;
        let topic = (!request.topic.is_empty()).then_some(&request.topic[..]);
        self.view.wait(Consistency::Linearizable).await?;
        Ok(self.view.read(|state| {
            let instances = counts(state, state.count_by_instance(topic));
            let total = instances.iter().map(|count| count.sessions).sum();
            wire::CountSessionsReply { revision: state.revision().0, total, instances }
        }))
    }
}

/// Numbers of incarnations, with their names.
pub(super) fn counts(
    state: &State,
    counts: impl IntoIterator<Item = (Incarnation, u64)>,
) -> Vec<wire::count_sessions_reply::InstanceCount> {
    let named = counts.into_iter().filter_map(|(incarnation, sessions)| {
        let instance = state.instance(incarnation)?;
        Some(wire::count_sessions_reply::InstanceCount {
            service: instance.service.to_string(),
            instance: instance.id.to_string(),
            incarnation: incarnation.0,
            sessions,
        })
    });
    named.collect()
}
