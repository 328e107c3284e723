//! The settings of a node, by the file they are in.

use std::path::Path;

use anyhow::Context as _;
use keeper::settings::{Settings, SettingsError};

/// Reads them; whatever is wrong names the file, once.
pub(super) fn settings(file: &Path) -> anyhow::Result<Settings> {
    match Settings::read(file) {
        Err(unread @ SettingsError::Read { .. }) => Err(unread.into()),
        read => read.with_context(|| file.display().to_string()),
    }
}
