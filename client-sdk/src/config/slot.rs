//! One document as one type: where the shared stream leaves what it hears, and where the application picks it up.
//!
//! A value is built first and taken afterwards, so that those of one publish can all be built before one is taken.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::watch;

use crate::{
    Error, Origin,
    config::{
        kept::{Keep, Save},
        marks,
        schema::{Announced, RESTART, SECRET},
        told::Told,
    },
};

/// Takes what happens to a document, whatever type it becomes.
pub(crate) trait Offer: Send + Sync {
    /// Makes a value of what was told; the running one stays until it is taken.
    fn build(self: Arc<Self>, told: &Arc<Told>) -> Result<Box<dyn Ready>, Misfit>;

    /// What was told cannot be run with.
    fn refuse(&self, revision: u64, error: Error);

    /// What is to be on disk, if anything is.
    fn save(&self) -> Option<Save>;
}

/// A value that waits for the others of its publish.
pub(crate) trait Ready: Send {
    /// Runs with it; tells which fields need a restart.
    fn take(self: Box<Self>) -> Vec<String>;
}

/// Why a value cannot be run with.
#[derive(Debug, Clone)]
pub(crate) struct Misfit {
    pub(crate) error: Box<Error>,
    /// The same for others: it shows no secret.
    pub(crate) reason: String,
}

/// What the application said of the document.
pub(crate) struct Shape<T> {
    pub(crate) path: String,
    pub(crate) schema: Option<Arc<Announced>>,
    pub(crate) validate: Option<Validate<T>>,
    pub(crate) absent: Absent,
    pub(crate) keep: Option<Arc<Keep>>,
}

impl<T> Clone for Shape<T> {
    fn clone(&self) -> Self {
        let Self { path, schema, validate, absent, keep } = self;
        let (path, schema, validate, keep) = (path.clone(), schema.clone(), validate.clone(), keep.clone());
        Self { path, schema, validate, absent: *absent, keep }
    }
}

pub(crate) type Validate<T> = Arc<dyn Fn(&T) -> Result<(), String> + Send + Sync>;

/// What it means that there is no document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Absent {
    /// There is nothing to run with.
    Misfit,
    /// The same as an empty one.
    Empty,
}

/// The latest that fits, and what came after it that did not.
#[derive(Debug)]
pub(crate) struct Seen<T> {
    /// Of what was told last, whether it fits or not.
    pub(crate) revision: u64,
    pub(crate) problem: Option<Error>,
    pub(crate) run: Run<T>,
}

/// What the process runs with.
#[derive(Debug)]
pub(crate) struct Run<T> {
    pub(crate) revision: u64,
    pub(crate) rollout: Option<u64>,
    pub(crate) canonical: Bytes,
    pub(crate) value: Arc<Value>,
    pub(crate) typed: Arc<T>,
    pub(crate) needs_restart: Arc<[String]>,
    pub(crate) origin: Origin,
}

pub(crate) struct Slot<T> {
    shape: Shape<T>,
    /// What the process began with: what needs a restart differs from it.
    started: Arc<Value>,
    seen: watch::Sender<Seen<T>>,
    typed: watch::Sender<Arc<T>>,
}

struct Built<T> {
    slot: Arc<Slot<T>>,
    run: Run<T>,
}

impl<T: DeserializeOwned> Shape<T> {
    /// What the process would run with.
    pub(crate) fn run(&self, told: &Told) -> Result<Run<T>, Misfit> {
        let misfit = |message: &str, reason: &str| self.misfit(told.revision, message, reason);
        let canonical = match (&told.canonical, self.absent) {
            (Some(canonical), Absent::Misfit | Absent::Empty) => canonical.clone(),
            (None, Absent::Empty) => Bytes::from_static(b"{}"),
            (None, Absent::Misfit) if told.revision == 0 => {
                let error = Box::new(Error::not_found(&self.path));
                return Err(Misfit { error, reason: "there is no document".into() });
            }
            (None, Absent::Misfit) => {
                let gone = "the document was deleted";
                return Err(misfit(gone, gone));
            }
        };
        let value: Value = serde_json::from_slice(&canonical)
            .map_err(|error| misfit(&format!("no canonical value: {error}"), "no canonical value"))?;
        let typed: T = serde_path_to_error::deserialize(&value).map_err(|error| {
            let place = place(error.path());
            let message = format!("{place}{}", error.inner());
            let secret = |it: &Arc<Announced>| marks::is_marked(&it.root, SECRET, error.path());
            if self.schema.as_ref().is_some_and(secret) {
                misfit(&message, &format!("{place}a secret that does not fit"))
            } else {
                misfit(&message, &message)
            }
        })?;
        if let Some(validate) = &self.validate {
            validate(&typed).map_err(|reason| misfit(&reason, &reason))?;
        }
        Ok(Run {
            revision: told.revision,
            rollout: told.rollout,
            canonical,
            value: Arc::new(value),
            typed: Arc::new(typed),
            needs_restart: Arc::default(),
            origin: Origin::Cluster,
        })
    }

