//! One document as a type of the application's.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::watch;

use crate::{
    Configs, Error, FieldChange,
    config::{
        diff,
        hub::{Hub, Pin},
        slot::{Seen, Slot},
    },
    tasks::Tasks,
};

/// A document as a `T` that changes while the process runs; see [`Keeper::config`](crate::Keeper::config).
///
/// The value is always one that fits `T`: a publish that does not fit keeps the running one and is told by
/// [`changed`](Self::changed).
#[derive(Debug)]
pub struct Config<T> {
    slot: Arc<Slot<T>>,
    seen: watch::Receiver<Seen<T>>,
    told: Arc<Value>,
    /// What keeps the document followed, and the stream that follows it alive.
    _pin: Pin,
    _tasks: Arc<Tasks>,
}

/// What changed in a document since the last change that was told.
#[derive(Debug, Clone)]
pub struct Change<T> {
    /// Of the publish that wrote it.
    pub revision: u64,
    /// The fields that differ; empty when only the text did.
    pub fields: Vec<FieldChange>,
    /// The whole value.
    pub value: Arc<T>,
}

impl<T: DeserializeOwned + Send + Sync + 'static> Config<T> {
    pub(crate) async fn open(hub: Arc<Hub>, tasks: Arc<Tasks>, configs: Configs, path: String) -> Result<Self, Error> {
        // Followed first, read second: what is published in between is heard twice and told once.
        let pin = hub.pin(&path)?;
        let document = configs.get(path.clone()).await?.filter(|it| !it.deleted);
        let document = document.ok_or_else(|| Error::not_found(&path))?;
        let slot = Arc::new(Slot::new(&document)?);
        let mut seen = slot.seen();
        let told = seen.borrow_and_update().value.clone();
        pin.attach(slot.clone(), document.revision);
        Ok(Self { slot, seen, told, _pin: pin, _tasks: tasks })
    }
}

impl<T> Config<T> {
    /// The document's name.
    #[must_use]
    pub fn path(&self) -> &str {
        self.slot.path()
    }

    /// Of the document last heard, whether it fits or not.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.seen.borrow().revision
    }

    /// The value now.
    #[must_use]
    pub fn borrow(&self) -> Arc<T> {
        self.slot.current()
    }

    /// The value now and whenever it changes.
    #[must_use]
    pub fn receiver(&self) -> watch::Receiver<Arc<T>> {
        self.slot.typed()
    }

    /// What changed since the last call; waits until something has. Several publishes in the meantime are told as one.
    /// May be dropped at any await without losing a change.
    ///
    /// # Errors
    /// [`Error::Misfit`] when the document was published in a shape that is no `T`, or deleted: the value stays.
    pub async fn changed(&mut self) -> Result<Change<T>, Error> {
        self.seen.changed().await.map_err(|_| Error::Ended { what: "the config", happened: crate::Happened::No })?;
        let seen = self.seen.borrow_and_update();
        if let Some(problem) = &seen.problem {
            return Err(problem.clone());
        }
        let fields = diff(&self.told, &seen.value);
        self.told = seen.value.clone();
        Ok(Change { revision: seen.revision, fields, value: seen.typed.clone() })
    }
}
