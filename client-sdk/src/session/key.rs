//! The name of a session and the token that fences it.

use std::fmt;

use bytes::Bytes;

use crate::{Error, limits};

/// Names a session: a user, and which of the user's devices.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionKey {
    user: Bytes,
    slot: Bytes,
}

impl SessionKey {
    /// User and slot.
    pub(crate) fn into_parts(self) -> (Bytes, Bytes) {
        (self.user, self.slot)
    }

    /// The session of a user with one device.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the name is empty or longer than [`limits::USER_BYTES_MAX`].
    pub fn of_user(user: impl Into<Bytes>) -> Result<Self, Error> {
        Self::new(user, Bytes::new())
    }

    /// The session of one device of a user.
    ///
    /// # Errors
    /// [`Error::Invalid`] when a name is outside its limits: [`limits::USER_BYTES_MAX`], [`limits::SLOT_BYTES_MAX`].
    pub fn new(user: impl Into<Bytes>, slot: impl Into<Bytes>) -> Result<Self, Error> {
        let key = Self { user: user.into(), slot: slot.into() };
        within("user", key.user.len(), 1, limits::USER_BYTES_MAX)?;
        within("slot", key.slot.len(), 0, limits::SLOT_BYTES_MAX)?;
        Ok(key)
    }

    /// As the server sent it.
    pub(crate) const fn trusted(user: Bytes, slot: Bytes) -> Self {
        Self { user, slot }
    }

    /// Whose.
    #[must_use]
    pub const fn user(&self) -> &Bytes {
        &self.user
    }

    /// Which device; empty unless the user has several.
    #[must_use]
    pub const fn slot(&self) -> &Bytes {
        &self.slot
    }
}

/// `user` or `user/slot`, with bytes that are not text escaped.
impl fmt::Display for SessionKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.user.escape_ascii())?;
        if !self.slot.is_empty() {
            write!(formatter, "/{}", self.slot.escape_ascii())?;
        }
        Ok(())
    }
}

/// The fencing token of a registration: strictly increasing within one history of the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch {
    /// Of the log entry that took the registration.
    pub revision: u64,
    /// Within the entry.
    pub position: u32,
}

impl fmt::Display for Epoch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.revision, self.position)
    }
}

/// Refuses a length outside its bounds.
pub(crate) fn within(field: &'static str, actual: usize, min: usize, max: usize) -> Result<(), Error> {
    if actual < min || actual > max {
        return Err(Error::invalid(field, format!("{actual}, but {min} to {max} are allowed")));
    }
    Ok(())
}
