//! Files that are replaced whole or not at all.
//!
//! A new text is written beside its file, as `.FILE.keeper-new`, and synced; then it is renamed over it. Those that
//! belong together are all written before the first is renamed, so that a full disk, a missing folder or a file that
//! may not be read leaves every one of them as it was. A file keeps its mode and, where the system lets it, its owner;
//! a new one, and everyone while it is being written, is readable for its owner alone, because it may hold secrets.
//!
//! The name is fixed, so that what a death leaves is found: the next one removes it. A lock on it tells what is left
//! from what another agent is writing just now, which is refused: two that wrote one file would rename half a text. It
//! is always made anew and never opened for writing, for whoever made it may be reading it.

use std::{
    fs::{self, File, Metadata, OpenOptions, TryLockError},
    io::{self, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown},
    path::{Path, PathBuf},
};

use rustix::fs::OFlags;

use super::target::{failed, folder_of};
use crate::failure::Failure;

/// How often what is left of others is removed before it is told: they are at it just now.
const TRIES: usize = 3;

/// A file and what it is to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Text {
    /// As it was typed.
    pub(super) file: PathBuf,
    /// What it stands for, which is what is replaced.
    pub(super) target: PathBuf,
    pub(super) text: String,
}

impl Text {
    /// Whether the file holds it already.
    pub(super) fn is_there(&self) -> bool {
        let has_its_length = |there: Metadata| there.is_file() && there.len() == self.text.len() as u64;
        fs::metadata(&self.target).is_ok_and(has_its_length)
            && fs::read(&self.target).is_ok_and(|there| there == self.text.as_bytes())
    }

    /// Writes it beside its file.
    pub(super) fn write(self) -> Result<Fresh, Failure> {
        let write = || -> io::Result<(PathBuf, File)> {
            let before = match fs::metadata(&self.target) {
                Ok(before) => Some(before),
                Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                Err(error) => return Err(error),
            };
            let beside = beside(&self.target);
            let file = create(&beside)?;
            let written = fill(&file, self.text.as_bytes(), before.as_ref());
            if written.is_err() {
                // It is ours, by its lock; if it stays, the next one removes it.
                drop(fs::remove_file(&beside));
            }
            written.map(|()| (beside, file))
        };
        let (beside, file) = write().map_err(|error| failed(&self.file, &error))?;
        Ok(Fresh { beside: Some(beside), file, text: self })
    }

    /// Removes what a death left beside the file. What cannot be removed is in nobody's way but the next text's.
    pub(super) fn sweep(&self) {
        drop(remove_left(&beside(&self.target)));
    }
}

/// A text beside its file. It goes with this unless it takes the file's place.
#[derive(Debug)]
pub(super) struct Fresh {
    /// None: it has taken its place.
    beside: Option<PathBuf>,
    /// Holds the lock.
    file: File,
    pub(super) text: Text,
}

impl Fresh {
    /// Puts it in its file's place.
    pub(super) fn place(&mut self) -> Result<(), Failure> {
        let Some(beside) = &self.beside else { return Ok(()) };
        fs::rename(beside, &self.text.target).map_err(|error| failed(&self.text.file, &error))?;
        self.beside = None;
        Ok(())
    }

    /// Has the disk keep what was put in place.
    pub(super) fn keep(&self) -> Result<(), Failure> {
        let kept = File::open(folder_of(&self.text.target)).and_then(|folder| folder.sync_all());
        kept.map_err(|error| failed(&self.text.file, &error))
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        if let Some(beside) = self.beside.take().filter(|beside| is_at(&self.file, beside)) {
            drop(fs::remove_file(beside));
        }
    }
}

fn beside(target: &Path) -> PathBuf {
    let name = target.file_name().unwrap_or_default();
    let mut beside = std::ffi::OsString::from(".");
    beside.push(name);
    beside.push(".keeper-new");
    folder_of(target).join(beside)
}

fn create(beside: &Path) -> io::Result<File> {
    for _ in 0..TRIES {
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(beside) {
            Ok(file) if is_locked(&file) && is_at(&file, beside) => return Ok(file),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => remove_left(beside)?,
            Err(error) => return Err(error),
        }
    }
    Err(busy(beside))
}

/// Removes what nobody is writing any more.
fn remove_left(beside: &Path) -> io::Result<()> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let left = match OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(beside) {
        Ok(left) => left,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(io::Error::new(error.kind(), format!("{} is in the way: {error}", beside.display()))),
    };
    if !is_locked(&left) {
        return Err(busy(beside));
    }
    // Whoever removes it holds its lock: between this look and the removal nobody else does.
    if is_at(&left, beside) { fs::remove_file(beside) } else { Ok(()) }
}

/// Takes the lock. A file system that knows no locks protects nobody from a second agent, and is written to all the
/// same.
fn is_locked(file: &File) -> bool {
    !matches!(file.try_lock(), Err(TryLockError::WouldBlock))
}

fn is_at(file: &File, path: &Path) -> bool {
    let place = |it: Metadata| (it.dev(), it.ino());
    file.metadata().map(place).ok() == fs::symlink_metadata(path).map(place).ok()
}

