//! Why a session of a gateway ended against its will.

use crate::{Error, Holder, NoticeCause};

#[derive(Debug, Clone)]
pub(super) enum Cause {
    /// Another connection holds the session.
    Displaced(Box<Holder>),
    /// An admin ended it. Without a word when its notice is gone.
    Kicked { reason: String, author: String },
    /// The registry does not take it again.
    Refused(Error),
}

impl Cause {
    /// The session is gone, and nobody knows why any more.
    pub(super) const fn unknown() -> Self {
        Self::Kicked { reason: String::new(), author: String::new() }
    }

    /// Of a connection that stood in an earlier life and does not in this one: mostly somebody was faster.
    pub(super) fn of_lost_claim(error: Error) -> Self {
        if let Error::Refused { reason, holder: Some(holder), .. } = &error
            && matches!(reason.as_str(), "stale-epoch" | "stale-conn-seq")
        {
            return Self::Displaced(holder.clone());
        }
        Self::Refused(error)
    }

    /// For a caller who still waits for the first registration.
    pub(super) fn into_error(self) -> Error {
        let refused = |reason: &str, message: String, holder| Error::Refused {
            reason: reason.to_owned(),
            message,
            field: String::new(),
            details: Vec::new(),
            holder,
        };
        match self {
            Self::Displaced(by) => {
                let message = format!("the session is held by {}/{}", by.service, by.instance);
                refused("displaced", message, Some(by))
            }
            Self::Kicked { reason, .. } => refused("kicked", reason, None),
            Self::Refused(error) => error,
        }
    }
}

impl From<NoticeCause> for Cause {
    fn from(cause: NoticeCause) -> Self {
        match cause {
            NoticeCause::Displaced(by) => Self::Displaced(by),
            NoticeCause::Kicked { reason, author } => Self::Kicked { reason, author },
        }
    }
}
