//! For whom a document is.

use std::{collections::BTreeMap, fmt};

use keeper_proto::v1;

/// An instance that is, or one that might be: which layers of a document apply follows from it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[must_use]
pub struct Reader {
    pub(crate) service: String,
    pub(crate) id: String,
    pub(crate) zone: String,
    pub(crate) labels: BTreeMap<String, String>,
}

impl Reader {
    /// Nobody in particular: no layer applies.
    pub fn nobody() -> Self {
        Self::default()
    }

    /// An open instance, by its name; its zone and labels are those it opened with.
    pub fn instance(service: impl Into<String>, id: impl Into<String>) -> Self {
        Self { service: service.into(), id: id.into(), ..Self::default() }
    }

    /// One of this service that might be.
    pub fn service(service: impl Into<String>) -> Self {
        Self { service: service.into(), ..Self::default() }
    }

    /// Where it stands.
    pub fn zone(mut self, zone: impl Into<String>) -> Self {
        self.zone = zone.into();
        self
    }

    /// Adds a word about it.
    pub fn label(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.insert(name.into(), value.into());
        self
    }

    pub(crate) fn to_proto(&self) -> v1::Reader {
        let Self { service, id, zone, labels } = self.clone();
        v1::Reader { service, id, zone, labels: labels.into_iter().collect() }
    }

    pub(crate) fn from_proto(reader: v1::Reader) -> Self {
        let v1::Reader { service, id, zone, labels } = reader;
        Self { service, id, zone, labels: labels.into_iter().collect() }
    }
}

/// As a stage or a layer says it: `service=room zone=eu-1 label.ring=canary`; an instance by its name: `room/r1`;
/// nothing for nobody in particular.
impl fmt::Display for Reader {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { service, id, zone, labels } = self;
        if !id.is_empty() {
            return write!(formatter, "{service}/{id}");
        }
        let service = (!service.is_empty()).then(|| format!("service={service}"));
        let zone = (!zone.is_empty()).then(|| format!("zone={zone}"));
        let labels = labels.iter().map(|(name, value)| format!("label.{name}={value}"));
        let words: Vec<_> = service.into_iter().chain(zone).chain(labels).collect();
        formatter.write_str(&words.join(" "))
    }
}
