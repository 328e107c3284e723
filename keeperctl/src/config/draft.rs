//! The file a document is edited in. It is gone with the draft, unless it is kept.
//!
//! Why a text was refused stands on top of it as comments, where its format has comments; they are no part of it.

use std::{fs, io::Write, path::Path};

use keeper_client_sdk::Format;
use tempfile::TempPath;

use crate::{
    config::{folder, source},
    failure::Failure,
};

/// What begins a line that explains: a comment in every format that has any.
const EXPLAINS: &str = "# keeperctl: ";

/// The file a document is edited in.
#[derive(Debug)]
pub(super) struct Draft {
    file: TempPath,
}

impl Draft {
    /// Named as a folder would have it, which ends as its format does, so that an editor knows it.
    pub(super) fn of(path: &str, format: Option<Format>, text: &str) -> Result<Self, Failure> {
        let failed = |error| Failure::failed(format!("cannot write a file to edit: {error}"));
        let file = format.and_then(|format| folder::file_of(path, format).ok());
        let file = file.as_deref().unwrap_or(path);
        let name = file.rsplit('/').next().unwrap_or(file);
        let mut file =
            tempfile::Builder::new().prefix("keeperctl-").suffix(&format!("-{name}")).tempfile().map_err(failed)?;
        file.write_all(text.as_bytes()).map_err(failed)?;
        Ok(Self { file: file.into_temp_path() })
    }

    pub(super) fn path(&self) -> &Path {
        &self.file
    }

    /// What was written, without what explains.
    pub(super) fn text(&self) -> Result<String, Failure> {
        let text = source::read(&self.file.to_string_lossy())?;
        let explanation: usize =
            text.split_inclusive('\n').take_while(|line| line.starts_with(EXPLAINS.trim_end())).map(str::len).sum();
        Ok(text[explanation..].to_owned())
    }

    /// Puts another text in its place.
    pub(super) fn write(&self, text: &str) -> Result<(), Failure> {
        fs::write(&self.file, text).map_err(|error| Failure::failed(format!("cannot write the file to edit: {error}")))
    }

    /// Puts lines on top of the text that say what is wrong with it; JSON has no place for them.
    pub(super) fn explain<'a>(
        &self,
        lines: impl Iterator<Item = &'a str>,
        format: Option<Format>,
    ) -> Result<(), Failure> {
        let text = self.text()?;
        match format {
            Some(Format::Toml | Format::Yaml | Format::Ini) => {
                let top: String = lines.map(|line| format!("{EXPLAINS}{line}\n")).collect();
                self.write(&format!("{top}{text}"))
            }
            Some(Format::Json) | None => self.write(&text),
        }
    }

    /// Whether there is work in it that would be lost.
    pub(super) fn differs_from(&self, text: &str) -> bool {
        // What cannot be read as a text may be work all the same.
        self.text().map_or(true, |edited| edited != text)
    }

    /// Leaves the file where it is, and says so.
    pub(super) fn keep(self, failure: Failure) -> Failure {
        if let Ok(text) = self.text() {
            // If the explanation cannot be taken off it stays, which harms nobody.
            drop(self.write(&text));
        }
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
        let draft = Draft::of("push/room.toml", Some(Format::Toml), "a = 1\n").expect("room for it");
        assert!(draft.path().to_string_lossy().ends_with("-room.toml"));
        assert_eq!(draft.text(), Ok("a = 1\n".to_owned()));
        assert!(!draft.differs_from("a = 1\n"));
    }

    /// A layer's file ended in `.toml@zone=eu-1`, which no editor knows.
    #[test]
    fn the_draft_of_a_layer_ends_as_its_format() {
        let ends = |path: &str, format, end: &str| {
            let draft = Draft::of(path, format, "").expect("room for it");
            assert!(draft.path().to_string_lossy().ends_with(end), "{path}: {}", draft.path().display());
        };
        ends("push/adj.toml@zone=eu", Some(Format::Toml), "-adj@zone=eu.toml");
        ends("keeper/sessions", Some(Format::Toml), "-sessions+.toml");
        ends("push/flags", None, "-flags");
    }

    #[test]
    fn an_explanation_is_no_part_of_the_text() {
        let draft = Draft::of("a.toml", Some(Format::Toml), "# mine\na = \n").expect("room for it");
        for _ in 0..2 {
            draft.explain(["line 2, column 5: no value", ""].into_iter(), Some(Format::Toml)).expect("room for it");
            let file = fs::read_to_string(draft.path()).expect("still there");
            let expected = "# keeperctl: line 2, column 5: no value\n# keeperctl: \n# mine\na = \n";
            assert_eq!(file, expected);
            assert_eq!(draft.text().as_deref(), Ok("# mine\na = \n"));
        }
        assert!(!draft.differs_from("# mine\na = \n"));
        draft.explain(["nowhere to put it"].into_iter(), Some(Format::Json)).expect("room for it");
        assert_eq!(fs::read_to_string(draft.path()).expect("still there"), "# mine\na = \n");
    }

    #[test]
    fn a_draft_goes_unless_it_is_kept() {
        let draft = Draft::of("a.toml", Some(Format::Toml), "").expect("room for it");
        let path = draft.path().to_owned();
        drop(draft);
        assert!(!path.exists());

        let draft = Draft::of("a.toml", Some(Format::Toml), "").expect("room for it");
        let path = draft.path().to_owned();
        fs::write(&path, "a = 1\n").expect("room for it");
        assert!(draft.differs_from(""));
        let failure = draft.keep(Failure::refused("no"));
        assert_eq!(failure.remedies, [format!("the edited text is kept in {}", path.display())]);
        assert_eq!(fs::read_to_string(&path).expect("still there"), "a = 1\n");
        fs::remove_file(path).expect("still there");
    }
}
