//! What nodes say to each other.

use bytes::Bytes;
use openraft::alias::EntryOf;
use openraft::raft::StreamAppendResult;
use openraft::raft::{
    AppendEntriesRequest, StreamAppendError, TransferLeaderError, TransferLeaderRequest, TransferLeaderResponse,
    VoteRequest, VoteResponse,
};

use super::entry::{decode_entry, put_entry, size_hint};
use super::{put_log_id, put_optional_log_id, put_vote, take_log_id, take_optional_log_id, take_vote};
use crate::codec::{DecodeError, Input, Output};
use crate::raft::type_config::TypeConfig;

/// Of all messages between nodes, which are upgraded together.
const VERSION: u8 = 1;

const OK: u8 = 0;
const CONFLICT: u8 = 1;
const HIGHER_VOTE: u8 = 2;
const VOTE_CHANGED: u8 = 1;
const LOG_NOT_FLUSHED: u8 = 2;

/// Everything of an append request but its entries.
const APPEND_HEADER_BYTES: usize = 80;

/// A length in front of an entry.
const LENGTH_BYTES: usize = 9;

/// A request to append.
#[must_use]
pub(crate) fn append_request(request: &AppendEntriesRequest<TypeConfig>) -> Bytes {
    let entries: usize = request.entries.iter().map(|entry| size_hint(entry) + LENGTH_BYTES).sum();
    let mut output = Output::versioned(VERSION, APPEND_HEADER_BYTES + entries);
    put_vote(&mut output, &request.vote);
    put_optional_log_id(&mut output, request.prev_log_id.as_ref());
    put_optional_log_id(&mut output, request.leader_commit.as_ref());
    output.list(request.entries.iter(), put_framed_entry);
    output.finish()
}

/// Reads a request to append. Its entries share the memory of `bytes`.
///
/// # Errors
/// The bytes are something else.
pub(crate) fn decode_append_request(bytes: Bytes) -> Result<AppendEntriesRequest<TypeConfig>, DecodeError> {
    let (_, mut input) = Input::versioned("an append request", VERSION, bytes)?;
    let vote = take_vote(&mut input)?;
    let prev_log_id = take_optional_log_id(&mut input)?;
    let leader_commit = take_optional_log_id(&mut input)?;
    let entries = input.list(|input| decode_entry(input.bytes()?))?;
    input.finish()?;
    Ok(AppendEntriesRequest { vote, prev_log_id, entries, leader_commit })
}

/// The answer to a request to append.
#[must_use]
pub(crate) fn append_result(result: &StreamAppendResult<TypeConfig>) -> Bytes {
    let mut output = Output::versioned(VERSION, 32);
    match result {
        Ok(matched) => {
            output.u8(OK);
            put_optional_log_id(&mut output, matched.as_ref());
        }
        Err(StreamAppendError::Conflict(log_id)) => {
            output.u8(CONFLICT);
            put_log_id(&mut output, log_id);
        }
        Err(StreamAppendError::HigherVote(vote)) => {
            output.u8(HIGHER_VOTE);
            put_vote(&mut output, vote);
        }
    }
    output.finish()
}

/// Reads the answer to a request to append.
///
/// # Errors
/// The bytes are something else.
pub(crate) fn decode_append_result(bytes: Bytes) -> Result<StreamAppendResult<TypeConfig>, DecodeError> {
    let (_, mut input) = Input::versioned("an append result", VERSION, bytes)?;
    let result = match input.u8()? {
        OK => Ok(take_optional_log_id(&mut input)?),
        CONFLICT => Err(StreamAppendError::Conflict(take_log_id(&mut input)?)),
        HIGHER_VOTE => Err(StreamAppendError::HigherVote(take_vote(&mut input)?)),
        _ => return Err(DecodeError::OutOfRange { what: "an append result", at: input.position() }),
    };
    input.finish()?;
    Ok(result)
}

/// A request for a vote, or for what a vote would be.
#[must_use]
pub(crate) fn vote_request(request: &VoteRequest<TypeConfig>) -> Bytes {
    let mut output = Output::versioned(VERSION, 48);
    put_vote(&mut output, &request.vote);
    put_optional_log_id(&mut output, request.last_log_id.as_ref());
    output.flag(request.leadership_transfer);
    output.finish()
}

