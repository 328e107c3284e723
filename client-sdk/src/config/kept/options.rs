//! What an application says of values kept on disk.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;

use crate::{
    Error, Reader,
    config::{kept::file, told::Told},
    limits,
};

/// Where a process keeps the values it runs with, and when it may start with them.
///
/// They are used when no node answers at the start; see [`ConfigBuilder::last_known_good`]. Build the client by
/// [`Builder::build`] then: [`Builder::connect`] waits for a node.
///
/// [`ConfigBuilder::last_known_good`]: crate::ConfigBuilder::last_known_good
/// [`Builder::build`]: crate::Builder::build
/// [`Builder::connect`]: crate::Builder::connect
#[derive(Clone)]
#[must_use]
pub struct LastKnownGood {
    folder: PathBuf,
    after: Duration,
    age_max: Option<Duration>,
    refuse: Option<Refuse>,
}

type Refuse = Arc<dyn Fn(&Kept) -> Result<(), String> + Send + Sync>;

/// A value that is kept on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The document.
    pub path: String,
    /// When it last changed for this process.
    pub revision: u64,
    /// The rollout whose candidate it was.
    pub rollout: Option<u64>,
    /// The canonical value: JSON, keys sorted, no white space. Sealed fields are open.
    pub canonical: Bytes,
    /// How long ago it was last known to be what the cluster says, by the clock of this machine.
    pub age: Duration,
    /// Where it is kept.
    pub file: PathBuf,
}

/// Why a value that is kept on disk is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeptProblem {
    /// The file cannot be read.
    Unreadable,
    /// It is not what was written.
    Damaged,
    /// It was written for another document, or by another process.
    Foreign,
    /// It does not fit its type.
    Misfit,
    /// It is older than it may be.
    TooOld,
    /// The application refuses it.
    Refused,
}

impl KeptProblem {
    /// Stable, machine-readable, kebab-case.
    pub(crate) const fn reason(self) -> &'static str {
        match self {
            Self::Unreadable => "kept-unreadable",
            Self::Damaged => "kept-damaged",
            Self::Foreign => "kept-foreign",
            Self::Misfit => "kept-misfit",
            Self::TooOld => "kept-too-old",
            Self::Refused => "kept-refused",
        }
    }
}

/// Where the running value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The cluster said it.
    Cluster,
    /// The disk of this machine: no node has answered yet.
    LastKnownGood {
        /// At the start: how long it was ago that the cluster said it.
        age: Duration,
    },
}

impl LastKnownGood {
    /// Keeps them in a folder, which is made if it is not there. Processes that run at the same time have one each.
    pub fn in_folder(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), after: limits::LAST_KNOWN_GOOD_AFTER, age_max: None, refuse: None }
    }

    /// How long no node may answer before they are used. [`limits::LAST_KNOWN_GOOD_AFTER`] by default.
    pub const fn after(mut self, patience: Duration) -> Self {
        self.after = patience;
        self
    }

    /// Refuses what is older.
    pub const fn refuse_older_than(mut self, age: Duration) -> Self {
        self.age_max = Some(age);
        self
    }

    /// Asks the application, which refuses by a sentence.
    pub fn refuse_if(mut self, refuse: impl Fn(&Kept) -> Result<(), String> + Send + Sync + 'static) -> Self {
        self.refuse = Some(Arc::new(refuse));
        self
    }
}

/// One document's place on the disk.
#[derive(Debug)]
pub(crate) struct Keep {
    pub(super) file: PathBuf,
    pub(super) path: String,
    pub(super) service: String,
    pub(super) id: String,
    options: LastKnownGood,
}

impl Keep {
    pub(crate) fn new(options: LastKnownGood, path: &str, reader: &Reader) -> Self {
        // A path has no plus sign, so each has a file of its own.
        let file = options.folder.join(format!("{}.kept", path.replace('/', "+")));
        Self { file, path: path.to_owned(), service: reader.service.clone(), id: reader.id.clone(), options }
    }

    pub(crate) const fn after(&self) -> Duration {
        self.options.after
    }

    /// What is kept, if anything is.
    pub(crate) fn load(&self) -> Result<Option<Kept>, Error> {
        let Some(kept) = file::read(self)? else { return Ok(None) };
        if let Some(age_max) = self.options.age_max.filter(|age_max| kept.age > *age_max) {
            let message = format!("it was last confirmed {:?} ago; at most {age_max:?} are allowed", kept.age);
            return Err(self.problem(KeptProblem::TooOld, message));
        }
        if let Some(refuse) = &self.options.refuse {
            refuse(&kept).map_err(|message| self.problem(KeptProblem::Refused, message))?;
        }
        Ok(Some(kept))
    }

    pub(crate) fn problem(&self, problem: KeptProblem, message: impl Into<String>) -> Error {
        Error::Kept { path: self.path.clone(), file: self.file.clone(), problem, message: message.into() }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.options.folder
    }
}

impl Kept {
    /// As if somebody had told it.
    pub(crate) fn told(&self) -> Told {
        let Self { path, revision, rollout, canonical, .. } = self.clone();
        Told { path, revision, rollout, canonical: Some(canonical), life: None }
    }
}

impl fmt::Debug for LastKnownGood {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("LastKnownGood").field("folder", &self.folder).finish_non_exhaustive()
    }
}
