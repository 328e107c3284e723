//! One document as a type of the application's.

use std::sync::Arc;

use serde_json::Value;
use tokio::sync::watch;

use crate::{
    Error, FieldChange, Happened, Listener, Origin,
    config::{
        diff,
        hub::Pin,
        slot::{Seen, Slot},
    },
    tasks::Tasks,
};

/// A document as a `T` that changes while the process runs; see
/// [`InstanceBuilder::config`](crate::InstanceBuilder::config) and [`Keeper::config`](crate::Keeper::config).
///
/// The value is always one that fits `T`: a publish that does not fit keeps the running one, is told by
/// [`changed`](Self::changed), and is refused in the name of this process. Documents of one publish are taken together:
/// all of them are built before one is swapped, and if one does not fit, the others wait with it.
#[derive(Debug)]
pub struct Config<T> {
    slot: Arc<Slot<T>>,
    seen: watch::Receiver<Seen<T>>,
    told: Arc<Value>,
    held: Arc<Held>,
}

/// What keeps the document followed, and the stream that follows it alive.
#[derive(Debug)]
pub(crate) struct Held {
    _pin: Pin,
    _tasks: Arc<Tasks>,
}

/// What changed in a document since the last change that was told.
#[derive(Debug, Clone)]
pub struct Change<T> {
    /// When the document last changed for this process.
    pub revision: u64,
    /// The fields that differ.
    pub fields: Vec<FieldChange>,
    /// Fields that differ from those the process started with and only count after a restart.
    pub needs_restart: Arc<[String]>,
    /// The rollout whose candidate this is.
    pub rollout: Option<u64>,
    /// The whole value.
    pub value: Arc<T>,
}

impl Held {
    pub(crate) const fn new(pin: Pin, tasks: Arc<Tasks>) -> Self {
        Self { _pin: pin, _tasks: tasks }
    }
}

impl<T> Config<T> {
    /// Begins with `told`, and tells whatever `seen` has not seen.
    pub(crate) fn new(slot: Arc<Slot<T>>, seen: watch::Receiver<Seen<T>>, told: Arc<Value>, held: Held) -> Self {
        Self { slot, seen, told, held: Arc::new(held) }
    }

    /// The document's name.
    #[must_use]
    pub fn path(&self) -> &str {
        self.slot.path()
    }

    /// Of what was told last, whether it fits or not; 0: there never was a document.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.slot.read(|seen| seen.revision)
    }

    /// The value now.
    #[must_use]
    pub fn borrow(&self) -> Arc<T> {
        self.slot.current()
    }

    /// Where the value comes from.
    #[must_use]
    pub fn origin(&self) -> Origin {
        self.slot.read(|seen| seen.run.origin)
    }

    /// The rollout whose candidate the value is.
    #[must_use]
    pub fn rollout(&self) -> Option<u64> {
        self.slot.read(|seen| seen.run.rollout)
    }

    /// Fields that differ from those the process started with and only count after a restart: those below a mark
    /// `#[schemars(extend("x-keeper-restart" = true))]`.
    #[must_use]
    pub fn needs_restart(&self) -> Arc<[String]> {
        self.slot.read(|seen| seen.run.needs_restart.clone())
    }

    /// The value now and whenever it changes.
    #[must_use]
    pub fn receiver(&self) -> watch::Receiver<Arc<T>> {
        self.slot.typed()
    }

    /// Listens to a part of the value: whatever `part` makes of it, told when it differs from before.
    ///
    /// ```no_run
    /// # #[derive(serde::Deserialize)] struct Push { max_inflight: u32 }
    /// # #[derive(serde::Deserialize)] struct Room { push: Push }
    /// # async fn run(config: keeper_client_sdk::Config<Room>) -> Result<(), keeper_client_sdk::Error> {
    /// let mut max_inflight = config.on(|room| room.push.max_inflight);
    /// println!("begins with {}", max_inflight.get());
    /// loop {
    ///     println!("goes on with {}", max_inflight.changed().await?);
    /// }
    /// # }
    /// ```
    #[must_use]
    pub fn on<U: PartialEq + Clone>(&self, part: impl Fn(&T) -> U + Send + Sync + 'static) -> Listener<T, U> {
        Listener::new(self.slot.typed(), Box::new(part), self.held.clone())
    }

    /// What changed since the last call; waits until something has. Several publishes in the meantime are told as one.
    /// May be dropped at any await without losing a change.
    ///
    /// # Errors
    /// [`Error::Misfit`] when the document was published in a shape that is no `T`, or was refused by the validator,
    /// or was deleted: the value stays.
    pub async fn changed(&mut self) -> Result<Change<T>, Error> {
        let ended = Error::Ended { what: "the config", happened: Happened::No };
        self.seen.changed().await.map_err(|_| ended)?;
        let seen = self.seen.borrow_and_update();
        if let Some(problem) = &seen.problem {
            return Err(problem.clone());
        }
        let run = &seen.run;
        let fields = diff(&self.told, &run.value);
        self.told = run.value.clone();
        Ok(Change {
            revision: run.revision,
            fields,
            needs_restart: run.needs_restart.clone(),
            rollout: run.rollout,
            value: run.typed.clone(),
        })
    }
}
