//! Which file a typed path stands for.
//!
//! Links are followed: what they lead to is replaced, and they stay. What exists and is no regular file is refused: a
//! rename would put a file where a device was, and whoever reads a FIFO waits for a writer. Paths are the same file
//! when their last names lie in one folder, by the folder's number and not by the way there.

use std::{
    ffi::OsString,
    fs::{self, FileType},
    io,
    os::unix::fs::{FileTypeExt, MetadataExt},
    path::{Path, PathBuf},
};

use crate::failure::Failure;

/// Links followed on the way to a file that is not there yet: the system's own bound.
const LINKS_MAX: usize = 40;

/// What tells one file from all others, whether it exists or not.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Identity {
    device: u64,
    folder: u64,
    name: OsString,
}

/// The file that is to be replaced when this one is named.
pub(super) fn of(file: &Path) -> Result<PathBuf, Failure> {
    if leads_through_a_process(file) {
        let said = format!("{} is what a process has open, and no file that can be replaced", file.display());
        return Err(Failure::failed(said));
    }
    let found = match fs::metadata(file) {
        Ok(there) if there.is_file() => fs::canonicalize(file),
        Ok(there) => return Err(Failure::failed(format!("{} is {}", file.display(), kind(there.file_type())))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => absent(file),
        Err(error) => Err(error),
    };
    found.map_err(|error| failed(file, &error))
}

pub(super) fn identity(target: &Path) -> Result<Identity, Failure> {
    let folder = fs::metadata(folder_of(target)).map_err(|error| failed(target, &error))?;
    let name = target.file_name().unwrap_or_default().to_owned();
    Ok(Identity { device: folder.dev(), folder: folder.ino(), name })
}

/// Where a link leads behind which there is nothing, or a file that is yet to be.
fn absent(file: &Path) -> io::Result<PathBuf> {
    let mut at = file.to_owned();
    for _ in 0..LINKS_MAX {
        let Ok(behind) = fs::read_link(&at) else {
            let name = at.file_name().ok_or(io::ErrorKind::InvalidFilename)?;
            return Ok(fs::canonicalize(folder_of(&at))?.join(name));
        };
        at = folder_of(&at).join(behind);
    }
    Err(io::ErrorKind::TooManyLinks.into())
}

/// As `/dev/stdout` does, which may lead to a regular file: whoever names it means to print.
fn leads_through_a_process(file: &Path) -> bool {
    let mut at = file.to_owned();
    for _ in 0..LINKS_MAX {
        let Ok(behind) = fs::read_link(&at) else { return false };
        let folder = folder_of(&at);
        if fs::canonicalize(folder).is_ok_and(|folder| folder.starts_with("/proc")) {
            return true;
        }
        at = folder.join(behind);
    }
    false
}

fn kind(is: FileType) -> &'static str {
    if is.is_dir() {
        "a folder, and no file"
    } else if is.is_fifo() {
        "a FIFO, and no file that can be replaced"
    } else if is.is_socket() {
        "a socket, and no file that can be replaced"
    } else {
        "a device, and no file that can be replaced"
    }
}

pub(super) fn folder_of(file: &Path) -> &Path {
    file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."))
}

pub(super) fn failed(file: &Path, error: &io::Error) -> Failure {
    Failure::failed(format!("cannot write {}: {error}", file.display()))
}

#[cfg(test)]
mod tests {
    use std::os::{
        fd::AsRawFd,
        unix::{fs::symlink, net::UnixListener},
    };

    use super::*;

    #[test]
    fn a_link_is_the_file_it_leads_to() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = fs::canonicalize(folder.path()).expect("there");
        let at = |name: &str| root.join(name);
        fs::create_dir(at("real")).expect("room for it");
        fs::write(at("real/a.toml"), "").expect("room for it");
        symlink("real/a.toml", at("a.toml")).expect("a link");
        symlink("a.toml", at("again.toml")).expect("a link");
        symlink("real/new.toml", at("new.toml")).expect("a link");
        symlink("real", at("way")).expect("a link");
        for name in ["a.toml", "again.toml", "way/a.toml", "real/../real/a.toml"] {
            assert_eq!(of(&at(name)), Ok(at("real/a.toml")), "{name}");
        }
        assert_eq!(of(&at("new.toml")), Ok(at("real/new.toml")), "a link to what is yet to be");
        assert_eq!(of(&at("other.toml")), Ok(at("other.toml")));
        assert_eq!(identity(&at("way/new.toml")), identity(&at("real/new.toml")));
        assert_ne!(identity(&at("new.toml")), identity(&at("real/new.toml")));
        symlink("round", at("round")).expect("a link");
        assert!(of(&at("round")).is_err() && of(&at("no/such/folder")).is_err());
    }

    #[test]
    fn what_is_no_file_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let (socket, link) = (folder.path().join("socket"), folder.path().join("link"));
        let _listener = UnixListener::bind(&socket).expect("room for it");
        symlink("/dev/null", &link).expect("a link");
        let file = fs::File::create(folder.path().join("opened")).expect("room for it");
        let opened = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
        let refused = |file: &Path| of(file).expect_err("no file").message;
        assert!(refused(&socket).ends_with("is a socket, and no file that can be replaced"));
        assert!(refused(&link).ends_with("link is a device, and no file that can be replaced"));
        assert!(refused(folder.path()).ends_with("is a folder, and no file"));
        assert!(refused(&opened).ends_with("is what a process has open, and no file that can be replaced"));
    }
}
