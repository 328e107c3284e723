//! Who asked for a document, could not read it, and may ask again.
//!
//! A process that starts on a value that does not fit its type is a reader of it for everybody else: by its schema
//! publishes are judged, and that it refuses what is published is to be seen. So the document stays announced, and what
//! is told of it is judged, until the process asks for it again or its client ends. That a value fits is not said: the
//! process does not run with it before it has asked.

use std::sync::Arc;

use serde::de::DeserializeOwned;

use crate::{
    Error,
    config::{
        kept::Save,
        slot::{Misfit, Offer, Ready, Shape},
        told::Told,
    },
};

/// Judges as the application would have.
pub(crate) struct Applicant<T> {
    shape: Shape<T>,
}

/// It fits, and nobody runs with it.
struct Fitting;

impl<T> Applicant<T> {
    pub(crate) const fn new(shape: Shape<T>) -> Self {
        Self { shape }
    }
}

impl<T: DeserializeOwned + Send + Sync + 'static> Offer for Applicant<T> {
    fn build(self: Arc<Self>, told: &Arc<Told>) -> Result<Box<dyn Ready>, Misfit> {
        self.shape.run(told).map(|_| Box::new(Fitting) as Box<dyn Ready>)
    }

    fn refuse(&self, revision: u64, error: Error) {
        tracing::warn!(path = self.shape.path, revision, %error, "this does not fit either");
    }

    fn save(&self) -> Option<Save> {
        None
    }
}

impl Ready for Fitting {
    fn take(self: Box<Self>) -> Vec<String> {
        Vec::new()
    }
}
