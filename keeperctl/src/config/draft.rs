//! The file a document is edited in. It is gone with the draft, unless it is kept.

use std::{fs, io::Write, path::Path};

use tempfile::TempPath;

use crate::{config::source, failure::Failure};

/// The file a document is edited in.
#[derive(Debug)]
pub(super) struct Draft {
    file: TempPath,
}

impl Draft {
    /// Named after the document, so that an editor knows the format.
    pub(super) fn of(path: &str, text: &str) -> Result<Self, Failure> {
        let failed = |error| Failure::failed(format!("cannot write a file to edit: {error}"));
        let name = path.rsplit('/').next().unwrap_or(path);
        let mut file =
            tempfile::Builder::new().prefix("keeperctl-").suffix(&format!("-{name}")).tempfile().map_err(failed)?;
        file.write_all(text.as_bytes()).map_err(failed)?;
        Ok(Self { file: file.into_temp_path() })
    }

    pub(super) fn path(&self) -> &Path {
        &self.file
    }

    pub(super) fn text(&self) -> Result<String, Failure> {
        source::read(&self.file.to_string_lossy())
    }

    /// Whether there is work in it that would be lost.
    pub(super) fn differs_from(&self, text: &str) -> bool {
        fs::read(&self.file).is_ok_and(|edited| edited != text.as_bytes())
    }

    /// Leaves the file where it is, and says so.
    pub(super) fn keep(self, failure: Failure) -> Failure {
        match self.file.keep() {
            Ok(path) => failure.remedy(format!("the edited text is kept in {}", path.display())),
            Err(error) => failure.remedy(format!("the edited text could not be kept: {}", error.error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draft_has_the_ending_of_its_document() {
        let draft = Draft::of("push/room.toml", "a = 1\n").expect("room for it");
        assert!(draft.path().to_string_lossy().ends_with("-room.toml"));
        assert_eq!(draft.text(), Ok("a = 1\n".to_owned()));
        assert!(!draft.differs_from("a = 1\n"));
    }

    #[test]
    fn a_draft_goes_unless_it_is_kept() {
        let draft = Draft::of("a.toml", "").expect("room for it");
        let path = draft.path().to_owned();
        drop(draft);
        assert!(!path.exists());

        let draft = Draft::of("a.toml", "").expect("room for it");
        let path = draft.path().to_owned();
        fs::write(&path, "a = 1\n").expect("room for it");
        assert!(draft.differs_from(""));
        let failure = draft.keep(Failure::refused("no"));
        assert_eq!(failure.remedies, [format!("the edited text is kept in {}", path.display())]);
        assert_eq!(fs::read_to_string(&path).expect("still there"), "a = 1\n");
        fs::remove_file(path).expect("still there");
    }
}
