//! Subscriptions and their tokens.

use bytes::Bytes;
use keeper_proto::v1 as wire;
use prost::Message;

use super::subscription::Subscription;
use crate::codec::fuzz::round_trip;
use crate::rpc::fuzz::is_told;

/// Equal requests are equal subscriptions: they share their frames.
pub(in crate::rpc) fn request(input: &[u8]) {
    let Ok(request) = wire::PresenceRequest::decode(input) else { return };
    match (Subscription::read(request.clone()), Subscription::read(request)) {
        (Ok(one), Ok(other)) => assert_eq!(one, other),
        (Err(problem), Err(_)) => is_told(&problem),
        (Ok(_), Err(_)) | (Err(_), Ok(_)) => panic!("the same request was read and refused"),
    }
}

pub(in crate::rpc) fn token(input: &[u8]) {
    let write = |token: &Option<_>| token.map_or_else(Bytes::new, super::token::write);
    round_trip(input, |bytes| super::token::read(&bytes), write);
}
