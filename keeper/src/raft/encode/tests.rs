use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{Debug, Write as _};
use std::fs;
use std::path::Path;

use keeper_registry::Level;
use openraft::alias::{EntryOf, SnapshotMetaOf, StoredMembershipOf};
use openraft::raft::{
    AppendEntriesRequest, StreamAppendError, TransferLeaderError, TransferLeaderRequest, VoteRequest, VoteResponse,
};
use openraft::{EntryPayload, Membership};
use proptest::prelude::*;

use super::*;
use crate::batch::Batch;
use crate::raft::type_config::Member;

fn id(term: u64, node: u64, index: u64) -> LogId {
    LogId { leader_id: LeaderIdOf::<TypeConfig>::new(term, node).to_committed(), index }
}

fn cast(term: u64, node: u64, committed: bool) -> Vote {
    Vote { leader_id: LeaderIdOf::<TypeConfig>::new(term, node), committed }
}

fn membership() -> Membership<u64, Member> {
    let member = |name: &str| Member {
        peer_endpoint: format!("{name}:7401"),
        client_endpoint: format!("http://{name}:7400"),
        disk_id: 7,
    };
    let members = BTreeMap::from([(1, member("one")), (2, member("two")), (300, member("learner"))]);
    Membership::new(vec![BTreeSet::from([1]), BTreeSet::from([1, 2])], members).expect("a membership")
}

fn entries() -> [EntryOf<TypeConfig>; 3] {
    let batch = Batch::from_encoded(Bytes::from_static(b"commands"));
    [
        EntryOf::<TypeConfig> { log_id: id(3, 1, 7), payload: EntryPayload::Blank },
        EntryOf::<TypeConfig> { log_id: id(3, 1, 8), payload: EntryPayload::Normal(batch) },
        EntryOf::<TypeConfig> { log_id: id(3, 1, 9), payload: EntryPayload::Membership(membership()) },
    ]
}

/// Every kind of value, its name, its bytes, and its bytes after they were read and written again.
fn samples() -> Vec<(&'static str, Bytes, Bytes)> {
    fn sample<T, E: Debug>(
        name: &'static str,
        value: &T,
        encode: impl Fn(&T) -> Bytes,
        decode: impl Fn(Bytes) -> Result<T, E>,
    ) -> (&'static str, Bytes, Bytes) {
        let bytes = encode(value);
        let again = encode(&decode(bytes.clone()).expect("what was written can be read"));
        (name, bytes, again)
    }
    let [blank, batch, change] = entries();
    let append = AppendEntriesRequest {
        vote: cast(3, 1, true),
        prev_log_id: Some(id(2, 2, 6)),
        entries: entries().into(),
        leader_commit: Some(id(2, 2, 5)),
    };
    let heartbeat =
        AppendEntriesRequest { vote: cast(3, 1, true), prev_log_id: None, entries: vec![], leader_commit: None };
    let meta = SnapshotMetaOf::<TypeConfig> {
        last_log_id: Some(id(3, 1, 12)),
        last_membership: StoredMembershipOf::<TypeConfig>::new(Some(id(3, 1, 9)), membership()),
    };
    let vote_asked =
        VoteRequest { leadership_transfer: true, ..VoteRequest::new(cast(4, 2, false), Some(id(3, 1, 9))) };
    let vote_given = VoteResponse { vote: cast(4, 2, false), vote_granted: true, last_log_id: None };
    let transfer = TransferLeaderRequest::new(cast(3, 1, true), 2, Some(id(3, 1, 9)));
    let changed = Err(TransferLeaderError::VoteChanged { expected: cast(3, 1, true), actual: cast(4, 2, false) });
    let unflushed = Err(TransferLeaderError::LogNotFlushed { expected: Some(id(3, 1, 9)), actual: None });
    vec![
        sample("log_id", &id(3, 1, 7), log_id, decode_log_id),
        sample("vote", &cast(3, 1, true), vote, decode_vote),
        sample("entry_blank", &blank, entry, decode_entry),
        sample("entry_batch", &batch, entry, decode_entry),
        sample("entry_membership", &change, entry, decode_entry),
        sample("snapshot_meta", &meta, |meta| snapshot_meta(meta, Level::FIRST), decode_snapshot_meta),
        sample("snapshot_meta_named", &meta, |meta| snapshot_meta(meta, Level::NAMED), decode_snapshot_meta),
        sample("append_request", &append, append_request, decode_append_request),
        sample("append_heartbeat", &heartbeat, append_request, decode_append_request),
        sample("append_matched", &Ok(Some(id(3, 1, 9))), append_result, decode_append_result),
        sample("append_conflict", &Err(StreamAppendError::Conflict(id(2, 2, 6))), append_result, decode_append_result),
        sample(
            "append_higher",
            &Err(StreamAppendError::HigherVote(cast(4, 2, false))),
            append_result,
            decode_append_result,
        ),
        sample("vote_request", &vote_asked, vote_request, decode_vote_request),
        sample("vote_response", &vote_given, vote_response, decode_vote_response),
        sample("transfer_request", &transfer, transfer_leader_request, decode_transfer_leader_request),
        sample("transfer_accepted", &Ok(()), transfer_leader_response, decode_transfer_leader_response),
        sample("transfer_vote_changed", &changed, transfer_leader_response, decode_transfer_leader_response),
        sample("transfer_not_flushed", &unflushed, transfer_leader_response, decode_transfer_leader_response),
    ]
}

