//! The opaque tokens clients hand back: where a listing stands, where a gateway's notices stand. Each has a version
//! byte and, where it matters, the state id it belongs to.

use bytes::Bytes;
use keeper_registry::{NoticeCursor, Revision, ScanPosition, SessionKey, StateId};

use crate::codec::{DecodeError, Input, Output};
use crate::problem::Problem;
use crate::rpc::from_proto::invalid;

const VERSION: u8 = 1;

/// Where a listing stands; empty at its end.
pub(crate) fn write_scan(position: Option<&ScanPosition>, state: Option<StateId>) -> Bytes {
    let Some(ScanPosition(key)) = position else { return Bytes::new() };
    let mut out = Output::versioned(VERSION, 32 + key.user.len() + key.slot.len());
    out.u64(state.unwrap_or_default().0);
    out.bytes(&key.user);
    out.bytes(&key.slot);
    out.finish()
}

/// Where a listing goes on; empty at its start.
pub(crate) fn read_scan(token: &Bytes, present: Option<StateId>) -> Result<Option<ScanPosition>, Problem> {
    if token.is_empty() {
        return Ok(None);
    }
    let (state, position) = decode_scan(token).map_err(|error| broken("token", &error))?;
    if Some(state) != present {
        return Err(invalid("token", "`token` comes from another history of the cluster: list again from the start"));
    }
    Ok(Some(position))
}

fn decode_scan(token: &Bytes) -> Result<(StateId, ScanPosition), DecodeError> {
    let (_, mut input) = Input::versioned("a token", VERSION, token.clone())?;
    let state = StateId(input.u64()?);
    let key = SessionKey { user: input.bytes()?, slot: input.bytes()? };
    input.finish()?;
    Ok((state, ScanPosition(key)))
}

/// Where a gateway's notices stand.
pub(crate) fn write_notices(cursor: NoticeCursor) -> Bytes {
    let mut out = Output::versioned(VERSION, 16);
    out.u64(cursor.revision.0);
    out.u32(cursor.position);
    out.finish()
}

/// Where a gateway's notices go on; empty: from when its incarnation opened.
pub(crate) fn read_notices(cursor: &Bytes) -> Result<NoticeCursor, Problem> {
    if cursor.is_empty() {
        return Ok(NoticeCursor::default());
    }
    decode_notices(cursor).map_err(|error| broken("cursor", &error))
}

fn decode_notices(cursor: &Bytes) -> Result<NoticeCursor, DecodeError> {
    let (_, mut input) = Input::versioned("a cursor", VERSION, cursor.clone())?;
    let cursor = NoticeCursor { revision: Revision(input.u64()?), position: input.u32()? };
    input.finish()?;
    Ok(cursor)
}

fn broken(field: &str, error: &DecodeError) -> Problem {
    invalid(field, format!("`{field}` is not one this cluster has given out: {error}"))
}
