//! The editor that whoever sits there likes.

use std::path::Path;

use tokio::process::Command;

use crate::failure::Failure;

/// The editor to use when none is named: every Unix has it.
const FALLBACK: &str = "vi";

/// What a shell exits with when there is no such program.
const NO_SUCH_PROGRAM: i32 = 127;

/// A command line that edits the file it is given: it may hold options and quotes, as in `code --wait`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Editor(String);

impl Editor {
    /// By `variable`, which is the environment.
    pub(super) fn of(variable: impl Fn(&str) -> Option<String>) -> Self {
        let named = ["VISUAL", "EDITOR"].into_iter().find_map(|name| variable(name).filter(|it| !it.trim().is_empty()));
        Self(named.unwrap_or_else(|| FALLBACK.to_owned()))
    }

    /// Returns when the editor has ended.
    pub(super) async fn open(&self, file: &Path) -> Result<(), Failure> {
        // The shell reads the command line as it would at a prompt, and takes the file's name as it is.
        let script = format!("{} \"$@\"", self.0);
        let status = Command::new("sh").arg("-c").arg(script).arg("keeperctl").arg(file).status().await;
        let status =
            status.map_err(|error| Failure::failed(format!("cannot start a shell for the editor: {error}")))?;
        if status.success() {
            return Ok(());
        }
        let failure = Failure::failed(format!("the editor `{}` ended with {status}; nothing was published", self.0));
        Err(match status.code() {
            Some(NO_SUCH_PROGRAM) => failure.remedy("name one that is installed in $VISUAL or $EDITOR"),
            Some(_) | None => failure,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(visual: Option<&str>, editor: Option<&str>) -> String {
        let variable = |name: &str| if name == "VISUAL" { visual } else { editor };
        Editor::of(|name| variable(name).map(str::to_owned)).0
    }

    #[test]
    fn the_visual_one_is_preferred() {
        assert_eq!(chosen(Some("code --wait"), Some("ed")), "code --wait");
        assert_eq!(chosen(None, Some("ed")), "ed");
        assert_eq!(chosen(Some(" "), None), "vi");
    }

    #[tokio::test]
    async fn the_command_line_may_have_options() {
        let file = tempfile::Builder::new().prefix("a b").tempfile().expect("a file");
        std::fs::write(file.path(), "old\n").expect("room for it");
        let editor = Editor("sed -i 's/old/new text/'".into());
        assert_eq!(editor.open(file.path()).await, Ok(()));
        assert_eq!(std::fs::read_to_string(file.path()).expect("still there"), "new text\n");
    }

    #[tokio::test]
    async fn an_editor_that_fails_publishes_nothing() {
        let failure = Editor("false".into()).open(Path::new("x")).await.expect_err("false");
        assert_eq!(failure.message, "the editor `false` ended with exit status: 1; nothing was published");
        assert!(failure.remedies.is_empty());
        let failure = Editor("no-such-editor".into()).open(Path::new("x")).await.expect_err("nothing");
        assert_eq!(failure.remedies, ["name one that is installed in $VISUAL or $EDITOR"]);
    }
}
