//! The keys of secrets, read once when the node starts: from a file, or from the environment of a process that is given
//! them and nothing else.

use std::path::PathBuf;

use crate::config::secret::{KeyRing, SecretError};
use crate::settings::Secrets;

/// Where keys are when no file of them is named.
const KEYS_VARIABLE: &str = "KEEPER_SECRET_KEYS";

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The file cannot be read.
    #[error("{} cannot be read (secrets.key_file)", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// It does not hold keys.
    #[error("{place} holds no ring of keys")]
    Parse {
        /// The file, or the variable.
        place: String,
        /// Why not.
        source: SecretError,
    },
}

/// The keys that the settings name; none: secrets are refused here, and stay shut.
pub(super) fn key_ring(secrets: &Secrets) -> Result<KeyRing, KeysError> {
    let (place, text) = match &secrets.key_file {
        Some(path) => {
            let text = std::fs::read_to_string(path);
            let text = text.map_err(|source| KeysError::Read { path: path.clone(), source })?;
            (path.display().to_string(), text)
        }
        None => (KEYS_VARIABLE.to_owned(), std::env::var(KEYS_VARIABLE).unwrap_or_default()),
    };
    KeyRing::parse(&text).map_err(|source| KeysError::Parse { place, source })
}

/// Whether a node that starts now would find its keys.
///
/// # Errors
/// [`KeysError`]: it would not.
pub fn check_keys(secrets: &Secrets) -> Result<(), KeysError> {
    key_ring(secrets).map(drop)
}
