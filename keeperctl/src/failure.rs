//! Why a command did not do what it was asked, and what to type instead.
//!
//! A failure is words for people: one sentence, and remedies as lines of their own. Its kind alone decides the exit
//! code, which `main` gives.

use keeper_client_sdk::{Endpoint, Error};

use crate::{console::Console, render};

/// What a failure means to a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A decision of the cluster, or what was asked for does not exist.
    Refused,
    /// No node answers.
    Unreachable,
    /// Anything else that went wrong, a wrong argument included.
    Failed,
    /// Whoever read standard output has gone, which is how `head` says that it has enough.
    ReaderGone,
}

/// Why a command did not do what it was asked.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) kind: Kind,
    pub(crate) message: String,
    pub(crate) remedies: Vec<String>,
}

impl Failure {
    const fn new(kind: Kind, message: String) -> Self {
        Self { kind, message, remedies: Vec::new() }
    }

    pub(crate) fn refused(message: impl Into<String>) -> Self {
        Self::new(Kind::Refused, message.into())
    }

    pub(crate) fn unreachable(message: impl Into<String>) -> Self {
        Self::new(Kind::Unreachable, message.into())
    }

    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self::new(Kind::Failed, message.into())
    }

    /// Standard output did not take the data.
    pub(crate) fn of_writing(error: &std::io::Error) -> Self {
        let kind = if error.kind() == std::io::ErrorKind::BrokenPipe { Kind::ReaderGone } else { Kind::Failed };
        Self::new(kind, format!("cannot write to standard output: {error}"))
    }

    /// A write that failed may have happened: `look` is the command that tells.
    pub(crate) fn of_change(error: Error, look: &str) -> Self {
        let may_have_happened = error.may_have_happened();
        let failure = Self::from(error);
        if !may_have_happened {
            return failure;
        }
        failure.remedy(format!("it may have happened all the same: look with `{look}` before trying again"))
    }

    /// Names whom it asked in vain.
    pub(crate) fn asked(self, endpoints: &[Endpoint]) -> Self {
        if self.kind != Kind::Unreachable {
            return self;
        }
        let asked = render::list(endpoints);
        self.remedy(format!("asked {asked}: name other nodes with `--endpoints` or in KEEPER_ENDPOINTS"))
    }

    /// Says all of it to whoever sits there.
    pub(crate) fn tell(&self, console: &mut Console<'_>) {
        if self.kind == Kind::ReaderGone {
            return;
        }
        console.say(format_args!("error: {}", self.message));
        for line in self.remedies.iter().flat_map(|remedy| remedy.lines()) {
            console.say(format_args!("  {line}"));
        }
    }

    /// One more thing to try.
    pub(crate) fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedies.push(remedy.into());
        self
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::Refused { field, .. } if field == "format" => {
                Self::refused(message).remedy("name it with `--format`: toml, yaml, json or ini")
            }
            Error::Refused { .. } => Self::refused(message),
            Error::Unavailable { reason, .. } if reason == "unreachable" => Self::unreachable(message),
            Error::Timeout { .. } => Self::failed(message).remedy("wait longer with `--timeout 30s`"),
            Error::Unavailable { .. }
            | Error::Broken { .. }
            | Error::Invalid { .. }
            | Error::Misfit { .. }
            | Error::Ended { .. } => Self::failed(message),
            _ => Self::failed(message),
        }
    }
}
