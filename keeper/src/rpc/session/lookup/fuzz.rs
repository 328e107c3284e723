//! Questions: the hand-written reader and generated code agree on every input, readable or not.

use bytes::Bytes;
use keeper_proto::v1 as wire;
use prost::Message;

use super::question::Question;
use crate::rpc::fuzz::is_told;

pub(in crate::rpc) fn lookup_request(input: &[u8]) {
    let generated = wire::LookupRequest::decode(input);
    let by_hand = Question::of(Bytes::copy_from_slice(input));
    assert_eq!(by_hand.is_ok(), generated.is_ok(), "one reader refuses what the other reads");
    let (Ok(question), Ok(expected)) = (by_hand, generated) else { return };
    let copied = Bytes::copy_from_slice;
    let keys = question.keys().map(|(user, slot)| wire::SessionKey { user: copied(user), slot: copied(slot) });
    let read = wire::LookupRequest {
        keys: keys.collect(),
        users: question.users().map(copied).collect(),
        ..question.head.clone()
    };
    assert_eq!(read, expected);
    if let Err(problem) = question.check() {
        is_told(&problem);
    }
}
