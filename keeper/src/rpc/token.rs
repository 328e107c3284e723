//! The opaque tokens clients hand back: where a walk stands, where a gateway's notices stand. Each has a version byte
//! and, where it matters, says what it belongs to, so that one that is used for something else is refused instead of
//! believed. They are not secret and not signed: one that was made up leads to a place like any other.

use bytes::Bytes;
use keeper_registry::{NoticeCursor, Part, Revision, ScanPosition, SessionKey, StateId};

use crate::codec::{DecodeError, Input, Output};
use crate::problem::Problem;
use crate::rpc::from_proto::invalid;

const VERSION: u8 = 1;

/// Where a walk over sessions stands, and which walk it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ScanToken {
    /// The history it walks.
    pub(crate) state: StateId,
    /// What was registered after this is left out.
    pub(crate) until: Revision,
    /// What was registered up to this is left out.
    pub(crate) since: Revision,
    /// Which share of the keys.
    pub(crate) part: Part,
    /// A fingerprint of the selector: enough to know that it is another one.
    pub(crate) selector: u64,
    /// The last key looked at.
    pub(crate) position: ScanPosition,
}

impl ScanToken {
    /// As clients hold it.
    pub(crate) fn write(&self) -> Bytes {
        let ScanPosition(key) = &self.position;
        let mut out = Output::versioned(VERSION, 48 + key.user.len() + key.slot.len());
        out.u64(self.state.0);
        out.u64(self.until.0);
        out.u64(self.since.0);
        out.u32(self.part.index());
        out.u32(self.part.of());
        out.u64(self.selector);
        out.bytes(&key.user);
        out.bytes(&key.slot);
        out.finish()
    }

    /// As clients hand it back.
    pub(crate) fn read(token: &Bytes) -> Result<Self, Problem> {
        Self::decode(token).map_err(|_| broken("token", "a walk over sessions"))
    }

    fn decode(token: &Bytes) -> Result<Self, DecodeError> {
        let (_, mut input) = Input::versioned("a token", VERSION, token.clone())?;
        let token = Self {
            state: StateId(input.u64()?),
            until: Revision(input.u64()?),
            since: Revision(input.u64()?),
            part: read_part(&mut input)?,
            selector: input.u64()?,
            position: ScanPosition(SessionKey { user: input.bytes()?, slot: input.bytes()? }),
        };
        input.finish()?;
        Ok(token)
    }
}

fn read_part(input: &mut Input) -> Result<Part, DecodeError> {
    let part = Part::new(input.u32()?, input.u32()?);
    part.ok_or_else(|| DecodeError::OutOfRange { what: "the part of a walk", at: input.position() })
}

/// Where a gateway's notices stand.
pub(crate) fn write_notices(cursor: NoticeCursor) -> Bytes {
    let mut out = Output::versioned(VERSION, 16);
    out.u64(cursor.revision.0);
    out.u32(cursor.position);
    out.finish()
}

/// Where a gateway's notices stand, as the field of a message says; none when it is empty.
pub(crate) fn read_notices(field: &str, cursor: &Bytes) -> Result<Option<NoticeCursor>, Problem> {
    if cursor.is_empty() {
        return Ok(None);
    }
    decode_notices(cursor).map(Some).map_err(|_| broken(field, "the notices of an instance"))
}

fn decode_notices(cursor: &Bytes) -> Result<NoticeCursor, DecodeError> {
    let (_, mut input) = Input::versioned("a cursor", VERSION, cursor.clone())?;
    let cursor = NoticeCursor { revision: Revision(input.u64()?), position: input.u32()? };
    input.finish()?;
    Ok(cursor)
}

/// Where in it the damage lies helps nobody: tokens are opaque.
pub(super) fn broken(field: &str, of: &str) -> Problem {
    invalid(field, format!("`{field}` is damaged, or is not one of {of}: give it back as it came, or leave it empty"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tokens() -> impl Strategy<Value = ScanToken> {
        let numbers = (any::<(u64, u64, u64, u64)>(), 0..8_u32);
        let names = (prop::collection::vec(any::<u8>(), 0..40), prop::collection::vec(any::<u8>(), 0..8));
        (numbers, names).prop_map(|(((state, until, since, selector), index), (user, slot))| ScanToken {
            state: StateId(state),
            until: Revision(until),
            since: Revision(since),
            part: Part::new(index, 8).expect("a part"),
            selector,
            position: ScanPosition(SessionKey { user: user.into(), slot: slot.into() }),
        })
    }

    proptest! {
        #[test]
        fn a_token_comes_back_as_it_went(token in tokens()) {
            prop_assert_eq!(ScanToken::read(&token.write()), Ok(token));
        }

        #[test]
        fn any_bytes_are_a_token_or_a_refusal(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let bytes = Bytes::from(bytes);
            let refused = |wanted: &str, problem: Problem| {
                matches!(problem, Problem::Invalid { field, .. } if field == wanted)
            };
            if let Err(problem) = ScanToken::read(&bytes) {
                prop_assert!(refused("token", problem));
            }
            if let Err(problem) = read_notices("confirmed", &bytes) {
                prop_assert!(refused("confirmed", problem));
            }
        }

        #[test]
        fn a_token_cut_short_or_made_longer_is_refused(token in tokens(), cut in 0..60_usize) {
            let whole = token.write();
            let shorter = whole.slice(..cut.min(whole.len() - 1));
            prop_assert!(ScanToken::read(&shorter).is_err());
            prop_assert!(ScanToken::read(&[&whole[..], b"x"].concat().into()).is_err());
        }
    }

    #[test]
    fn what_is_no_token_is_told_by_its_field_and_kind() {
        let refused = ScanToken::read(&Bytes::from_static(b"\x63garbage")).expect_err("it is none");
        let message = "`token` is damaged, or is not one of a walk over sessions: give it back as it came, or leave it \
                       empty";
        assert_eq!(refused, invalid("token", message));
    }

    #[test]
    fn a_cursor_comes_back_as_it_went_and_none_is_none() {
        let cursor = NoticeCursor { revision: Revision(u64::MAX), position: 7 };
        assert_eq!(read_notices("cursor", &write_notices(cursor)), Ok(Some(cursor)));
        assert_eq!(read_notices("cursor", &Bytes::new()), Ok(None));
    }
}
