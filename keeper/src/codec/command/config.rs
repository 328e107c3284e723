//! What is asked about configs.

use std::sync::Arc;

use keeper_registry::{DocumentAction, DocumentChange, Format, Publish, Revision};

use super::{Decoded, read_numbered, read_request, unknown, write_request};
use crate::codec::policy::{read_policy, write_policy};
use crate::codec::{Input, Output};

mod tag {
    pub(super) const PUT: u8 = 1;
    pub(super) const DELETE: u8 = 2;
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
    })
}

fn write_change(out: &mut Output, change: &DocumentChange) {
    out.str(&change.path);
    out.option(change.expected, |out, revision| out.u64(revision.0));
    match &change.action {
        DocumentAction::Put { format, text, value, policy } => {
            out.u8(tag::PUT);
            out.u8(format.number());
            out.bytes(text);
            out.bytes(value);
            out.option(policy.as_deref(), write_policy);
        }
        DocumentAction::Delete => out.u8(tag::DELETE),
    }
}

fn read_change(input: &mut Input) -> Decoded<DocumentChange> {
    Ok(DocumentChange {
        path: input.str()?,
        expected: input.option(|input| Ok(Revision(input.u64()?)))?,
        action: match input.u8()? {
            tag::PUT => DocumentAction::Put {
                format: read_format(input)?,
                text: input.bytes()?,
                value: input.bytes()?,
                policy: input.option(read_policy)?.map(Arc::new),
            },
            tag::DELETE => DocumentAction::Delete,
            _ => return Err(unknown(input, "the tag of a document's action")),
        },
    })
}

pub(in crate::codec) fn read_format(input: &mut Input) -> Decoded<Format> {
    read_numbered(input, "a format")
}
