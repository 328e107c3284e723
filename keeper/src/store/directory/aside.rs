//! Setting the data of a node aside, so that its directory is an empty one.
//!
//! Nothing is deleted: it is moved into a folder beside, from which somebody may still want to read. The identity goes
//! last, so that a directory that was left half-way is still its node's, has lost its log, and can be set aside again.
//!
//! One that has lost its identity alone is set aside as well. Without it the rest is known by its names, so nothing
//! else may lie beside them: a folder `log` may be anybody's.

use std::fs;
use std::path::{Path, PathBuf};

use super::{DataDirectory, DirectoryError, IDENTITY, Identity, MARK, content, lock, sync_directory};

/// How the folders begin that hold what was set aside.
pub(super) const PREFIX: &str = "aside-";

/// What is set aside, in this order.
const HELD: [&str; 4] = ["log", "snapshots", MARK, IDENTITY];

impl DataDirectory {
    /// Which node of a cluster a directory is of, where it says so; and where its log and its snapshots lie.
    #[must_use]
    pub fn owner(path: &Path, cluster: &str) -> Option<(u64, PathBuf, PathBuf)> {
        let text = fs::read_to_string(path.join(IDENTITY)).ok()?;
        let claim = Identity { cluster: cluster.to_owned(), node_id: 0, created_at_ms: 0, disk_id: 0 };
        let (identity, _) = claim.confirm(&text, path).ok()?;
        Some((identity.node_id, path.join("log"), path.join("snapshots")))
    }

    /// Sets aside what a directory holds that no process has open; none if it holds nothing.
    ///
    /// # Errors
    /// It is in use, cannot be written, or has no identity and holds what is nobody's.
    pub fn set_aside(path: &Path, at_ms: u64) -> Result<Option<PathBuf>, DirectoryError> {
        let unwritable = |source| DirectoryError::Write { path: path.into(), source };
        let unreadable = |source| DirectoryError::Read { path: path.into(), source };
        if !path.join(IDENTITY).try_exists().map_err(unreadable)? {
            if !HELD.iter().any(|name| path.join(name).exists()) {
                return Ok(None);
            }
            if let Some(found) = content(path, &["log", "snapshots"]).map_err(unreadable)? {
                return Err(DirectoryError::Foreign { path: path.into(), found });
            }
        }
        let _lock = lock(path)?;
        let aside = path.join(format!("{PREFIX}{at_ms}"));
        fs::create_dir(&aside).map_err(unwritable)?;
        for name in HELD {
            let held = path.join(name);
            if held.try_exists().map_err(unreadable)? {
                fs::rename(&held, aside.join(name)).map_err(unwritable)?;
            }
        }
        sync_directory(&aside).and_then(|()| sync_directory(path)).map_err(unwritable)?;
        Ok(Some(aside))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Identity;

    fn identity(disk_id: u64) -> Identity {
        Identity { cluster: "prod".into(), node_id: 3, created_at_ms: 1_700_000_000_000, disk_id }
    }

    #[test]
    fn what_is_set_aside_leaves_an_empty_directory_and_is_kept() {
        let root = tempfile::tempdir().expect("a directory");
        let open = DataDirectory::open(root.path(), &identity(5)).expect("an empty directory");
        fs::write(open.log().join("one"), "").expect("a write");
        let refused = DataDirectory::set_aside(root.path(), 7).expect_err("it is open");
        assert!(matches!(refused, DirectoryError::Locked { .. }), "{refused}");
        drop(open);
        let aside = DataDirectory::set_aside(root.path(), 7).expect("nobody has it open").expect("it held something");
        assert!(aside.join("log/one").exists() && aside.join("identity").exists());
        assert_eq!(DataDirectory::set_aside(root.path(), 8).expect("nothing to do"), None);
        let anew = DataDirectory::open(root.path(), &identity(6)).expect("it is empty");
        assert_eq!(anew.identity().disk_id, 6);
    }

    #[test]
    fn what_has_lost_its_identity_is_set_aside_and_what_is_nobodys_is_left() {
        let root = tempfile::tempdir().expect("a directory");
        let open = DataDirectory::open(root.path(), &identity(5)).expect("an empty directory");
        fs::write(open.log().join("one"), "").expect("a write");
        drop(open);
        fs::remove_file(root.path().join(IDENTITY)).expect("it is there");
        fs::write(root.path().join("letters"), "").expect("a write");
        let refused = DataDirectory::set_aside(root.path(), 7).expect_err("it may be anybody's");
        assert!(matches!(&refused, DirectoryError::Foreign { found, .. } if found == "letters"), "{refused}");
        assert!(root.path().join("log/one").exists());
        fs::remove_file(root.path().join("letters")).expect("it is there");
        let refused = DataDirectory::open(root.path(), &identity(6)).expect_err("it holds a log").to_string();
        assert!(refused.contains("and no identity") && refused.contains("`keeper forget --config FILE`"), "{refused}");
        let aside = DataDirectory::set_aside(root.path(), 7).expect("nobody has it open").expect("it held something");
        assert!(aside.join("log/one").exists() && aside.join("mark").exists());
        assert_eq!(DataDirectory::set_aside(root.path(), 8).expect("nothing to do"), None);
        let anew = DataDirectory::open(root.path(), &identity(6)).expect("it is empty");
        assert_eq!(anew.identity().disk_id, 6);
    }
}
