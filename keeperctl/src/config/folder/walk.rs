//! Every file below a folder, in the order of their names.
//!
//! What begins with a dot is passed over with all that lies in it: `.git` and its like are no documents. A link to a
//! file is that file, as in a mounted volume; a link to a folder is passed over, for it may lead back, and so is what
//! is no file: reading a pipe would never end.

use std::{fs, io, path::Path};

use crate::{failure::Failure, limits};

/// What lies in a folder.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::config) struct Walk {
    /// Paths below the folder, parts joined by `/`.
    pub(in crate::config) files: Vec<String>,
    /// What was not looked into.
    pub(in crate::config) passed: Vec<String>,
}

pub(in crate::config) fn walk(folder: &Path) -> Result<Walk, Failure> {
    let mut walk = Walk::default();
    walk.enter(folder, "")?;
    Ok(walk)
}

impl Walk {
    fn enter(&mut self, folder: &Path, prefix: &str) -> Result<(), Failure> {
        let failed = |error: io::Error| Failure::failed(format!("cannot read {}: {error}", folder.display()));
        let mut entries = fs::read_dir(folder).map_err(failed)?.collect::<Result<Vec<_>, _>>().map_err(failed)?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let path = entry.path();
            let file_name = entry.file_name();
            let name = format!("{prefix}{}", file_name.to_string_lossy());
            let is_link = entry.file_type().map_err(failed)?.is_symlink();
            let kind = fs::metadata(&path);
            let kind = kind.map_err(|error| Failure::failed(format!("cannot read {}: {error}", path.display())))?;
            if file_name.to_string_lossy().starts_with('.') || (kind.is_dir() && is_link) {
                self.passed.push(name);
            } else if kind.is_dir() {
                self.enter(&path, &format!("{name}/"))?;
            } else if kind.is_file() {
                self.files.push(name);
            } else {
                self.passed.push(name);
            }
            if self.files.len() > limits::IMPORT_ITEMS_MAX {
                let message = format!("the folder holds more than {} files, the limit", limits::IMPORT_ITEMS_MAX);
                return Err(Failure::failed(message).remedy("name a folder further down"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::{fs::symlink, net::UnixListener};

    use super::*;

    #[test]
    fn files_are_found_in_order_and_the_rest_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("push/.git")).expect("room for it");
        for file in ["push/b.toml", "push/a.toml", "push/.git/c.toml", ".env", "z.ini"] {
            fs::write(at(file), "").expect("room for it");
        }
        symlink(at("z.ini"), at("link.ini")).expect("a link");
        symlink(at("push"), at("round")).expect("a link");
        let _socket = UnixListener::bind(at("pipe.toml")).expect("a socket");
        let walk = walk(folder.path()).expect("a folder");
        assert_eq!(walk.files, ["link.ini", "push/a.toml", "push/b.toml", "z.ini"]);
        assert_eq!(walk.passed, [".env", "pipe.toml", "push/.git", "round"]);
    }

    #[test]
    fn what_is_no_folder_is_refused() {
        let refused = walk(Path::new("no/such/folder")).expect_err("nothing");
        assert!(refused.message.starts_with("cannot read no/such/folder: "), "{}", refused.message);
    }
}
