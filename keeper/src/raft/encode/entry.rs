//! A log entry: its log id, what kind it is, and its payload to the end.

use bytes::Bytes;
use openraft::EntryPayload;
use openraft::alias::EntryOf;

use super::membership::{put_membership, take_membership};
use super::{LOG_ID_BYTES, LOG_VERSION, put_log_id, take_log_id};
use crate::batch::Batch;
use crate::codec::{DecodeError, Input, Output};
use crate::raft::type_config::TypeConfig;

type Entry = EntryOf<TypeConfig>;

const BLANK: u8 = 0;
const BATCH: u8 = 1;
const MEMBERSHIP: u8 = 2;

/// Room for the members of an ordinary cluster; more grow the output.
const MEMBERSHIP_BYTES: usize = 256;

/// An entry, as it is stored and sent.
#[must_use]
pub(crate) fn entry(entry: &Entry) -> Bytes {
    let mut output = Output::with_capacity(size_hint(entry));
    put_entry(&mut output, entry);
    output.finish()
}

/// Reads an entry. Its batch shares the memory of `bytes`.
///
/// # Errors
/// The bytes are something else.
pub(crate) fn decode_entry(bytes: Bytes) -> Result<Entry, DecodeError> {
    let (_, mut input) = Input::versioned("a log entry", LOG_VERSION, bytes)?;
    let log_id = take_log_id(&mut input)?;
    let payload = match input.u8()? {
        BLANK => {
            input.finish()?;
            EntryPayload::Blank
        }
        BATCH => EntryPayload::Normal(Batch::from_encoded(input.rest())),
        MEMBERSHIP => {
            let membership = take_membership(&mut input)?;
            input.finish()?;
            EntryPayload::Membership(membership)
        }
        _ => return Err(DecodeError::OutOfRange { what: "the kind of a log entry", at: input.position() }),
    };
    Ok(Entry { log_id, payload })
}

/// Bytes of an entry, exactly for a batch.
pub(super) fn size_hint(entry: &Entry) -> usize {
    let payload = match &entry.payload {
        EntryPayload::Blank => 0,
        EntryPayload::Normal(batch) => batch.encoded().len(),
        EntryPayload::Membership(_) => MEMBERSHIP_BYTES,
    };
    LOG_ID_BYTES + 1 + payload
}

pub(super) fn put_entry(output: &mut Output, entry: &Entry) {
    output.u8(LOG_VERSION);
    put_log_id(output, &entry.log_id);
    match &entry.payload {
        EntryPayload::Blank => output.u8(BLANK),
        EntryPayload::Normal(batch) => {
            output.u8(BATCH);
            output.raw(batch.encoded());
        }
        EntryPayload::Membership(membership) => {
            output.u8(MEMBERSHIP);
            put_membership(output, membership);
        }
    }
}
