//! Where a session is or was: an incarnation, by name.

use std::sync::Arc;

use crate::{Incarnation, Instance};

/// An incarnation, by name. Outlives what else is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Kind of process.
    pub service: Arc<str>,
    /// Which one.
    pub id: Arc<str>,
    /// Which life of it.
    pub incarnation: Incarnation,
}

impl Place {
    pub(crate) fn of(instance: &Instance) -> Self {
        let Instance { service, id, incarnation, .. } = instance;
        Self { service: Arc::clone(service), id: Arc::clone(id), incarnation: *incarnation }
    }
}
