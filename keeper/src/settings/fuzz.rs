//! The settings file: what is accepted holds values that can be, and a refusal names a place or a key.

use super::{Settings, SettingsError};
use crate::codec::fuzz::Property;
use crate::format::fuzz::within;

/// Of this folder.
pub(crate) const PROPERTIES: &[Property] = &[("settings", settings)];

fn settings(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    match Settings::parse(text) {
        Ok(settings) => {
            assert!(settings.node_id != Some(0) && !settings.cluster.is_empty());
            assert!(settings.raft.election_min_ms > settings.raft.heartbeat_ms);
        }
        Err(SettingsError::Syntax(refusal)) => within(text, &refusal),
        Err(refused) => assert!(!refused.to_string().is_empty()),
    }
}
