//! Why a connection ends, and what the device is told.

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
        let (code, reason) = match self {
            Self::Left | Self::Disconnected => return None,
            Self::Idle { timeout_ms } => (CloseCode::Away, format!("silent for {timeout_ms} ms")),
            Self::Slow => (CloseCode::Policy, "too slow: messages wait for longer than they may".to_owned()),
            Self::TooLarge { bytes, bytes_max } => {
                (CloseCode::Size, format!("a message of {bytes} bytes; {bytes_max} are allowed"))
            }
            Self::Displaced { to } => (CODE_DISPLACED.into(), format!("connected elsewhere: {to}")),
            Self::Kicked { reason } => (CODE_KICKED.into(), format!("kicked: {reason}")),
            Self::Superseded => (CODE_SUPERSEDED.into(), "a newer connection of this device is registered".to_owned()),
            Self::Refused { reason } => (CloseCode::Policy, reason.clone()),
            Self::Full => (CloseCode::Again, "this room is full".to_owned()),
            Self::GoingAway => (CloseCode::Restart, "this room goes away".to_owned()),
        };
        Some(CloseFrame { code, reason: cut(reason) })
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
        assert_eq!(Ending::Disconnected.frame(), None);
    }

    #[test]
    fn a_long_reason_is_cut_between_characters() {
        let frame = Ending::Refused { reason: "é".repeat(100) }.frame().unwrap();
        assert_eq!(frame.reason.as_str(), "é".repeat(61));
    }
}
