//! Documents as they come from the wire.

use keeper_proto::v1;

use crate::{Document, DocumentsChanged, Format};

pub(crate) const fn format(format: v1::Format) -> Option<Format> {
    match format {
        v1::Format::Unspecified => None,
        v1::Format::Toml => Some(Format::Toml),
        v1::Format::Yaml => Some(Format::Yaml),
        v1::Format::Json => Some(Format::Json),
        v1::Format::Ini => Some(Format::Ini),
    }
}

pub(crate) fn document(document: v1::Document) -> Document {
    Document {
        format: format(document.format()),
        path: document.path,
        text: document.text,
        canonical: document.value,
        revision: document.revision,
        version: document.version,
        author: document.author,
        message: document.message,
        published_at_ms: document.published_at_ms,
        deleted: document.deleted,
    }
}

pub(crate) fn changed(frame: v1::ConfigsChanged) -> DocumentsChanged {
    DocumentsChanged {
        revision: frame.cursor,
        state_id: frame.state_id,
        reset: frame.reset,
        documents: frame.documents.into_iter().map(document).collect(),
    }
}
