//! For whom a document is read: an open instance, or one that might be.

use std::sync::Arc;

use keeper_proto::v1 as wire;
use keeper_registry::{Incarnation, Instance, LogTime, Revision, State};

use crate::problem::Problem;

/// The instance that a reader names, or the one that it describes.
pub(crate) fn instance(state: &State, field: &str, reader: wire::Reader) -> Result<Arc<Instance>, Problem> {
    let wire::Reader { service, id, zone, labels } = reader;
    if id.is_empty() {
        let labels = labels.into_iter().collect();
        return Ok(Arc::new(imagined(service, zone, labels)));
    }
    let message = || {
        format!("no instance {service}/{id} is open: leave out the id, and say the zone and the labels it would have")
    };
    state
        .instance_named(&service, &id)
        .cloned()
        .ok_or_else(|| Problem::Absent { field: format!("{field}.id"), message: message() })
}

fn imagined(service: String, zone: String, labels: Vec<(String, String)>) -> Instance {
    Instance {
        service: service.into(),
        id: "".into(),
        incarnation: Incarnation(0),
        endpoints: Vec::new(),
        zone,
        weight: 0,
        labels,
        version: String::new(),
        ttl_ms: 0,
        opened: Revision(0),
        opened_at: LogTime(0),
    }
}
