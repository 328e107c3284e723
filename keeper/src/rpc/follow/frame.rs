//! A reply as it is on the wire: what is a follower's own, and the documents it shares with others.

use bytes::{BufMut, Bytes, BytesMut};
use keeper_proto::v1 as wire;
use prost::Message;
use prost::encoding::message;

use crate::limits::FOLLOW_COPY_BYTES_MAX;
use crate::rpc::encoded::{Encoded, PREFIX_BYTES, prefix};
use crate::watch::{Followed, Given};

/// The number of `Followed.documents`.
const DOCUMENTS: u32 = 4;

/// A message of a change, or of a part of it. The fields of a message may come in any order.
pub(super) fn encode(followed: &Followed) -> Encoded {
    let Followed { cursor, state, reset, documents, more } = followed;
    let head =
        wire::Followed { cursor: cursor.0, state_id: state.0, reset: *reset, documents: Vec::new(), more: *more };
    let documents: Vec<_> = documents.iter().map(document).collect();
    let length = head.encoded_len() + documents.iter().map(Bytes::len).sum::<usize>();
    let copied = documents.iter().map(Bytes::len).filter(|length| *length <= FOLLOW_COPY_BYTES_MAX).sum::<usize>();
    let mut piece = BytesMut::with_capacity(PREFIX_BYTES + head.encoded_len() + copied);
    piece.put_slice(&prefix(length));
    head.encode_raw(&mut piece);
    let mut pieces = Vec::new();
    for document in documents {
        if document.len() <= FOLLOW_COPY_BYTES_MAX {
            piece.put_slice(&document);
        } else {
            if !piece.is_empty() {
                pieces.push(piece.split().freeze());
            }
            pieces.push(document);
        }
    }
    if !piece.is_empty() {
        pieces.push(piece.freeze());
    }
    Encoded(pieces)
}

/// A document with its tag: written once, if others are told the same of it.
fn document(given: &Given) -> Bytes {
    let Given { path, revision, rollout, document } = given;
    let write = |value: &Bytes, deleted| {
        let document = wire::EffectiveDocument {
            path: path.to_string(),
            revision: revision.0,
            value: value.clone(),
            deleted,
            rollout: rollout.unwrap_or_default(),
        };
        let mut bytes = BytesMut::with_capacity(message::encoded_len(DOCUMENTS, &document));
        message::encode(DOCUMENTS, &document, &mut bytes);
        bytes.freeze()
    };
    match document {
        Some(merged) => merged.written(*revision, *rollout, |value| write(value, false)),
        None => write(&Bytes::new(), true),
    }
}
