//! Users: unique, pseudo-random, the same for the same seed.

use bytes::Bytes;
use keeper_client_sdk::{Error, Registration, SessionKey};

/// Bytes of a user's id.
pub(crate) const USER_BYTES: usize = 16;

/// Bytes of a connection's id.
pub(crate) const CONNECTION_BYTES: usize = size_of::<u64>();

/// The one topic every session is bound to.
const TOPIC: &[u8] = b"bench";

/// A sequence of users out of a space of 2^128.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Users {
    seed: u64,
}

impl Users {
    /// Users that no earlier run has met, also on a cluster that outlives this process.
    pub(crate) fn fresh() -> Self {
        Self::seeded(rand::random())
    }

    pub(crate) const fn seeded(seed: u64) -> Self {
        Self { seed }
    }

    /// [`USER_BYTES`]. The first half is a permutation of the index, so that no two users of a sequence are the same.
    pub(crate) fn user(self, index: u64) -> Bytes {
        let [first, second] = [self.seed, !self.seed].map(|seed| mix(seed.wrapping_add(index)).to_be_bytes());
        Bytes::from([first, second].concat())
    }

    pub(crate) fn key(self, index: u64) -> Result<SessionKey, Error> {
        SessionKey::of_user(self.user(index))
    }

    /// Bound to one topic, on the connection of the same number.
    pub(crate) fn registration(self, index: u64) -> Result<Registration, Error> {
        self.registration_on(index, index)
    }

    /// The same on another connection.
    pub(crate) fn registration_on(self, index: u64, connection: u64) -> Result<Registration, Error> {
        let connection = Bytes::copy_from_slice(&connection.to_be_bytes());
        Ok(Registration::new(self.key(index)?).connection(connection).topic(Bytes::from_static(TOPIC)))
    }
}

/// The finaliser of SplitMix64: a permutation of 64 bits that leaves no pattern.
pub(crate) const fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn users_are_unique_and_repeatable() {
        let users = Users::seeded(7);
        let some: HashSet<Bytes> = (0..100_000).map(|index| users.user(index)).collect();
        assert_eq!(some.len(), 100_000);
        assert!(some.iter().all(|user| user.len() == USER_BYTES));
        assert_eq!(users.user(5), Users::seeded(7).user(5));
        assert_ne!(users.user(5), Users::seeded(8).user(5));
    }
}
