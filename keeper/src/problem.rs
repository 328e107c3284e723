//! Why something asked of this node was not done, in the three classes of the wire.
//!
//! Everything below `rpc` answers with this type; one exhaustive match in `rpc/error.rs` turns it into the wire's form.
//! A rejection of the replicated state is a refusal that every node would give alike; the other kinds are this node's.

use std::borrow::Cow;
use std::time::Duration;

use keeper_registry::Rejection;

use crate::config::judge::Objections;
use crate::limits;

/// A refusal, or why no answer can be given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The replicated state decided against.
    #[error("the registry refused the request")]
    Rejected(Rejection),
    /// Malformed, before anything was proposed.
    #[error("{message}")]
    Invalid {
        /// The request's field.
        field: String,
        /// What is wrong with which value, and what would be right.
        message: String,
    },
    /// There is nobody, or nothing, of the name given.
    #[error("{message}")]
    Absent {
        /// The request's field.
        field: String,
        /// Who or what there is none of.
        message: String,
    },
    /// A decision against it as things are now, by this node.
    #[error("{message}")]
    Declined {
        /// In one word.
        reason: &'static str,
        /// Why, and what to do.
        message: String,
    },
    /// Schemas, or processes that read it, speak against a publish. It can be forced.
    #[error("{0}; give a reason to publish it all the same")]
    Objected(Objections),
    /// Only the leader can do this. It did not happen.
    #[error("this node does not lead the cluster")]
    NotLeader {
        /// The leader's client endpoint, if known.
        leader: Option<String>,
    },
    /// Too much is waiting already. It did not happen.
    #[error("{what} has reached its limit of {limit}")]
    Full {
        /// What is full.
        what: &'static str,
        /// Its limit.
        limit: u64,
        /// When to try again.
        retry_after_ms: u32,
    },
    /// The caller's deadline passed before the operation was proposed. It did not happen.
    #[error("the deadline passed before the operation was proposed")]
    Expired,
    /// Proposed, and the answer was lost: leadership moved, or the quorum did not answer in time. It may have happened.
    #[error("the outcome is unknown: {reason}")]
    Unknown {
        /// What cut the answer off.
        reason: &'static str,
    },
    /// A stream whose reader took nothing for so long that its place went to another one. It goes on from its token.
    #[error("nothing was taken from this stream for {} s, and its place went to another: go on from its last token",
        idle.as_secs())]
    Idle {
        /// How long a reader may take nothing.
        idle: Duration,
    },
    /// A read that could not be confirmed. Reading again is safe.
    #[error("the read could not be confirmed: {reason}")]
    Unconfirmed {
        /// What is missing.
        reason: &'static str,
    },
    /// This node has no data: its cluster was never founded, or it has yet to be taken in.
    #[error(
        "this node has no data and belongs to no cluster yet: `keeper init` founds a new one, a node of one that runs is \
         taken in (`keeperctl cluster add`)"
    )]
    Uninitialized,
    /// What this node was sending was given up. Asking again begins anew.
    #[error("the backup was given up: {reason}")]
    GivenUp {
        /// What happened.
        reason: String,
    },
    /// This node lacks the key to a secret. Another node may have it.
    #[error("{message}")]
    Locked {
        /// What does not open.
        message: String,
    },
    /// This node's state is not that of the others. Another node knows.
    #[error("this node is not read: {difference}")]
    Differs {
        /// The proof.
        difference: String,
    },
    /// This node is no member of its cluster any more. The others go on.
    #[error("{removed}")]
    Removed {
        /// Since when, and who the others are.
        removed: String,
    },
    /// This node is stopping.
    #[error("this node is stopping")]
    Stopping,
}

impl From<Rejection> for Problem {
    fn from(rejection: Rejection) -> Self {
        Self::Rejected(rejection)
    }
}

/// What a caller gave, as it is said back: enough to know it again, and how long it was.
#[must_use]
pub fn excerpt(given: &str) -> Cow<'_, str> {
    cut(given, limits::EXCERPT_CHARS_MAX)
}

/// A text, or its beginning and how long it was. Whatever of it could move a cursor, colour a terminal or begin a line
/// of its own is escaped: it is part of what somebody is told, in a terminal or a log.
#[must_use]
pub fn cut(text: &str, chars_max: usize) -> Cow<'_, str> {
    match text.char_indices().nth(chars_max) {
        None => printable(text),
        Some((end, _)) => Cow::Owned(format!("{}.. ({} bytes)", printable(&text[..end]), text.len())),
    }
}

fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(char::is_control) {
        return Cow::Borrowed(text);
    }
    let shown = |it: char| if it.is_control() { it.escape_default().to_string() } else { it.to_string() };
    Cow::Owned(text.chars().map(shown).collect())
}

/// A time as people read it: not shorter than it was, and no finer than a millisecond.
#[must_use]
pub fn whole_ms(time: Duration) -> Duration {
    Duration::from_millis(u64::try_from(time.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX))
}

/// An error and its sources, on one line: for where an error is handled by being told.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut said = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        said.push_str(": ");
        said.push_str(&error.to_string());
        source = error.source();
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_long_is_said_back_in_part() {
        assert_eq!(excerpt("node4:7401"), "node4:7401");
        let whole = "ü".repeat(limits::EXCERPT_CHARS_MAX);
        assert_eq!(excerpt(&whole), whole);
        let long = "ü".repeat(100_000);
        assert_eq!(excerpt(&long), format!("{whole}.. (200000 bytes)"));
    }

    #[test]
    fn what_is_said_back_cannot_end_its_line() {
        assert_eq!(excerpt("a\x1b[31m\nFORGED \u{9b}ü"), r"a\u{1b}[31m\nFORGED \u{9b}ü");
        assert_eq!(cut("\n\n\n", 2), r"\n\n.. (3 bytes)");
    }

    #[test]
    fn a_time_is_told_in_whole_milliseconds() {
        let told = |nanos| format!("{:?}", whole_ms(Duration::from_nanos(nanos)));
        assert_eq!([told(999_899), told(200_000_000), told(1_500_000_001)], ["1ms", "200ms", "1.501s"]);
    }
}
