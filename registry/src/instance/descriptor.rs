//! What an instance says about itself when it opens. It never changes within an incarnation.

use std::sync::Arc;

use crate::{
    Incarnation, LogTime, OpenInstance, Rejection, Revision, check,
    digest::{Digest, Kind},
    limits,
};

/// One life of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// Kind of process.
    pub service: Arc<str>,
    /// Which one.
    pub id: Arc<str>,
    /// Which life of it.
    pub incarnation: Incarnation,
    /// Where it is reached.
    pub endpoints: Vec<String>,
    /// Where it stands.
    pub zone: String,
    /// Share of traffic it asks for.
    pub weight: u32,
    /// Sorted by name, names unique.
    pub labels: Vec<(String, String)>,
    /// Of its program.
    pub version: String,
    /// How long it may stay silent.
    pub ttl_ms: u32,
    /// Of the entry that opened it.
    pub opened: Revision,
    /// When it was opened.
    pub opened_at: LogTime,
}

impl Instance {
    pub(crate) fn digest(&self) -> u64 {
        let digest = Digest::of(Kind::Instance)
            .text(&self.service)
            .text(&self.id)
            .number(self.incarnation.0)
            .text(&self.zone)
            .number(u64::from(self.weight))
            .text(&self.version)
            .number(u64::from(self.ttl_ms))
            .number(self.opened.0)
            .number(self.opened_at.0)
            .number(self.endpoints.len() as u64);
        let digest = self.endpoints.iter().fold(digest, |digest, endpoint| digest.text(endpoint));
        self.labels.iter().fold(digest, |digest, (name, value)| digest.text(name).text(value)).finish()
    }
}

/// Labels come back sorted: the order they were given in means nothing.
pub(super) fn checked_labels(open: &OpenInstance) -> Result<Vec<(String, String)>, Rejection> {
    check::size("labels", open.labels.len(), limits::LABELS_MAX)?;
    for (name, value) in &open.labels {
        check::bytes("label", name.as_bytes(), limits::LABEL_BYTES_MAX)?;
        check::size("label", value.len(), limits::LABEL_BYTES_MAX)?;
    }
    let mut labels = open.labels.clone();
    labels.sort_unstable();
    if labels.windows(2).any(|pair| pair[0].0 == pair[1].0) {
        return Err(Rejection::Repeated { field: "labels" });
    }
    Ok(labels)
}

pub(super) fn check_open(open: &OpenInstance) -> Result<(), Rejection> {
    check::name("service", &open.service)?;
    check::name("id", &open.id)?;
    check::size("endpoints", open.endpoints.len(), limits::ENDPOINTS_MAX)?;
    for endpoint in &open.endpoints {
        check::bytes("endpoint", endpoint.as_bytes(), limits::ENDPOINT_BYTES_MAX)?;
    }
    check::size("zone", open.zone.len(), limits::ZONE_BYTES_MAX)?;
    check::size("version", open.version.len(), limits::VERSION_BYTES_MAX)?;
    check::range("ttl_ms", open.ttl_ms.into(), limits::TTL_MS_MIN.into(), limits::TTL_MS_MAX.into())?;
    check::range("flush_total", open.flush_total, 0, limits::FLUSH_SESSIONS_MAX)
}
