//! What Raft puts on disk and between nodes, as bytes.
//!
//! openraft's own structures change from release to release, so none of them is serialised: each is mapped here, field
//! by field, to an encoding of ours with a version byte in front. The golden files of `tests/golden` keep every version
//! readable for ever.
//!
//! Two values are stored where others compare them without knowing Raft (see [`crate::store`]), and are therefore fixed
//! in width and big-endian: a [log id](log_id), with which every [entry](entry::entry) begins, and a [vote], whose
//! bytes are ordered as votes are.
//!
//! The payload of an entry is copied once when it is written; when it is read it shares the input's memory.

mod entry;
#[cfg(any(test, fuzzing))]
pub(super) mod fuzz;
mod membership;
mod message;

pub(crate) use entry::{decode_entry, entry};
pub(crate) use membership::{decode_snapshot_meta, snapshot_meta, snapshot_needs};
pub(crate) use message::{
    append_request, append_result, decode_append_request, decode_append_result, decode_transfer_leader_request,
    decode_transfer_leader_response, decode_vote_request, decode_vote_response, transfer_leader_request,
    transfer_leader_response, vote_request, vote_response,
};

use bytes::Bytes;
use openraft::alias::{LeaderIdOf, LogIdOf, VoteOf};
use openraft::vote::RaftLeaderId as _;

use super::type_config::TypeConfig;
use crate::codec::{DecodeError, Input, Output};

type LogId = LogIdOf<TypeConfig>;
type Vote = VoteOf<TypeConfig>;

/// Of log ids, and of the entries that begin with one. A binary that reads a newer version must still write this one as
/// long as logs are kept that were written with it.
const LOG_VERSION: u8 = 1;

const VOTE_VERSION: u8 = 1;

/// Of a log id: version, term, node, index.
const LOG_ID_BYTES: usize = 25;

/// A log id: the bytes every entry of this id begins with.
#[must_use]
pub(crate) fn log_id(log_id: &LogId) -> Bytes {
    let mut output = Output::versioned(LOG_VERSION, LOG_ID_BYTES);
    put_log_id(&mut output, log_id);
    output.finish()
}

/// Reads a log id.
///
/// # Errors
/// The bytes are something else.
pub(crate) fn decode_log_id(bytes: Bytes) -> Result<LogId, DecodeError> {
    let (_, mut input) = Input::versioned("a log id", LOG_VERSION, bytes)?;
    let log_id = take_log_id(&mut input)?;
    input.finish()?;
    Ok(log_id)
}

/// A vote. Of two votes, the greater has the greater bytes.
#[must_use]
pub(crate) fn vote(vote: &Vote) -> Bytes {
    let mut output = Output::versioned(VOTE_VERSION, 17);
    put_vote(&mut output, vote);
    output.finish()
}

/// Reads a vote.
///
/// # Errors
/// The bytes are something else.
pub(crate) fn decode_vote(bytes: Bytes) -> Result<Vote, DecodeError> {
    let (_, mut input) = Input::versioned("a vote", VOTE_VERSION, bytes)?;
    let vote = take_vote(&mut input)?;
    input.finish()?;
    Ok(vote)
}

fn put_log_id(output: &mut Output, log_id: &LogId) {
    output.raw(&log_id.leader_id.term.to_be_bytes());
    output.raw(&log_id.leader_id.node_id.to_be_bytes());
    output.raw(&log_id.index.to_be_bytes());
}

fn take_log_id(input: &mut Input) -> Result<LogId, DecodeError> {
    let leader_id = LeaderIdOf::<TypeConfig>::new(take_u64(input)?, take_u64(input)?).to_committed();
    Ok(LogId { leader_id, index: take_u64(input)? })
}

fn put_vote(output: &mut Output, vote: &Vote) {
    output.raw(&vote.leader_id.term.to_be_bytes());
    output.raw(&vote.leader_id.node_id.to_be_bytes());
    output.flag(vote.committed);
}

fn take_vote(input: &mut Input) -> Result<Vote, DecodeError> {
    let leader_id = LeaderIdOf::<TypeConfig>::new(take_u64(input)?, take_u64(input)?);
    Ok(Vote { leader_id, committed: input.flag()? })
}

fn put_optional_log_id(output: &mut Output, log_id: Option<&LogId>) {
    output.option(log_id, put_log_id);
}

fn take_optional_log_id(input: &mut Input) -> Result<Option<LogId>, DecodeError> {
    input.option(take_log_id)
}

fn take_u64(input: &mut Input) -> Result<u64, DecodeError> {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&input.raw(8)?);
    Ok(u64::from_be_bytes(bytes))
}

#[cfg(test)]
mod tests;
