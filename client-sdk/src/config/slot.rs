//! One document as one type: where the shared stream leaves what it hears, and where the application picks it up.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::watch;

use crate::{Document, Error};

/// Takes what happens to a document, whatever type it becomes.
pub(crate) trait Offer: Send + Sync {
    /// The document is now this.
    fn offer(&self, document: &Document);

    /// There is no such document any more.
    fn gone(&self, revision: u64);
}

/// The latest that fits, and what came after it that did not.
#[derive(Debug)]
pub(crate) struct Seen<T> {
    /// Of the document last heard, whether it fits or not.
    pub(crate) revision: u64,
    pub(crate) value: Arc<Value>,
    pub(crate) typed: Arc<T>,
    pub(crate) problem: Option<Error>,
}

#[derive(Debug)]
pub(crate) struct Slot<T> {
    path: String,
    seen: watch::Sender<Seen<T>>,
    typed: watch::Sender<Arc<T>>,
}

impl<T: DeserializeOwned + Send + Sync + 'static> Slot<T> {
    pub(crate) fn new(document: &Document) -> Result<Self, Error> {
        let (value, typed) = fit::<T>(document)?;
        let seen = Seen { revision: document.revision, value: Arc::new(value), typed: typed.clone(), problem: None };
        Ok(Self { path: document.path.clone(), seen: watch::Sender::new(seen), typed: watch::Sender::new(typed) })
    }
}

impl<T> Slot<T> {
    pub(crate) fn path(&self) -> &str {
        &self.path
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

    fn refuse(&self, revision: u64, problem: Error) {
        tracing::warn!(path = self.path, revision, error = %problem, "the running value stays");
        self.seen.send_modify(|seen| {
            seen.revision = revision;
            seen.problem = Some(problem);
        });
    }
}

impl<T: DeserializeOwned + Send + Sync + 'static> Offer for Slot<T> {
    fn offer(&self, document: &Document) {
        let (value, typed) = match fit::<T>(document) {
            Ok(fitted) => fitted,
            Err(problem) => return self.refuse(document.revision, problem),
        };
        let same = *self.seen.borrow().value == value;
        if !same {
            // Before `seen`: whoever is told of a change finds it when it looks.
            self.typed.send_replace(typed.clone());
        }
        self.seen.send_modify(|seen| {
            seen.revision = document.revision;
            seen.problem = None;
            if !same {
                seen.value = Arc::new(value);
                seen.typed = typed;
            }
        });
    }

    fn gone(&self, revision: u64) {
        let problem = Error::Misfit { path: self.path.clone(), revision, message: "the document was deleted".into() };
        self.refuse(revision, problem);
    }
}

/// The document as a value and as the type, or where it does not fit.
fn fit<T: DeserializeOwned>(document: &Document) -> Result<(Value, Arc<T>), Error> {
    let value = document.value()?;
    let typed = serde_path_to_error::deserialize(&value).map_err(|error| Error::Misfit {
        path: document.path.clone(),
        revision: document.revision,
        message: format!("{}: {}", error.path(), error.inner()),
    })?;
    Ok((value, Arc::new(typed)))
}
