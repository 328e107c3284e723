//! The largest topics, and the instances that hold the most sessions.

use std::cmp::Reverse;

use bytes::Bytes;
use keeper_proto::v1 as wire;
use keeper_registry::State;

use super::SessionService;
use super::count::counts;
use crate::limits;
use crate::problem::Problem;
use crate::view::Consistency;

/// What a caller gets that names no limit.
const LIMIT_DEFAULT: usize = 20;

impl SessionService {
    pub(super) async fn top_sessions(
        &self,
        request: &wire::TopSessionsRequest,
    ) -> Result<wire::TopSessionsReply, Problem> {
        let limit = match usize::try_from(request.limit).unwrap_or(usize::MAX) {
            0 => LIMIT_DEFAULT,
            limit => limit.min(limits::TOP_MAX),
        };
        self.view.wait(Consistency::Linearizable).await?;
        let (mut reply, largest) = self.view.read(|state| {
            let mut instances = state.count_by_instance(None);
            instances.sort_by_key(|(incarnation, sessions)| (Reverse(*sessions), *incarnation));
            instances.truncate(limit);
            let reply = wire::TopSessionsReply {
                revision: state.revision().0,
                total: state.sessions_live(),
                topics: Vec::new(),
                instances: counts(state, instances),
            };
            (reply, state.top_topics(limit))
        });
        // Which they are is known; how many of their sessions are live is asked of every instance, under a lock of its
        // own for each, so that nobody waits for a long ranking.
        reply.topics = largest.iter().map(|topic| self.view.read(|state| live(state, &topic.name))).collect();
        reply.topics.retain(|topic| topic.sessions > 0);
        reply.topics.sort_by(|a, b| (Reverse(a.sessions), &a.topic).cmp(&(Reverse(b.sessions), &b.topic)));
        Ok(reply)
    }
}

fn live(state: &State, topic: &[u8]) -> wire::top_sessions_reply::TopicCount {
    let counts = state.count_by_instance(Some(topic));
    wire::top_sessions_reply::TopicCount {
        topic: Bytes::copy_from_slice(topic),
        sessions: counts.iter().map(|(_, sessions)| sessions).sum(),
        instances: u32::try_from(counts.len()).unwrap_or(u32::MAX),
    }
}
