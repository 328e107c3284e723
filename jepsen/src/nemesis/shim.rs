//! A library inside each node that makes its disk and its clock lie, and the numbers that tell it how.

use std::{
    fs::{self, File, OpenOptions},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use crate::command;

const SOURCE: &str = include_str!("shim.c");

/// What can be told; the order is that of the library.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Knob {
    /// Disk faults are looked at.
    Armed,
    /// Syncs fail.
    SyncEio,
    /// Writes fail.
    WriteEio,
    /// Writes find no space.
    WriteEnospc,
    /// Microseconds before each write and sync.
    SlowUs,
    /// Writes and syncs wait until it is over.
    Hung,
    /// The next write is done by half, and is the last thing the process does.
    Torn,
    /// Nanoseconds that the wall clock is ahead.
    ClockOffset,
    /// Millionths that the wall clock is too fast.
    ClockPpm,
    /// From when on, by the monotonic clock.
    ClockSince,
    /// How often anything happened to the disk.
    Hits,
    /// How often a wrong time was told.
    ClockHits,
}

const KNOBS: usize = Knob::ClockHits as usize + 1;

/// Builds the library.
pub(crate) fn build(folder: &Path) -> Result<PathBuf> {
    let (source, library) = (folder.join("shim.c"), folder.join("shim.so"));
    fs::write(&source, SOURCE)?;
    let (from, to) = (source.display().to_string(), library.display().to_string());
    let arguments = ["-O1", "-Wall", "-Werror", "-shared", "-fPIC", "-U_FORTIFY_SOURCE", "-o", &to, &from, "-ldl"];
    command::run("gcc", &arguments).context("the fault library cannot be built")?;
    Ok(library)
}

/// The numbers of one node. They stay when the node is started again.
#[derive(Debug)]
pub(crate) struct Control {
    path: PathBuf,
    file: File,
}

impl Control {
    pub(crate) fn create(path: PathBuf) -> Result<Self> {
        let file = OpenOptions::new().create(true).truncate(true).read(true).write(true).open(&path)?;
        file.set_len(u64::try_from(KNOBS * 8)?)?;
        Ok(Self { path, file })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn turn(&self, knob: Knob, to: i64) -> Result<()> {
        self.file.write_all_at(&to.to_ne_bytes(), knob as u64 * 8).context("a control file cannot be written")
    }

    pub(crate) fn read(&self, knob: Knob) -> Result<i64> {
        let mut bytes = [0; 8];
        self.file.read_exact_at(&mut bytes, knob as u64 * 8)?;
        Ok(i64::from_ne_bytes(bytes))
    }

    /// The disk is sound, and the clock right.
    pub(crate) fn calm(&self) -> Result<()> {
        use Knob::{Armed, ClockOffset, ClockPpm, ClockSince, Hung, SlowUs, SyncEio, Torn, WriteEio, WriteEnospc};
        let all = [Armed, SyncEio, WriteEio, WriteEnospc, SlowUs, Hung, Torn, ClockOffset, ClockPpm, ClockSince];
        all.into_iter().try_for_each(|knob| self.turn(knob, 0))
    }
}
