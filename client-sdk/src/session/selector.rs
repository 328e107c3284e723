//! Which sessions a walk, a count or a kick is about.

use bytes::Bytes;
use keeper_proto::v1;

use crate::{Error, limits};

/// Sessions that match every field given; by default all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionSelector {
    /// Bound to this topic; empty: any.
    pub topic: Bytes,
    /// Held by this instance, as `service/id`; empty: any.
    pub instance: String,
    /// Of users that begin with these bytes; empty: any.
    pub user_prefix: Bytes,
    /// With this slot; none: any.
    pub slot: Option<Bytes>,
}

impl SessionSelector {
    /// Every session.
    #[must_use]
    pub fn all() -> Self {
        Self::default()
    }

    /// Sessions bound to a topic.
    #[must_use]
    pub fn topic(topic: impl Into<Bytes>) -> Self {
        Self { topic: topic.into(), ..Self::default() }
    }

    /// Sessions that an instance holds, named as `service/id`.
    #[must_use]
    pub fn instance(instance: impl Into<String>) -> Self {
        Self { instance: instance.into(), ..Self::default() }
    }

    /// Sessions of users that begin with these bytes.
    #[must_use]
    pub fn user_prefix(prefix: impl Into<Bytes>) -> Self {
        Self { user_prefix: prefix.into(), ..Self::default() }
    }

    pub(crate) fn is_all(&self) -> bool {
        *self == Self::default()
    }

    pub(crate) fn to_proto(&self) -> v1::SessionSelector {
        v1::SessionSelector {
            topic: self.topic.clone(),
            instance: self.instance.clone(),
            user_prefix: self.user_prefix.clone(),
            slot: self.slot.clone(),
        }
    }

    pub(crate) fn from_proto(selector: v1::SessionSelector) -> Self {
        let v1::SessionSelector { topic, instance, user_prefix, slot } = selector;
        Self { topic, instance, user_prefix, slot }
    }
}

/// One of several walks that together meet every session once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    index: u32,
    of: u32,
}

impl Part {
    /// The only part: the walk meets every session.
    pub const WHOLE: Self = Self { index: 0, of: 1 };

    /// Part `index`, counted from 0, of `of`.
    ///
    /// # Errors
    /// [`Error::Invalid`] when there is no such part, or more than [`limits::PARTS_MAX`].
    pub fn new(index: u32, of: u32) -> Result<Self, Error> {
        if of == 0 || of > limits::PARTS_MAX {
            return Err(Error::invalid("part", format!("{of} parts, but 1 to {} are allowed", limits::PARTS_MAX)));
        }
        if index >= of {
            return Err(Error::invalid("part", format!("{index}, but parts are counted from 0 to {}", of - 1)));
        }
        Ok(Self { index, of })
    }

    /// All parts of a walk that is cut into `of`.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn split(of: u32) -> Result<Vec<Self>, Error> {
        Self::new(0, of)?;
        Ok((0..of).map(|index| Self { index, of }).collect())
    }

    /// Which, from 0.
    #[must_use]
    pub const fn index(self) -> u32 {
        self.index
    }

    /// Of how many.
    #[must_use]
    pub const fn of(self) -> u32 {
        self.of
    }

    pub(crate) const fn to_proto(self) -> v1::Part {
        v1::Part { index: self.index, of: self.of }
    }
}

impl Default for Part {
    fn default() -> Self {
        Self::WHOLE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_counted_from_zero() {
        assert_eq!(
            Part::split(3).map(|it| it.into_iter().map(Part::index).collect::<Vec<_>>()).ok(),
            Some(vec![0, 1, 2])
        );
        for (index, of) in [(0, 0), (1, 1), (3, 3), (0, limits::PARTS_MAX + 1)] {
            assert_eq!(
                Part::new(index, of).err().map(|it| it.reason().to_owned()),
                Some("invalid".into()),
                "{index}/{of}"
            );
        }
    }
}