#[test]
fn what_was_written_is_read() {
    for (name, bytes, again) in samples() {
        assert_eq!(bytes, again, "{name}");
    }
}

/// `UPDATE=1` writes the file anew. A change of a line breaks data directories and mixed clusters: add a version
/// instead.
#[test]
fn the_bytes_are_those_of_every_earlier_build() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/raft_encoding_1.txt");
    let mut written = String::new();
    for (name, bytes, _) in samples() {
        let hex = bytes.iter().fold(String::new(), |mut hex, byte| {
            write!(hex, "{byte:02x}").expect("a string takes everything");
            hex
        });
        writeln!(written, "{name} {hex}").expect("a string takes everything");
    }
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &written).expect("the golden file is written");
    }
    assert_eq!(fs::read_to_string(&path).expect("the golden file"), written);
}

#[test]
fn an_entry_begins_with_its_log_id() {
    for each in entries() {
        assert!(entry(&each).starts_with(&log_id(&each.log_id)));
    }
}

#[test]
fn a_batch_is_read_without_a_copy() {
    let [_, batch, _] = entries();
    let bytes = entry(&batch);
    let EntryPayload::Normal(read) = decode_entry(bytes.clone()).expect("an entry").payload else { panic!("a batch") };
    assert_eq!(read.encoded().as_ptr(), bytes[LOG_ID_BYTES + 1..].as_ptr());
}

#[test]
fn a_newer_version_is_refused_by_its_number() {
    let refused = decode_entry(Bytes::from_static(&[9, 0])).expect_err("a newer version").to_string();
    assert_eq!(refused, "a log entry has encoding version 9; this binary reads 1 to 1: run a newer keeper");
}

#[test]
fn cut_values_are_refused() {
    for (name, bytes, _) in samples() {
        // A batch is whatever follows the head of its entry.
        let whole = if name == "entry_batch" { LOG_ID_BYTES + 1 } else { bytes.len() };
        for length in 0..whole {
            let cut = bytes.slice(..length);
            let read = match name {
                "log_id" => decode_log_id(cut).is_ok(),
                "vote" => decode_vote(cut).is_ok(),
                "snapshot_meta" | "snapshot_meta_named" => decode_snapshot_meta(cut).is_ok(),
                "vote_request" => decode_vote_request(cut).is_ok(),
                "vote_response" => decode_vote_response(cut).is_ok(),
                "transfer_request" => decode_transfer_leader_request(cut).is_ok(),
                "append_request" | "append_heartbeat" => decode_append_request(cut).is_ok(),
                entry if entry.starts_with("entry") => decode_entry(cut).is_ok(),
                result if result.starts_with("append") => decode_append_result(cut).is_ok(),
                _ => decode_transfer_leader_response(cut).is_ok(),
            };
            assert!(!read, "{name}, cut at {length} of {}", bytes.len());
        }
    }
}

proptest! {
    #[test]
    fn votes_are_ordered_as_their_bytes(
        one in (0..3_u64, 0..3_u64, any::<bool>()),
        other in (0..3_u64, 0..3_u64, any::<bool>()),
    ) {
        let (one, other) = (cast(one.0, one.1, one.2), cast(other.0, other.1, other.2));
        prop_assert_eq!(one.partial_cmp(&other), Some(vote(&one).cmp(&vote(&other))));
    }

    #[test]
    fn no_bytes_make_a_decoder_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let bytes = Bytes::from([&[1_u8][..], &bytes].concat());
        drop(decode_entry(bytes.clone()));
        drop(decode_append_request(bytes.clone()));
        drop(decode_append_result(bytes.clone()));
        drop(decode_snapshot_meta(bytes.clone()));
        drop(decode_vote_request(bytes.clone()));
        drop(decode_transfer_leader_response(bytes));
    }
}
