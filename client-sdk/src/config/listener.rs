//! A part of a document, and when it changes.

use std::{fmt, sync::Arc};

use tokio::sync::watch;

use crate::{Error, Happened, config::config::Held};

/// Listens to a part of a [`Config`](crate::Config); see [`Config::on`](crate::Config::on).
pub struct Listener<T, U> {
    value: watch::Receiver<Arc<T>>,
    part: Part<T, U>,
    told: U,
    _held: Arc<Held>,
}

type Part<T, U> = Box<dyn Fn(&T) -> U + Send + Sync>;

impl<T, U: PartialEq + Clone> Listener<T, U> {
    pub(crate) fn new(mut value: watch::Receiver<Arc<T>>, part: Part<T, U>, held: Arc<Held>) -> Self {
        let told = part(&value.borrow_and_update());
        Self { value, part, told, _held: held }
    }

    /// As it was told last.
    #[must_use]
    pub const fn get(&self) -> &U {
        &self.told
    }

    /// As it is, once it differs from what was told last. May be dropped at any await without losing a change.
    ///
    /// # Errors
    /// [`Error::Ended`] when the [`Config`](crate::Config) has been dropped.
    pub async fn changed(&mut self) -> Result<U, Error> {
        loop {
            let ended = Error::Ended { what: "the config", happened: Happened::No };
            self.value.changed().await.map_err(|_| ended)?;
            let now = (self.part)(&self.value.borrow_and_update());
            if now != self.told {
                self.told = now.clone();
                return Ok(now);
            }
        }
    }
}

impl<T, U: fmt::Debug> fmt::Debug for Listener<T, U> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Listener").field("told", &self.told).finish_non_exhaustive()
    }
}
