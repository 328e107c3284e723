//! What open incarnations read, as a snapshot holds it.

use keeper_registry::{AnnouncementRecord, Incarnation, Record, Schema, SchemaHash, Thawing};

use crate::codec::command::{read_consumed, write_consumed};
use crate::codec::record::ReadError;
use crate::codec::{DecodeError, Input, Output};

/// Writes what some incarnations read.
pub(super) fn write_announcement(out: &mut Output, record: &AnnouncementRecord<'_>) {
    out.list(record.documents.iter(), write_consumed);
    out.list(record.incarnations.iter(), |out, incarnation| out.u64(incarnation.0));
}

/// Reads it, and gives it to the state that is being rebuilt.
pub(super) fn read_announcement(input: &mut Input, thawing: &mut Thawing) -> Result<(), ReadError> {
    let documents = &input.list(read_consumed)?;
    let incarnations = &input.list(|input| Ok(Incarnation(input.u64()?)))?;
    thawing.push(Record::Announcement(AnnouncementRecord { documents, incarnations }))?;
    Ok(())
}

/// Reads a schema, whose hash is not written.
pub(super) fn read_schema(input: &mut Input) -> Result<Schema, DecodeError> {
    let bytes = input.owned()?;
    Ok(Schema { hash: SchemaHash::of(&bytes), bytes })
}
