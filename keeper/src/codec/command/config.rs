//! What is asked about configs.

use std::sync::Arc;

use keeper_registry::{DocumentAction, DocumentChange, Format, Policy, Publish, Revision, Witness};

use super::{Decoded, read_numbered, read_request, unknown, write_request};
use crate::codec::policy::{read_history, read_policy, write_history, write_policy};
use crate::codec::{Input, Output};

mod tag {
    pub(super) const PUT: u8 = 1;
    pub(super) const DELETE: u8 = 2;
    pub(super) const PUT_HISTORY: u8 = 3;

    pub(super) const DOCUMENT: u8 = 1;
    pub(super) const LAYERS: u8 = 2;
    pub(super) const SCHEMAS: u8 = 3;
    pub(super) const CONSUMERS: u8 = 4;
}

pub(super) fn write_publish(out: &mut Output, publish: &Publish) {
    out.list(publish.changes.iter(), write_change);
    out.str(&publish.author);
    out.str(&publish.message);
    write_request(out, publish.request);
}

pub(super) fn read_publish(input: &mut Input) -> Decoded<Publish> {
    Ok(Publish {
        changes: input.list(read_change)?,
        author: input.str()?,
        message: input.str()?,
        request: read_request(input)?,
        ..Publish::default()
    })
}

/// With what it was judged by, and whether it was forced.
pub(super) fn write_judged_publish(out: &mut Output, publish: &Publish) {
    write_publish(out, publish);
    out.list(publish.judged.iter(), write_witness);
    out.option(publish.forced.as_deref(), Output::str);
}

pub(super) fn read_judged_publish(input: &mut Input) -> Decoded<Publish> {
    let publish = read_publish(input)?;
    Ok(Publish { judged: input.list(read_witness)?, forced: input.option(Input::str)?, ..publish })
}

pub(in crate::codec) fn write_witness(out: &mut Output, witness: &Witness) {
    let tag = match witness {
        Witness::Document { .. } => tag::DOCUMENT,
        Witness::Layers { .. } => tag::LAYERS,
        Witness::Schemas { .. } => tag::SCHEMAS,
        Witness::Consumers { .. } => tag::CONSUMERS,
    };
    out.u8(tag);
    out.u64(witness.revision().0);
    if tag != tag::SCHEMAS {
        out.str(witness.path());
    }
}

pub(in crate::codec) fn read_witness(input: &mut Input) -> Decoded<Witness> {
    let (tag, revision) = (input.u8()?, Revision(input.u64()?));
    Ok(match tag {
        tag::DOCUMENT => Witness::Document { path: input.str()?, revision },
        tag::LAYERS => Witness::Layers { path: input.str()?, revision },
        tag::SCHEMAS => Witness::Schemas { revision },
        tag::CONSUMERS => Witness::Consumers { path: input.str()?, revision },
        _ => return Err(unknown(input, "the tag of a witness")),
    })
}

pub(in crate::codec) fn write_change(out: &mut Output, change: &DocumentChange) {
    out.str(&change.path);
    out.option(change.expected, |out, revision| out.u64(revision.0));
    match &change.action {
        DocumentAction::Put { format, text, value, policy } => {
            out.u8(if matches!(policy, Some(Policy::History(_))) { tag::PUT_HISTORY } else { tag::PUT });
            out.u8(format.number());
            out.bytes(text);
            out.bytes(value);
            match policy {
                None => out.flag(false),
                Some(Policy::Sessions(policy)) => out.option(Some(policy), |out, policy| write_policy(out, policy)),
                Some(Policy::History(policy)) => write_history(out, policy),
            }
        }
        DocumentAction::Delete => out.u8(tag::DELETE),
    }
}

pub(in crate::codec) fn read_change(input: &mut Input) -> Decoded<DocumentChange> {
    Ok(DocumentChange {
        path: input.str()?,
        expected: input.option(|input| Ok(Revision(input.u64()?)))?,
        action: match input.u8()? {
            tag::PUT => DocumentAction::Put {
                format: read_format(input)?,
                text: input.bytes()?,
                value: input.bytes()?,
                policy: input.option(read_policy)?.map(|policy| Policy::Sessions(Arc::new(policy))),
            },
            tag::PUT_HISTORY => DocumentAction::Put {
                format: read_format(input)?,
                text: input.bytes()?,
                value: input.bytes()?,
                policy: Some(Policy::History(Arc::new(read_history(input)?))),
            },
            tag::DELETE => DocumentAction::Delete,
            _ => return Err(unknown(input, "the tag of a document's action")),
        },
    })
}

pub(in crate::codec) fn read_format(input: &mut Input) -> Decoded<Format> {
    read_numbered(input, "a format")
}
