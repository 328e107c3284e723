//! The settings file as written.

use serde::Deserialize;

use super::{Limits, Log, Presence, Raft, Secrets, SettingsError, Storage, Upgrade};
use crate::format::{self, Format};

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct File {
    pub(super) cluster: Option<String>,
    pub(super) node_id: Option<u64>,
    pub(super) data_dir: Option<String>,
    pub(super) allow_insecure: bool,
    pub(super) listen: Listen,
    pub(super) advertise: Advertise,
    pub(super) raft: Raft,
    pub(super) storage: Storage,
    pub(super) log: Log,
    pub(super) limits: Limits,
    pub(super) presence: Presence,
    pub(super) upgrade: Upgrade,
    pub(super) secrets: Secrets,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Listen {
    pub(super) client: Option<String>,
    pub(super) peer: Option<String>,
    pub(super) http: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Advertise {
    pub(super) client: Option<String>,
    pub(super) peer: Option<String>,
}

impl File {
    pub(super) fn parse(text: &str) -> Result<Self, SettingsError> {
        format::read(Format::Toml, text).map_err(SettingsError::Syntax)
    }
}