    fn misfit(&self, revision: u64, message: &str, reason: &str) -> Misfit {
        let error = Error::Misfit { path: self.path.clone(), revision, message: message.to_owned() };
        Misfit { error: Box::new(error), reason: reason.to_owned() }
    }
}

/// In front of a sentence; nothing when it is about the whole document.
fn place(path: &serde_path_to_error::Path) -> String {
    if path.iter().next().is_none() { String::new() } else { format!("{path}: ") }
}

impl<T: DeserializeOwned + Send + Sync + 'static> Slot<T> {
    /// Runs with this from the start.
    pub(crate) fn new(shape: Shape<T>, run: Run<T>) -> Self {
        let (started, typed) = (run.value.clone(), run.typed.clone());
        let seen = Seen { revision: run.revision, problem: None, run };
        Self { shape, started, seen: watch::Sender::new(seen), typed: watch::Sender::new(typed) }
    }
}

impl<T> Slot<T> {
    pub(crate) fn path(&self) -> &str {
        &self.shape.path
    }

    pub(crate) fn seen(&self) -> watch::Receiver<Seen<T>> {
        self.seen.subscribe()
    }

    pub(crate) fn typed(&self) -> watch::Receiver<Arc<T>> {
        self.typed.subscribe()
    }

    pub(crate) fn current(&self) -> Arc<T> {
        self.typed.borrow().clone()
    }

    pub(crate) fn read<U>(&self, read: impl FnOnce(&Seen<T>) -> U) -> U {
        read(&self.seen.borrow())
    }
}

impl<T: DeserializeOwned + Send + Sync + 'static> Offer for Slot<T> {
    fn build(self: Arc<Self>, told: &Arc<Told>) -> Result<Box<dyn Ready>, Misfit> {
        let mut run = self.shape.run(told)?;
        if let Some(schema) = &self.shape.schema {
            run.needs_restart = marks::changed(&schema.root, RESTART, &self.started, &run.value).into();
        }
        Ok(Box::new(Built { slot: self, run }))
    }

    fn refuse(&self, revision: u64, error: Error) {
        tracing::warn!(path = self.path(), revision, %error, "the running value stays");
        self.seen.send_modify(|seen| {
            seen.revision = revision;
            seen.problem = Some(error);
        });
    }

    fn save(&self) -> Option<Save> {
        let keep = self.shape.keep.as_ref()?;
        self.read(|seen| Some(Save::new(keep.clone(), seen.run.revision, seen.run.rollout, seen.run.canonical.clone())))
    }
}

impl<T: Send + Sync> Ready for Built<T> {
    fn take(self: Box<Self>) -> Vec<String> {
        let Self { slot, run } = *self;
        let needs_restart = run.needs_restart.to_vec();
        let is_same = slot.read(|seen| seen.run.canonical == run.canonical);
        if !is_same {
            // Before `seen`: whoever is told of a change finds it when it looks.
            slot.typed.send_replace(run.typed.clone());
        }
        slot.seen.send_if_modified(|seen| {
            seen.revision = run.revision;
            let is_news = seen.problem.take().is_some() || !is_same;
            if is_same {
                // The value is the one that listeners have, and stays theirs.
                let (typed, value) = (seen.run.typed.clone(), seen.run.value.clone());
                seen.run = Run { typed, value, ..run };
            } else {
                seen.run = run;
            }
            is_news
        });
        needs_restart
    }
}

impl<T> fmt::Debug for Slot<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Slot").field("path", &self.shape.path).finish_non_exhaustive()
    }
}
