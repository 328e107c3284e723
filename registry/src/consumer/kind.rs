//! A kind of process: what all of one service and version read, when they say the same.

use std::sync::Arc;

use super::{Consumed, SchemaHash};
use crate::{
    Incarnation, Instance,
    digest::{Digest, Kind as DigestKind},
};

/// Processes that a publish is judged against as one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConsumerGroup {
    /// Their service.
    pub service: Arc<str>,
    /// Of their program.
    pub version: Arc<str>,
    /// What they read the document by; none: they take any value.
    pub schema: Option<SchemaHash>,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Kind {
    service: Arc<str>,
    version: Arc<str>,
    /// Sorted by path, paths unique.
    documents: Arc<[Consumed]>,
    /// Follows from the others.
    digest: u64,
}

impl Kind {
    pub(super) fn of(instance: &Instance, documents: Arc<[Consumed]>) -> Self {
        Self::new(&instance.service, &instance.version, documents)
    }

    pub(super) fn new(service: &Arc<str>, version: &str, documents: Arc<[Consumed]>) -> Self {
        let digest = Digest::of(DigestKind::Announcement).text(service).text(version);
        let each = |digest: Digest, Consumed { path, schema }: &Consumed| {
            digest.text(path).optional_bytes(schema.as_ref().map(|schema| &schema.0[..]))
        };
        let digest = documents.iter().fold(digest.number(documents.len() as u64), each).finish();
        Self { service: Arc::clone(service), version: version.into(), documents, digest }
    }

    pub(super) fn documents(&self) -> &[Consumed] {
        &self.documents
    }

    pub(super) fn group(&self, consumed: &Consumed) -> ConsumerGroup {
        let (service, version) = (Arc::clone(&self.service), Arc::clone(&self.version));
        ConsumerGroup { service, version, schema: consumed.schema }
    }

    pub(super) fn member_digest(&self, incarnation: Incarnation) -> u64 {
        Digest::of(DigestKind::Announcement).number(self.digest).number(incarnation.0).finish()
    }
}
