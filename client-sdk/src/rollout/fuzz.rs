//! What is told of rollouts: read, or an error that says what is wrong with the answer.

use keeper_proto::v1;
use prost::Message;

use super::from_proto;

pub(crate) fn rollout_reply(input: &[u8]) {
    let Ok(reply) = v1::RolloutReply::decode(input) else { return };
    let given = reply.rollout.clone();
    match (from_proto::status(reply), given) {
        (Ok(status), Some(given)) => {
            let (rollout, opened) = (status.rollout, given.opened_at_ms.len());
            assert_eq!((rollout.stages.len(), rollout.stage()), (given.stages.len(), opened.saturating_sub(1)));
            assert_eq!(rollout.stage_opened_at().is_some(), opened > 0);
        }
        (Ok(_), None) => panic!("a rollout that nobody sent"),
        (Err(refused), _) => assert_eq!(refused.reason(), "malformed-answer", "{refused}"),
    }
}
