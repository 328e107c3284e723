//! What Raft puts on disk and between nodes: what is read is written again and read as the same.

use keeper_registry::Level;

use super::{
    append_request, append_result, decode_append_request, decode_append_result, decode_entry, decode_log_id,
    decode_snapshot_meta, decode_transfer_leader_request, decode_transfer_leader_response, decode_vote,
    decode_vote_request, decode_vote_response, entry, log_id, snapshot_meta, snapshot_needs, transfer_leader_request,
    transfer_leader_response, vote, vote_request, vote_response,
};
use crate::codec::fuzz::{Property, round_trip};

/// Of this folder.
pub(crate) const PROPERTIES: &[Property] = &[
    ("log_entry", |input| round_trip(input, decode_entry, entry)),
    ("log_id", |input| round_trip(input, decode_log_id, log_id)),
    ("vote", votes),
    ("snapshot_meta", snapshot_metas),
    ("append_request", |input| round_trip(input, decode_append_request, append_request)),
    ("append_result", |input| round_trip(input, decode_append_result, append_result)),
    ("vote_request", |input| round_trip(input, decode_vote_request, vote_request)),
    ("vote_response", |input| round_trip(input, decode_vote_response, vote_response)),
    ("transfer_request", |input| round_trip(input, decode_transfer_leader_request, transfer_leader_request)),
    ("transfer_response", |input| round_trip(input, decode_transfer_leader_response, transfer_leader_response)),
];

/// What can be read says what it needs, and is written at either level.
fn snapshot_metas(input: &[u8]) {
    for level in [Level::FIRST, Level::NAMED] {
        round_trip(input, decode_snapshot_meta, |meta| snapshot_meta(meta, level));
    }
    let read = decode_snapshot_meta(bytes::Bytes::copy_from_slice(input));
    assert!(read.is_err() || snapshot_needs(bytes::Bytes::copy_from_slice(input)).is_ok());
}

/// Two votes in one input: their bytes are ordered as they are.
fn votes(input: &[u8]) {
    round_trip(input, decode_vote, vote);
    let (one, other) = input.split_at(input.len() / 2);
    let read = |half: &[u8]| decode_vote(bytes::Bytes::copy_from_slice(half));
    let (Ok(one), Ok(other)) = (read(one), read(other)) else { return };
    if let Some(order) = one.partial_cmp(&other) {
        assert_eq!(vote(&one).cmp(&vote(&other)), order);
    }
}
