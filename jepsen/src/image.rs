//! A file system of its own for the data of one node, in a file behind a loop device: it can lose power, and be full.
//!
//! `xfs_io shutdown` stops the file system as a power cut does: what was synced is there after the next mount, what was
//! not is gone, and until then every call fails. Even nodes use ext4, odd ones XFS.

use std::{
    fs::{self, File, OpenOptions},
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result};
use rustix::fs::statvfs;
use tokio::time::{Instant, sleep};

use crate::{
    command,
    leftovers::{Ledger, Thing, is_mounted},
};

/// XFS accepts no less than 300 MiB. Sparse: it takes what is written.
const IMAGE_BYTES: u64 = 640 << 20;

const BALLAST: &str = "ballast";

/// Written at once when a disk is filled.
const FILL_BYTES: usize = 256 << 10;

/// How long another mount namespace may hold an image: as long as a node may take to end.
const HELD_MAX: Duration = Duration::from_secs(20);

const HELD_PAUSE: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub(crate) struct Image {
    file: PathBuf,
    mount: PathBuf,
}

impl Image {
    pub(crate) fn make(folder: &Path, node: usize, ledger: &Ledger) -> Result<Self> {
        let image =
            Self { file: folder.join(format!("disk-{}", node + 1)), mount: folder.join(format!("mount-{}", node + 1)) };
        File::create(&image.file)?.set_len(IMAGE_BYTES)?;
        fs::create_dir(&image.mount)?;
        let file = image.file.display().to_string();
        if node.is_multiple_of(2) {
            command::run("mkfs.ext4", &["-q", "-F", "-E", "lazy_itable_init=1,nodiscard", &file])?;
        } else {
            command::run("mkfs.xfs", &["-q", "-f", &file])?;
        }
        ledger.note(&Thing::Loop(image.file.clone()))?;
        ledger.note(&Thing::Mount(image.mount.clone()))?;
        image.mount().context("an image cannot be mounted")?;
        Ok(image)
    }

    /// Where the node may write.
    pub(crate) fn data(&self) -> PathBuf {
        self.mount.join("data")
    }

    /// Cuts the power: what was not synced is lost. The node must be killed before it is [restored](Self::restore).
    pub(crate) fn cut(&self) -> Result<()> {
        command::run("xfs_io", &["-x", "-c", "shutdown", &self.mount.display().to_string()]).map(drop)
    }

    /// Power is back, and the file system has recovered.
    ///
    /// Whoever makes a mount namespace meanwhile, as `ip netns exec` does, takes a copy of the mount along. As long as
    /// that lives the file system is not let go, but mounted again as it was cut off, and nodes would be blamed for a
    /// disk that is none. It is waited for, and then said.
    pub(crate) async fn restore(&self) -> Result<()> {
        let deadline = Instant::now() + HELD_MAX;
        while let Err(error) = self.remount() {
            if Instant::now() >= deadline {
                return Err(error).context("an image does not recover: another mount namespace may hold it");
            }
            sleep(HELD_PAUSE).await;
        }
        Ok(())
    }

    /// The same, tried once.
    pub(crate) fn remount(&self) -> Result<()> {
        if is_mounted(&self.mount) {
            command::run("umount", &[&self.mount.display().to_string()])?;
        }
        self.mount()?;
        self.try_out()
    }

    /// Whether the file system takes a file; a full one does not, and is whole all the same.
    fn try_out(&self) -> Result<()> {
        let path = self.mount.join("recovered");
        match File::create(&path) {
            Ok(_) => Ok(fs::remove_file(path)?),
            Err(error) if error.kind() == ErrorKind::StorageFull => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn mount(&self) -> Result<()> {
        // The loop device goes with the mount.
        let (file, mount) = (self.file.display().to_string(), self.mount.display().to_string());
        command::run("mount", &["-o", "loop", &file, &mount]).map(drop)
    }

    /// Takes all space but this; returns how much is left.
    pub(crate) fn fill(&self, but_bytes: u64) -> Result<u64> {
        let path = self.mount.join(BALLAST);
        let most = self.free()?.saturating_sub(but_bytes) / 32 * 30;
        if most > 0 {
            command::run("fallocate", &["-l", &most.to_string(), &path.display().to_string()])?;
        }
        // No file system gives its last blocks away at once, so the rest is written.
        let mut ballast = OpenOptions::new().create(true).append(true).open(path)?;
        while self.free()? > but_bytes {
            match ballast.write(&[0; FILL_BYTES]) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => break,
                Err(error) => return Err(error).context("ballast cannot be written"),
            }
        }
        self.free()
    }

    /// Gives the space back.
    pub(crate) fn relieve(&self) -> Result<()> {
        let ballast = self.mount.join(BALLAST);
        if ballast.exists() {
            // A file that is removed is given back by XFS when it likes; what is cut off is free at once.
            File::create(&ballast)?.sync_all()?;
            fs::remove_file(ballast)?;
            // A power cut would bring it back.
            File::open(&self.mount)?.sync_all()?;
        }
        Ok(())
    }

    fn free(&self) -> Result<u64> {
        let space = statvfs(&self.mount)?;
        Ok(space.f_bavail * space.f_frsize)
    }
}
