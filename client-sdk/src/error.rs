//! What can go wrong, by class, and the two questions a caller has: may I retry, and did it happen?
//!
//! The classes are those of the wire (`Problem`), plus what the library finds out by itself: a deadline that passed, an
//! argument that cannot be right, a document that does not fit its type. Conversion from statuses and problems is here
//! and nowhere else.

use std::{mem, path::PathBuf, time::Duration};

use keeper_proto::{fields::Unreadable, v1};
use prost::Message;
use tonic::{Code, Status};

use crate::{KeptProblem, session::Holder};

/// The reason of an answer by somebody who does not know the call.
pub(crate) const UNIMPLEMENTED: &str = "unimplemented";

/// The reason of a refusal for want of room: the one that is given before the log is asked, and not for ever.
const DISK_FULL: &str = "disk-full";

/// Whether a write may have taken effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Happened {
    /// It did not, and will not.
    No,
    /// Unknown: it may have, or may still.
    Maybe,
}

/// Why a call did not do what it was asked.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A decision: asking again gives the same answer until something else changes.
    #[error("{message}")]
    Refused {
        /// Stable and machine-readable: `stale-epoch`, `revision-mismatch` ...
        reason: String,
        /// One sentence with the offending value and the limit or remedy.
        message: String,
        /// The request field that was wrong; empty when none.
        field: String,
        /// Everything that speaks against it, a sentence each, when there is more than one thing to say.
        details: Vec<String>,
        /// Who holds the session, when the refusal is about somebody else's.
        holder: Option<Box<Holder>>,
    },
    /// No node answers for this now; later, or elsewhere, one may.
    #[error("{message}")]
    Unavailable {
        /// Stable and machine-readable: `not-leader`, `full`, `unreachable` ...
        reason: String,
        /// One sentence.
        message: String,
        /// Whether the write may have taken effect.
        happened: Happened,
        /// How long the server asks to be left alone.
        retry_after: Option<Duration>,
    },
    /// A node met a defect, or answered what the protocol does not allow.
    #[error("{message}")]
    Broken {
        /// Stable and machine-readable.
        reason: String,
        /// One sentence.
        message: String,
        /// Whether the write may have taken effect.
        happened: Happened,
    },
    /// The caller's deadline passed.
    #[error("no answer to {operation} within {:?}", whole_ms(*.after))]
    Timeout {
        /// What was asked.
        operation: &'static str,
        /// How long the call waited.
        after: Duration,
        /// Whether the write may have taken effect.
        happened: Happened,
    },
    /// An argument that cannot be right; nothing was sent.
    #[error("{field}: {message}")]
    Invalid {
        /// Which argument.
        field: &'static str,
        /// What would be right.
        message: String,
    },
    /// A document does not fit the type it should become; the running value stays.
    #[error("{path} at revision {revision} does not fit its type: {message}")]
    Misfit {
        /// The document.
        path: String,
        /// Of the publish that wrote it.
        revision: u64,
        /// Where and why.
        message: String,
    },
    /// A process starts, no node gives it a value that fits, and the one kept on disk is not used in its place.
    #[error("{path}: what is kept in {} is not used: {message}", file.display())]
    Kept {
        /// The document.
        path: String,
        /// Where it is kept.
        file: PathBuf,
        /// What speaks against it.
        problem: KeptProblem,
        /// The same in words.
        message: String,
    },
    /// What was used has ended: the instance was closed or lost, or the [`Keeper`](crate::Keeper) was dropped.
    #[error("{what} has ended")]
    Ended {
        /// What was used.
        what: &'static str,
        /// Whether the write may have taken effect.
        happened: Happened,
    },
}