fn busy(beside: &Path) -> io::Error {
    io::Error::new(io::ErrorKind::ResourceBusy, format!("another agent is writing {}", beside.display()))
}

/// The mode comes last: until then it is its owner's, and a change of owner may take bits of the mode away.
fn fill(mut file: &File, text: &[u8], before: Option<&Metadata>) -> io::Result<()> {
    file.write_all(text)?;
    if let Some(before) = before {
        let now = file.metadata()?;
        if (now.uid(), now.gid()) != (before.uid(), before.gid()) {
            // Whoever is not root can at most give it to a group of its own; then the file is its own.
            drop(fchown(file, Some(before.uid()), Some(before.gid())));
        }
        file.set_permissions(fs::Permissions::from_mode(before.mode() & 0o7777))?;
    }
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn text(folder: &Path, name: &str, text: &str) -> Text {
        let file = folder.join(name);
        Text { target: file.clone(), file, text: text.into() }
    }

    fn mode(text: &Text) -> u32 {
        fs::metadata(&text.file).expect("there").mode() & 0o7777
    }

    fn replace(text: &Text) {
        let mut fresh = text.clone().write().expect("room for it");
        fresh.place().expect("ours");
        fresh.keep().expect("ours");
    }

    fn names(folder: &Path) -> Vec<String> {
        let names = fs::read_dir(folder).expect("ours").map(|it| it.expect("ours").file_name());
        let mut names: Vec<_> = names.map(|it| it.to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_keeps_its_mode_and_a_new_one_is_its_owner_s() {
        let folder = tempfile::tempdir().expect("a folder");
        let (old, new) = (text(folder.path(), "old.toml", "a = 2\n"), text(folder.path(), "new.toml", "b = 1\n"));
        fs::write(&old.file, "a = 1\n").expect("room for it");
        fs::set_permissions(&old.file, fs::Permissions::from_mode(0o640)).expect("ours");
        assert!(!old.is_there());
        replace(&old);
        replace(&new);
        assert!(old.is_there() && new.is_there());
        assert_eq!((mode(&old), mode(&new)), (0o640, 0o600));
        assert_eq!(names(folder.path()), ["new.toml", "old.toml"], "nothing is left beside them");
    }

    #[test]
    fn what_takes_no_place_goes() {
        let folder = tempfile::tempdir().expect("a folder");
        let old = text(folder.path(), "old.toml", "a = 2\n");
        fs::write(&old.file, "a = 1\n").expect("room for it");
        let fresh = old.clone().write().expect("room for it");
        assert_eq!(names(folder.path()), [".old.toml.keeper-new", "old.toml"]);
        drop(fresh);
        assert_eq!(names(folder.path()), ["old.toml"]);
        assert_eq!(fs::read_to_string(&old.file).ok().as_deref(), Some("a = 1\n"));
        let lost = text(folder.path(), "no/such/folder", "").write().expect_err("no folder");
        assert!(lost.message.contains("no/such/folder"), "{}", lost.message);
    }

    #[test]
    fn what_a_death_left_is_removed_by_the_next_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let old = text(folder.path(), "old.toml", "a = 2\n");
        let left = folder.path().join(".old.toml.keeper-new");
        fs::write(&left, "secret = 1\nand much more of it").expect("room for it");
        fs::set_permissions(&left, fs::Permissions::from_mode(0o666)).expect("ours");
        let reader = File::open(&left).expect("there");
        let fresh = old.clone().write().expect("nobody writes it");
        assert_eq!(fs::read_to_string(&left).ok().as_deref(), Some("a = 2\n"));
        assert_eq!(fs::metadata(&left).expect("there").mode() & 0o777, 0o600);
        assert!(!is_at(&reader, &left), "whoever had it open does not read the new one");
        drop(fresh);
        fs::write(&left, "").expect("room for it");
        old.sweep();
        assert_eq!(names(folder.path()), [""; 0]);
    }

    #[test]
    fn what_another_one_is_writing_is_not_touched() {
        let folder = tempfile::tempdir().expect("a folder");
        let old = text(folder.path(), "old.toml", "a = 2\n");
        let mut first = old.clone().write().expect("room for it");
        old.sweep();
        let second = text(folder.path(), "old.toml", "a = 3\n").write().expect_err("it is being written");
        assert!(second.message.contains("another agent is writing"), "{}", second.message);
        first.place().expect("still there");
        assert!(old.is_there());
        replace(&text(folder.path(), "old.toml", "a = 3\n"));
    }

    #[test]
    fn a_link_in_its_place_leads_nowhere() {
        let folder = tempfile::tempdir().expect("a folder");
        let old = text(folder.path(), "old.toml", "a = 2\n");
        fs::write(folder.path().join("other"), "kept").expect("room for it");
        symlink("other", folder.path().join(".old.toml.keeper-new")).expect("a link");
        let refused = old.write().expect_err("no leftover of an agent's");
        assert!(refused.message.contains(".old.toml.keeper-new is in the way"), "{}", refused.message);
        assert_eq!(fs::read_to_string(folder.path().join("other")).ok().as_deref(), Some("kept"));
    }
}
