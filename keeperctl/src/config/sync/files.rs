//! Files that are replaced whole or not at all, all of one change together.
//!
//! Each new text is written beside its file and synced before the first file is replaced, so that a full disk, a
//! missing folder or a file that may not be read leaves every file as it was. A file keeps its mode and, where the
//! system lets it, its owner; a new one is readable for its owner alone, because it may hold secrets.
//!
//! A mark lies beside the first file from before the first one is replaced until the command has run: whoever dies in
//! between, the next one finds it and runs the command.

use std::{
    fs::{self, File, Metadata},
    io::{self, Write},
    os::unix::fs::{MetadataExt, PermissionsExt, chown},
    path::{Path, PathBuf},
};

use tempfile::NamedTempFile;

use crate::failure::Failure;

/// A file and what it is to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Text {
    pub(super) file: PathBuf,
    pub(super) text: String,
}

impl Text {
    /// Whether the file holds it already.
    pub(super) fn is_there(&self) -> bool {
        fs::read(&self.file).is_ok_and(|there| there == self.text.as_bytes())
    }
}

/// Replaces all of them; none when one cannot be written.
pub(super) fn replace(texts: &[Text]) -> Result<(), Failure> {
    let fresh = texts.iter().map(fresh).collect::<Result<Vec<_>, _>>()?;
    for (text, fresh) in texts.iter().zip(fresh) {
        fresh.persist(&text.file).map_err(|error| failed(&text.file, &error.error))?;
    }
    for text in texts {
        sync_folder(&text.file).map_err(|error| failed(&text.file, &error))?;
    }
    Ok(())
}

fn fresh(text: &Text) -> Result<NamedTempFile, Failure> {
    let before = match fs::metadata(&text.file) {
        Ok(before) => Some(before),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(failed(&text.file, &error)),
    };
    if before.as_ref().is_some_and(Metadata::is_dir) {
        return Err(Failure::failed(format!("{} is a folder", text.file.display())));
    }
    let write = || -> io::Result<NamedTempFile> {
        let mut fresh = NamedTempFile::new_in(folder_of(&text.file))?;
        fresh.write_all(text.text.as_bytes())?;
        if let Some(before) = &before {
            keep(fresh.path(), before)?;
        }
        fresh.as_file().sync_all()?;
        Ok(fresh)
    };
    write().map_err(|error| failed(&text.file, &error))
}

/// Owner first: a change of owner may take bits of the mode away.
fn keep(fresh: &Path, before: &Metadata) -> io::Result<()> {
    let now = fs::metadata(fresh)?;
    if (now.uid(), now.gid()) != (before.uid(), before.gid()) {
        // Whoever is not root can at most give it to a group of its own; then the file is its own.
        drop(chown(fresh, Some(before.uid()), Some(before.gid())));
    }
    fs::set_permissions(fresh, fs::Permissions::from_mode(before.mode() & 0o7777))
}

/// What says that the command has yet to run.
#[derive(Debug)]
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
            File::create(&self.0)?.sync_all()?;
            sync_folder(&self.0)
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

fn folder_of(file: &Path) -> &Path {
    file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."))
}

fn sync_folder(file: &Path) -> io::Result<()> {
    File::open(folder_of(file))?.sync_all()
}

fn failed(file: &Path, error: &io::Error) -> Failure {
    Failure::failed(format!("cannot write {}: {error}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(folder: &Path, name: &str, text: &str) -> Text {
        Text { file: folder.join(name), text: text.into() }
    }

    fn mode(text: &Text) -> u32 {
        fs::metadata(&text.file).expect("there").mode() & 0o7777
    }

    #[test]
    fn a_file_keeps_its_mode_and_a_new_one_is_its_owner_s() {
        let folder = tempfile::tempdir().expect("a folder");
        let (old, new) = (text(folder.path(), "old.toml", "a = 2\n"), text(folder.path(), "new.toml", "b = 1\n"));
        fs::write(&old.file, "a = 1\n").expect("room for it");
        fs::set_permissions(&old.file, fs::Permissions::from_mode(0o640)).expect("ours");
        assert!(!old.is_there());
        replace(&[old.clone(), new.clone()]).expect("both");
        assert!(old.is_there() && new.is_there());
        assert_eq!((mode(&old), mode(&new)), (0o640, 0o600));
        let names = fs::read_dir(folder.path()).expect("ours").count();
        assert_eq!(names, 2, "nothing is left beside them");
    }

    #[test]
    fn all_or_none_are_replaced() {
        let folder = tempfile::tempdir().expect("a folder");
        let (old, lost) = (text(folder.path(), "old.toml", "a = 2\n"), text(folder.path(), "no/such/folder", ""));
        fs::write(&old.file, "a = 1\n").expect("room for it");
        let refused = replace(&[old.clone(), lost]).expect_err("no folder");
        assert!(refused.message.contains("no/such/folder"), "{}", refused.message);
        assert_eq!(fs::read_to_string(&old.file).ok().as_deref(), Some("a = 1\n"));
        fs::create_dir(folder.path().join("dir")).expect("room for it");
        assert!(replace(&[text(folder.path(), "dir", "")]).is_err_and(|it| it.message.ends_with("is a folder")));
    }

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
