//! Facts: every one of a message is told, or the message is refused.

use keeper_proto::v1::PresenceReply;
use prost::Message;

use super::{facts, places};

pub(in crate::session) fn presence_reply(input: &[u8]) {
    let Ok(reply) = PresenceReply::decode(input) else { return };
    let count = reply.facts.len();
    if let Ok(told) = facts(reply.facts, &places(reply.places)) {
        assert_eq!(told.len(), count);
    }
}
