//! A share of the fixed order of sessions.

use std::ops::RangeInclusive;

use crate::limits;

/// One of several walks that together meet every session once: an equal range of the hashes of users, so that all
/// devices of a user fall into one part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    index: u32,
    of: u32,
}

impl Default for Part {
    fn default() -> Self {
        Self { index: 0, of: 1 }
    }
}

impl Part {
    /// The part of this number, from 0, of so many: at most `limits::PARTS_MAX`.
    #[must_use]
    pub const fn new(index: u32, of: u32) -> Option<Self> {
        if index < of && of <= limits::PARTS_MAX { Some(Self { index, of }) } else { None }
    }

    /// Its number, from 0.
    #[must_use]
    pub const fn index(self) -> u32 {
        self.index
    }

    /// How many there are.
    #[must_use]
    pub const fn of(self) -> u32 {
        self.of
    }

    /// Never empty, since there are far more hashes than parts.
    pub(super) fn hashes(self) -> RangeInclusive<u64> {
        let bound = |index: u32| (u128::from(index) << u64::BITS) / u128::from(self.of);
        bound(self.index) as u64..=(bound(self.index + 1) - 1) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::Part;
    use crate::limits;

    #[test]
    fn parts_adjoin_and_cover_everything() {
        for of in [1, 2, 3, 7, 1_000, limits::PARTS_MAX] {
            let parts: Vec<_> = (0..of).filter_map(|index| Part::new(index, of)).map(Part::hashes).collect();
            assert_eq!(parts.len(), of as usize);
            assert_eq!((*parts[0].start(), *parts[parts.len() - 1].end()), (0, u64::MAX));
            assert!(parts.windows(2).all(|pair| pair[0].end() + 1 == *pair[1].start()), "a gap among {of}");
        }
        assert_eq!(Part::new(1, 1), None);
        assert_eq!(Part::new(0, 0), None);
        assert_eq!(Part::new(0, limits::PARTS_MAX + 1), None);
    }
}
