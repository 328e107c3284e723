//! What says that the command has yet to hear of a file: another one beside it, from before it is replaced until the
//! command has run. Whoever dies in between, the next one finds it and runs the command.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use super::target::{failed, folder_of};
use crate::failure::Failure;

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mark(PathBuf);

impl Mark {
    /// Beside a file.
    pub(super) fn beside(file: &Path) -> Self {
        let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Self(folder_of(file).join(format!(".{name}.keeper-pending")))
    }

    pub(super) fn is_set(&self) -> bool {
        self.0.exists()
    }

    pub(super) fn set(&self) -> Result<(), Failure> {
        let set = || -> io::Result<()> {
            File::create(&self.0)?;
            File::open(folder_of(&self.0))?.sync_all()
        };
        set().map_err(|error| failed(&self.0, &error))
    }

    pub(super) fn clear(&self) -> Result<(), Failure> {
        match fs::remove_file(&self.0) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(failed(&self.0, &error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_found_by_the_next_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let mark = || Mark::beside(&folder.path().join("a.toml"));
        assert!(!mark().is_set());
        mark().set().expect("room for it");
        assert!(mark().is_set());
        mark().clear().expect("ours");
        mark().clear().expect("gone already");
        assert!(!mark().is_set());
    }
}
