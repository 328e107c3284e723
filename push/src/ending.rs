//! Why a connection ends, and what the device is told.

use std::fmt;

use keeper_client_sdk::{Error, Holder};
use tokio_tungstenite::tungstenite::{
    Utf8Bytes,
    protocol::{CloseFrame, frame::coding::CloseCode},
};

use crate::limits;

/// The device connected elsewhere: it must not come back by itself, or two of its connections would fight for ever.
pub(crate) const CODE_DISPLACED: u16 = 4001;
/// An admin ended the session.
pub(crate) const CODE_KICKED: u16 = 4002;
/// A newer connection of the same device is registered; as `CODE_DISPLACED`.
pub(crate) const CODE_SUPERSEDED: u16 = 4003;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The device said good-bye.
    Left,
    /// The network did.
    Disconnected,
    /// Nothing was heard for the idle timeout.
    Idle { timeout_ms: u64 },
    /// The device takes what it is sent too slowly.
    Slow,
    /// The device sent more than the configuration allows.
    TooLarge { bytes: usize, bytes_max: usize },
    /// The user's session moved to another connection.
    Displaced { to: String },
    /// An admin ended the session.
    Kicked { reason: String },
    /// A connection with a higher `conn_seq` holds the session.
    Superseded,
    /// The registry does not take this session.
    Refused { reason: String },
    /// The room holds as many connections as its configuration allows.
    Full,
    /// The room goes away; all its sessions end with its lease.
    GoingAway,
}

impl Ending {
    /// Of a connection that the registry does not take.
    pub(crate) fn of_refusal(error: Error) -> Self {
        match (error.reason(), &error) {
            ("stale-conn-seq", _) => Self::Superseded,
            ("displaced", Error::Refused { holder: Some(by), .. }) => Self::displaced(by),
            ("ended", _) => Self::GoingAway,
            _ => Self::Refused { reason: error.to_string() },
        }
    }

    pub(crate) fn displaced(by: &Holder) -> Self {
        Self::Displaced { to: format!("{}/{}", by.service, by.instance) }
    }

    /// What the device is told; nothing when it has gone itself.
    pub(crate) fn frame(&self) -> Option<CloseFrame> {
        let code = match self {
            Self::Left | Self::Disconnected => return None,
            Self::Idle { .. } => CloseCode::Away,
            Self::Slow | Self::Refused { .. } => CloseCode::Policy,
            Self::TooLarge { .. } => CloseCode::Size,
            Self::Displaced { .. } => CODE_DISPLACED.into(),
            Self::Kicked { .. } => CODE_KICKED.into(),
            Self::Superseded => CODE_SUPERSEDED.into(),
            Self::Full => CloseCode::Again,
            Self::GoingAway => CloseCode::Restart,
        };
        Some(CloseFrame { code, reason: cut(self.to_string()) })
    }
}

/// The words of the close and of the log.
impl fmt::Display for Ending {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Left => formatter.write_str("the device left"),
            Self::Disconnected => formatter.write_str("the connection broke"),
            Self::Idle { timeout_ms } => write!(formatter, "silent for {timeout_ms} ms"),
            Self::Slow => formatter.write_str("too slow: messages wait for longer than they may"),
            Self::TooLarge { bytes, bytes_max } => {
                write!(formatter, "a message of {bytes} bytes; {bytes_max} are allowed")
            }
            Self::Displaced { to } => write!(formatter, "connected elsewhere: {to}"),
            Self::Kicked { reason } if reason.is_empty() => formatter.write_str("kicked"),
            Self::Kicked { reason } => write!(formatter, "kicked: {reason}"),
            Self::Superseded => formatter.write_str("a newer connection of this device is registered"),
            Self::Refused { reason } => formatter.write_str(reason),
            Self::Full => formatter.write_str("this room is full"),
            Self::GoingAway => formatter.write_str("this room goes away"),
        }
    }
}

fn cut(mut reason: String) -> Utf8Bytes {
    let end = (0..=limits::CLOSE_REASON_BYTES_MAX.min(reason.len())).rev().find(|at| reason.is_char_boundary(*at));
    reason.truncate(end.unwrap_or_default());
    reason.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_close_says_why() {
        let frame = Ending::Kicked { reason: "spam".into() }.frame().unwrap();
        assert_eq!((u16::from(frame.code), frame.reason.as_str()), (CODE_KICKED, "kicked: spam"));
        assert!(frame.code.is_allowed());
        assert_eq!(Ending::Kicked { reason: String::new() }.to_string(), "kicked");
        assert_eq!(Ending::Disconnected.frame(), None);
        assert_eq!(Ending::Disconnected.to_string(), "the connection broke");
    }

    #[test]
    fn a_long_reason_is_cut_between_characters() {
        let frame = Ending::Refused { reason: "é".repeat(100) }.frame().unwrap();
        assert_eq!(frame.reason.as_str(), "é".repeat(61));
    }
}
