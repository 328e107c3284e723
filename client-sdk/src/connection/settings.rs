//! What a client was told at its start.

use std::time::Duration;

use crate::{connection::Connector, limits};

#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) name: String,
    pub(crate) operation_timeout: Duration,
    pub(crate) attempt_timeout: Duration,
    pub(crate) connect_timeout: Duration,
    pub(crate) seed: Option<u64>,
    pub(crate) connector: Option<Connector>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            name: "keeper".into(),
            operation_timeout: limits::OPERATION_TIMEOUT,
            attempt_timeout: limits::ATTEMPT_TIMEOUT,
            connect_timeout: limits::CONNECT_TIMEOUT,
            seed: None,
            connector: None,
        }
    }
}
