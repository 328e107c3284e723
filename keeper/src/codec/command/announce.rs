//! What is asked about consumers.

use keeper_registry::{Announce, Consumed, Incarnation, SchemaHash};

use super::Decoded;
use crate::codec::{Input, Output};

pub(super) fn write_announce(out: &mut Output, announce: &Announce) {
    out.u64(announce.incarnation.0);
    out.list(announce.documents.iter(), write_consumed);
    out.list(announce.schemas.iter(), |out, schema| out.bytes(schema));
}

pub(super) fn read_announce(input: &mut Input) -> Decoded<Announce> {
    Ok(Announce {
        incarnation: Incarnation(input.u64()?),
        documents: input.list(read_consumed)?,
        schemas: input.list(Input::bytes)?,
    })
}

pub(in crate::codec) fn write_consumed(out: &mut Output, consumed: &Consumed) {
    out.str(&consumed.path);
    out.option(consumed.schema, |out, schema| out.raw(&schema.0));
}

pub(in crate::codec) fn read_consumed(input: &mut Input) -> Decoded<Consumed> {
    Ok(Consumed { path: input.str()?.into(), schema: input.option(read_hash)? })
}

fn read_hash(input: &mut Input) -> Decoded<SchemaHash> {
    let mut hash = [0; 16];
    hash.copy_from_slice(&input.raw(16)?);
    Ok(SchemaHash(hash))
}