impl Error {
    /// Whether the same call may succeed later without anything else changing. A write that
    /// [may have happened](Self::may_have_happened) may then happen twice.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Broken { .. } | Self::Timeout { .. } | Self::Kept { .. })
    }

    /// Whether the write may have taken effect in spite of this error.
    #[must_use]
    pub const fn may_have_happened(&self) -> bool {
        matches!(self.happened(), Happened::Maybe)
    }

    /// Stable, machine-readable, kebab-case.
    #[must_use]
    pub fn reason(&self) -> &str {
        match self {
            Self::Refused { reason, .. } | Self::Unavailable { reason, .. } | Self::Broken { reason, .. } => reason,
            Self::Timeout { .. } => "timeout",
            Self::Invalid { .. } => "invalid",
            Self::Misfit { .. } => "misfit",
            Self::Kept { problem, .. } => problem.reason(),
            Self::Ended { .. } => "ended",
        }
    }

    const fn happened(&self) -> Happened {
        match self {
            Self::Refused { .. } | Self::Invalid { .. } | Self::Misfit { .. } | Self::Kept { .. } => Happened::No,
            Self::Unavailable { happened, .. }
            | Self::Broken { happened, .. }
            | Self::Timeout { happened, .. }
            | Self::Ended { happened, .. } => *happened,
        }
    }

    /// The same error, when an earlier try of the same call may have happened.
    ///
    /// A refusal stays one: retries carry what makes them the same request, so the refusal is the first answer. But for
    /// want of room a leader refuses what it has not looked at, and the try before may be in its log.
    pub(crate) fn after(mut self, earlier: Happened) -> Self {
        if earlier == Happened::No {
            return self;
        }
        match &mut self {
            Self::Refused { reason, message, .. } if *reason == DISK_FULL => {
                let (reason, message) = (mem::take(reason), mem::take(message));
                return Self::Unavailable { reason, message, happened: earlier, retry_after: None };
            }
            Self::Unavailable { happened, .. }
            | Self::Broken { happened, .. }
            | Self::Timeout { happened, .. }
            | Self::Ended { happened, .. } => *happened = earlier,
            Self::Refused { .. } | Self::Invalid { .. } | Self::Misfit { .. } | Self::Kept { .. } => {}
        }
        self
    }

    pub(crate) fn invalid(field: &'static str, message: impl Into<String>) -> Self {
        Self::Invalid { field, message: message.into() }
    }

    pub(crate) fn not_found(path: &str) -> Self {
        Self::Refused {
            reason: "not-found".into(),
            message: format!("there is no document {path:?}"),
            field: "path".into(),
            details: Vec::new(),
            holder: None,
        }
    }

    pub(crate) fn malformed(message: impl Into<String>) -> Self {
        Self::Broken { reason: "malformed-answer".into(), message: message.into(), happened: Happened::Maybe }
    }

    pub(crate) fn unreachable(message: impl Into<String>, happened: Happened) -> Self {
        Self::Unavailable { reason: "unreachable".into(), message: message.into(), happened, retry_after: None }
    }
}

impl From<Unreadable> for Error {
    fn from(_: Unreadable) -> Self {
        Self::malformed("an answer with a field that cannot be read")
    }
}

/// A failure of one try, with what it teaches about the leader.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) error: Error,
    pub(crate) leader: LeaderHint,
}

/// What a node said about the leader when it did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LeaderHint {
    /// Nothing: it answers, and the failure has other causes.
    Silent,
    /// Nothing: it cannot be reached, keeps silent, or is in no state to serve.
    Gone,
    /// It is not the leader and knows no better.
    Elsewhere,
    /// It is not the leader; this endpoint is.
    At(String),
}

impl Failure {
    pub(crate) const fn silent(error: Error) -> Self {
        Self { error, leader: LeaderHint::Silent }
    }

    pub(crate) const fn gone(error: Error) -> Self {
        Self { error, leader: LeaderHint::Gone }
    }

