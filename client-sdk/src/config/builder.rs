//! How a document is read.

use std::{
    fmt,
    future::{Future, IntoFuture},
    pin,
    sync::Arc,
};

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{
    Config, Error, LastKnownGood, Origin,
    config::{
        applicant::Applicant,
        config::Held,
        hub::{Hub, Pin},
        kept::{Keep, Kept, KeptProblem},
        schema::Announced,
        slot::{Absent, Misfit, Run, Shape, Slot, Validate},
        told::Told,
    },
    connection::Nodes,
    limits,
    tasks::Tasks,
};

/// A document about to be read; awaiting it does what [`open`](Self::open) does.
#[must_use]
pub struct ConfigBuilder<T> {
    nodes: Arc<Nodes>,
    tasks: Arc<Tasks>,
    hub: Arc<Hub>,
    path: String,
    schema: Option<Result<Announced, Error>>,
    validate: Option<Validate<T>>,
    absent: Absent,
    keep: Option<LastKnownGood>,
}

impl<T> ConfigBuilder<T> {
    pub(crate) const fn new(nodes: Arc<Nodes>, tasks: Arc<Tasks>, hub: Arc<Hub>, path: String) -> Self {
        Self { nodes, tasks, hub, path, schema: None, validate: None, absent: Absent::Misfit, keep: None }
    }

    /// By the schema of the type.
    pub(crate) fn described(mut self) -> Self
    where
        T: JsonSchema,
    {
        self.schema = Some(Announced::of::<T>());
        self
    }

    /// Announces this JSON Schema: what does not fit it is refused before it is published.
    pub fn schema(mut self, schema: Value) -> Self {
        self.schema = Some(Announced::new(schema));
        self
    }

    /// Refuses values by a sentence, before the process runs with them: what a schema cannot say. A process that
    /// refuses a value says so to the cluster, and runs with what it had.
    pub fn validate(mut self, validate: impl Fn(&T) -> Result<(), String> + Send + Sync + 'static) -> Self {
        self.validate = Some(Arc::new(validate));
        self
    }

    /// Takes it for an empty document (`{}`) that there is none, at the start and when it is deleted: for a `T` whose
    /// every field has a default. Without it there is nothing to start with, what is deleted goes on running, and a
    /// process that announced a schema stands in the way of deleting it.
    pub const fn or_empty(mut self) -> Self {
        self.absent = Absent::Empty;
        self
    }

    /// Keeps what the process runs with on disk, and starts with it when no node answers, or when what is published
    /// does not fit. It is replaced by the live value as soon as a node answers with one that does.
    pub fn last_known_good(mut self, options: LastKnownGood) -> Self {
        self.keep = Some(options);
        self
    }
}

impl<T: DeserializeOwned + Send + Sync + 'static> ConfigBuilder<T> {
    /// Follows the document from now on.
    ///
    /// # Errors
    /// [`Error::Refused`] with reason `not-found` when there is no such document; [`Error::Misfit`] when it does not
    /// fit `T`, which the cluster goes on showing until the document is opened again or the instance closes;
    /// [`Error::Kept`] when no node answers and what is kept on disk cannot be used; otherwise as [`Error`] says.
    pub async fn open(self) -> Result<Config<T>, Error> {
        let Self { nodes, tasks, hub, path, schema, validate, absent, keep } = self;
        check_path(&path)?;
        let mut schema = schema.transpose()?;
        if absent == Absent::Empty {
            schema = schema.map(Announced::or_empty).transpose()?;
        }
        let schema = schema.map(Arc::new);
        let keep = keep.map(|options| Arc::new(Keep::new(options, &path, hub.reader())));
        let pin = Pin::new(hub, &path, schema.clone())?;
        let patience = keep.as_ref().map_or(nodes.settings.operation_timeout, |keep| keep.after());
        let shape = Shape { path, schema, validate, absent, keep };
        loop {
            let (run, told) = match pin.told(patience).await {
                Ok(told) => match shape.run(&told) {
                    Ok(run) => (run, Some(told)),
                    Err(misfit) => (refused(&pin, &shape, &told, misfit).await?, None),
                },
                Err(silence) if silence.is_retryable() => (kept(&shape, silence)?, None),
                Err(error) => return Err(error),
            };
            let first = run.value.clone();
            let slot = Arc::new(Slot::new(shape.clone(), run));
            // Before anything is told to it.
            let seen = slot.seen();
            if pin.attach(slot.clone(), told.as_ref()) {
                return Ok(Config::new(slot, seen, first, Held::new(pin, tasks)));
            }
        }
    }
}

/// What the process starts with although the published value does not fit.
async fn refused<T: DeserializeOwned + Send + Sync + 'static>(
    pin: &Pin,
    shape: &Shape<T>,
    told: &Arc<Told>,
    misfit: Misfit,
) -> Result<Run<T>, Error> {
    pin.refuse(told, &misfit.reason).await;
    let is_absent = told.canonical.is_none() && told.revision == 0;
    if is_absent {
        return Err(*misfit.error);
    }
    // Whatever the application does about it, this process reads the document and refuses it.
    kept(shape, *misfit.error).inspect_err(|_| pin.leave(Arc::new(Applicant::new(shape.clone())), told, misfit.reason))
}

/// What is kept on disk, in the place of an answer; that there was none is the error if nothing is.
fn kept<T: DeserializeOwned>(shape: &Shape<T>, instead_of: Error) -> Result<Run<T>, Error> {
    let Some(keep) = &shape.keep else { return Err(instead_of) };
    let Some(kept) = keep.load()? else { return Err(instead_of) };
    tracing::warn!(error = %instead_of, file = %kept.file.display(), age = ?kept.age, "starting with what is kept");
    let misfit = |misfit: Misfit| keep.problem(KeptProblem::Misfit, misfit.reason);
    let Kept { age, .. } = kept;
    let run = shape.run(&kept.told()).map_err(misfit)?;
    Ok(Run { origin: Origin::LastKnownGood { age }, ..run })
}

impl<T: DeserializeOwned + Send + Sync + 'static> IntoFuture for ConfigBuilder<T> {
    type Output = Result<Config<T>, Error>;
    type IntoFuture = pin::Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.open())
    }
}

fn check_path(path: &str) -> Result<(), Error> {
    let is_plain = |part: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        !matches!(part, "" | "." | "..") && part.bytes().all(plain)
    };
    if path.len() > limits::PATH_BYTES_MAX {
        return Err(Error::invalid("path", format!("at most {} bytes", limits::PATH_BYTES_MAX)));
    }
    if !path.split('/').all(is_plain) {
        let message = format!("{path:?}: parts of letters, digits, `.`, `_` and `-`, joined by `/`; no layer");
        return Err(Error::invalid("path", message));
    }
    Ok(())
}

impl<T> fmt::Debug for ConfigBuilder<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ConfigBuilder").field("path", &self.path).finish_non_exhaustive()
    }
}