/// Reads a request for a vote.
///
/// # Errors
/// The bytes are something else.
pub(crate) fn decode_vote_request(bytes: Bytes) -> Result<VoteRequest<TypeConfig>, DecodeError> {
    let (_, mut input) = Input::versioned("a vote request", VERSION, bytes)?;
    let mut request = VoteRequest::new(take_vote(&mut input)?, take_optional_log_id(&mut input)?);
    request.leadership_transfer = input.flag()?;
    input.finish()?;
    Ok(request)
}

/// The answer to a request for a vote.
#[must_use]
pub(crate) fn vote_response(response: &VoteResponse<TypeConfig>) -> Bytes {
    let mut output = Output::versioned(VERSION, 48);
    put_vote(&mut output, &response.vote);
    output.flag(response.vote_granted);
    put_optional_log_id(&mut output, response.last_log_id.as_ref());
    output.finish()
}

/// Reads the answer to a request for a vote.
///
/// # Errors
/// The bytes are something else.
pub(crate) fn decode_vote_response(bytes: Bytes) -> Result<VoteResponse<TypeConfig>, DecodeError> {
    let (_, mut input) = Input::versioned("a vote response", VERSION, bytes)?;
    let vote = take_vote(&mut input)?;
    let vote_granted = input.flag()?;
    let last_log_id = take_optional_log_id(&mut input)?;
    input.finish()?;
    Ok(VoteResponse { vote, vote_granted, last_log_id })
}

/// A leader's wish to hand over.
#[must_use]
pub(crate) fn transfer_leader_request(request: &TransferLeaderRequest<TypeConfig>) -> Bytes {
    let mut output = Output::versioned(VERSION, 56);
    put_vote(&mut output, request.from_leader());
    output.u64(*request.to_node_id());
    put_optional_log_id(&mut output, request.last_log_id());
    output.finish()
}

/// Reads a leader's wish to hand over.
///
/// # Errors
/// The bytes are something else.
pub(crate) fn decode_transfer_leader_request(bytes: Bytes) -> Result<TransferLeaderRequest<TypeConfig>, DecodeError> {
    let (_, mut input) = Input::versioned("a leader transfer", VERSION, bytes)?;
    let from = take_vote(&mut input)?;
    let to = input.u64()?;
    let last_log_id = take_optional_log_id(&mut input)?;
    input.finish()?;
    Ok(TransferLeaderRequest::new(from, to, last_log_id))
}

/// The answer to a leader's wish to hand over.
#[must_use]
pub(crate) fn transfer_leader_response(response: &TransferLeaderResponse<TypeConfig>) -> Bytes {
    let mut output = Output::versioned(VERSION, 56);
    match response {
        Ok(()) => output.u8(OK),
        Err(TransferLeaderError::VoteChanged { expected, actual }) => {
            output.u8(VOTE_CHANGED);
            put_vote(&mut output, expected);
            put_vote(&mut output, actual);
        }
        Err(TransferLeaderError::LogNotFlushed { expected, actual }) => {
            output.u8(LOG_NOT_FLUSHED);
            put_optional_log_id(&mut output, expected.as_ref());
            put_optional_log_id(&mut output, actual.as_ref());
        }
    }
    output.finish()
}

/// Reads the answer to a leader's wish to hand over.
///
/// # Errors
/// The bytes are something else.
pub(crate) fn decode_transfer_leader_response(bytes: Bytes) -> Result<TransferLeaderResponse<TypeConfig>, DecodeError> {
    let (_, mut input) = Input::versioned("a leader transfer response", VERSION, bytes)?;
    let response = match input.u8()? {
        OK => Ok(()),
        VOTE_CHANGED => {
            Err(TransferLeaderError::VoteChanged { expected: take_vote(&mut input)?, actual: take_vote(&mut input)? })
        }
        LOG_NOT_FLUSHED => Err(TransferLeaderError::LogNotFlushed {
            expected: take_optional_log_id(&mut input)?,
            actual: take_optional_log_id(&mut input)?,
        }),
        _ => return Err(DecodeError::OutOfRange { what: "a leader transfer response", at: input.position() }),
    };
    input.finish()?;
    Ok(response)
}

fn put_framed_entry(output: &mut Output, entry: &EntryOf<TypeConfig>) {
    // Only a membership's size is not known beforehand, and that is small and rare.
    if matches!(entry.payload, openraft::EntryPayload::Membership(_)) {
        return output.bytes(&super::entry(entry));
    }
    output.len(size_hint(entry));
    put_entry(output, entry);
}
