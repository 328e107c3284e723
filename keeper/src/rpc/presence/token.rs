//! Where a subscriber stands, as it holds it: the history, and the place in its order of facts.

use bytes::Bytes;
use keeper_registry::{PresenceCursor, Revision, StateId};

use crate::codec::{DecodeError, Input, Output};
use crate::problem::Problem;
use crate::rpc::token::broken;
use crate::watch::PresenceToken;

const VERSION: u8 = 1;

/// As clients hold it.
pub(super) fn write(token: PresenceToken) -> Bytes {
    let mut out = Output::versioned(VERSION, 24);
    out.u64(token.state.0);
    out.u64(token.cursor.revision.0);
    out.u32(token.cursor.position);
    out.finish()
}

/// As clients hand it back; none: from now on.
pub(super) fn read(token: &Bytes) -> Result<Option<PresenceToken>, Problem> {
    if token.is_empty() {
        return Ok(None);
    }
    decode(token).map(Some).map_err(|_| broken("token", "presence"))
}

fn decode(token: &Bytes) -> Result<PresenceToken, DecodeError> {
    let (_, mut input) = Input::versioned("a token", VERSION, token.clone())?;
    let state = StateId(input.u64()?);
    let cursor = PresenceCursor { revision: Revision(input.u64()?), position: input.u32()? };
    input.finish()?;
    Ok(PresenceToken { state, cursor })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_comes_back_as_it_went_and_others_are_refused() {
        let cursor = PresenceCursor { revision: Revision(u64::MAX), position: 7 };
        let token = PresenceToken { state: StateId(3), cursor };
        let bytes = write(token);
        assert_eq!(read(&bytes), Ok(Some(token)));
        assert_eq!(read(&Bytes::new()), Ok(None));
        for broken in
            [bytes.slice(..bytes.len() - 1), [&bytes[..], b"x"].concat().into(), Bytes::from_static(b"\x09abc")]
        {
            let refused = read(&broken).expect_err("it is not a token");
            assert!(matches!(&refused, Problem::Invalid { field, .. } if field == "token"), "{refused:?}");
        }
    }
}