    /// From the problem in a frame or in the details of a status.
    pub(crate) fn from_problem(problem: v1::Problem) -> Self {
        use v1::problem::Class;
        let class = problem.class();
        let happened = match problem.happened() {
            v1::problem::Happened::No => Happened::No,
            v1::problem::Happened::Maybe | v1::problem::Happened::Unspecified => Happened::Maybe,
        };
        let leader = match problem.reason.as_str() {
            _ if !problem.leader.is_empty() => LeaderHint::At(problem.leader),
            "not-leader" => LeaderHint::Elsewhere,
            // Going elsewhere would only add a detour.
            "full" | "expired" | "idle" => LeaderHint::Silent,
            _ if class == Class::Refused => LeaderHint::Silent,
            _ => LeaderHint::Gone,
        };
        let v1::Problem { reason, message, field, retry_after_ms, details, .. } = problem;
        let retry_after = (retry_after_ms > 0).then(|| Duration::from_millis(u64::from(retry_after_ms)));
        // A node that cannot do it because another one leads is an answer about the place, never about the request.
        let class = match leader {
            LeaderHint::At(_) | LeaderHint::Elsewhere => Class::Unavailable,
            LeaderHint::Silent | LeaderHint::Gone => class,
        };
        let error = match class {
            Class::Refused => Error::Refused { reason, message, field, details, holder: None },
            Class::Unavailable => Error::Unavailable { reason, message, happened, retry_after },
            Class::Broken | Class::Unspecified => Error::Broken { reason, message, happened },
        };
        Self { error, leader }
    }

    /// From the status of a call or of the end of a stream.
    pub(crate) fn from_status(status: &Status) -> Self {
        if !status.details().is_empty()
            && let Ok(problem) = v1::Problem::decode(status.details())
            && problem.class() != v1::problem::Class::Unspecified
        {
            return Self::from_problem(problem);
        }
        let error = from_bare_status(status);
        if error.is_retryable() { Self::gone(error) } else { Self::silent(error) }
    }
}

/// A status without a problem in it comes from the transport, or from a server that is not a Keeper.
fn from_bare_status(status: &Status) -> Error {
    let reason = format!("{:?}", status.code());
    let message = describe(status);
    match status.code() {
        Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::FailedPrecondition
        | Code::OutOfRange
        | Code::Unauthenticated => {
            Error::Refused { reason: kebab(&reason), message, field: String::new(), details: Vec::new(), holder: None }
        }
        Code::Unimplemented => Error::Broken { reason: UNIMPLEMENTED.into(), message, happened: Happened::No },
        Code::Internal | Code::DataLoss => Error::Broken { reason: kebab(&reason), message, happened: Happened::Maybe },
        Code::ResourceExhausted => {
            Error::Unavailable { reason: "full".into(), message, happened: Happened::Maybe, retry_after: None }
        }
        Code::Ok | Code::Cancelled | Code::Unknown | Code::DeadlineExceeded | Code::Aborted | Code::Unavailable => {
            let happened = if is_connect_failure(status) { Happened::No } else { Happened::Maybe };
            Error::unreachable(message, happened)
        }
    }
}

/// As people read it: not shorter than it was, and no finer than a millisecond.
fn whole_ms(time: Duration) -> Duration {
    let ms = time.as_nanos().div_ceil(1_000_000);
    Duration::from_millis(u64::try_from(ms).unwrap_or(u64::MAX))
}

/// The innermost cause says "connection refused"; the layers above only say that something failed.
fn describe(status: &Status) -> String {
    let mut message = status.message().to_owned();
    let mut cause = std::error::Error::source(status);
    while let Some(inner) = cause {
        let text = inner.to_string();
        if !message.contains(&text) {
            message = if message.is_empty() { text } else { format!("{message}: {text}") };
        }
        cause = inner.source();
    }
    if message.is_empty() { format!("{:?}", status.code()) } else { message }
}

/// A connection that never stood has carried no request.
fn is_connect_failure(status: &Status) -> bool {
    let mut cause = std::error::Error::source(status);
    while let Some(inner) = cause {
        if inner.is::<tonic::ConnectError>() {
            return true;
        }
        if let Some(io) = inner.downcast_ref::<std::io::Error>()
            && io.kind() == std::io::ErrorKind::ConnectionRefused
        {
            return true;
        }
        cause = inner.source();
    }
    false
}

fn kebab(name: &str) -> String {
    let mut text = String::with_capacity(name.len() + 4);
    for (index, letter) in name.chars().enumerate() {
        if letter.is_uppercase() && index > 0 {
            text.push('-');
        }
        text.extend(letter.to_lowercase());
    }
    text
}

#[cfg(test)]
mod tests;
