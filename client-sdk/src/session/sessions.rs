//! What a gateway does with its sessions.

use bytes::Bytes;
use keeper_proto::v1::session_operation::unregister::Cause;

use crate::{
    Epoch, Error, Instance, Notices, Registered, Registration, SessionKey,
    session::{
        Registrar,
        registration::check_topics,
        to_proto::{bind, register, unbind, unregister},
        window::Outcome,
    },
};

/// Writes a gateway's sessions. Cheap to clone; see [`Instance::sessions`].
///
/// Each call is one operation and waits for its own answer; operations of many callers travel together. An operation
/// happens exactly once for as long as the instance's lease lives, whatever nodes and connections die meanwhile. Only a
/// caller whose time ran out is told that it [may have happened](Error::may_have_happened); it may even happen a little
/// later.
#[derive(Debug, Clone)]
pub struct Sessions {
    registrar: Registrar,
}

impl Sessions {
    pub(crate) const fn new(registrar: Registrar) -> Self {
        Self { registrar }
    }

    /// Takes a key for this gateway.
    ///
    /// # Errors
    /// [`Error::Refused`] by a higher `conn_seq`, too many slots or a lost lease; [`Error::Invalid`] when a part is
    /// over its limit; otherwise as [`Error`] says.
    pub async fn register(&self, registration: Registration) -> Result<Registered, Error> {
        registration.check()?;
        match self.registrar.run("register", register(registration)).await? {
            Outcome::Registered(registered) => Ok(registered),
            Outcome::Done => Err(Error::malformed("a registration was answered without an epoch")),
        }
    }

    /// Gives a key up: the device said good-bye, and is offline at once. A stale epoch changes nothing and is refused
    /// with the present holder.
    ///
    /// # Errors
    /// [`Error::Refused`] when the session is not this one any more; otherwise as [`Error`] says.
    pub async fn unregister(&self, key: &SessionKey, epoch: Epoch) -> Result<(), Error> {
        self.registrar.run("unregister", unregister(key, epoch, Cause::Left)).await.map(drop)
    }

    /// Gives a key up because the connection dropped: the session lingers for the grace of its topics, and is offline
    /// if the device does not come back meanwhile.
    ///
    /// # Errors
    /// As [`unregister`](Self::unregister).
    pub async fn dropped(&self, key: &SessionKey, epoch: Epoch) -> Result<(), Error> {
        self.registrar.run("unregister", unregister(key, epoch, Cause::Lost)).await.map(drop)
    }

    /// Binds topics to a session.
    ///
    /// # Errors
    /// As [`unregister`](Self::unregister).
    pub async fn bind(&self, key: &SessionKey, epoch: Epoch, topics: Vec<Bytes>) -> Result<(), Error> {
        check_topics(&topics, 1)?;
        self.registrar.run("bind", bind(key, epoch, topics)).await.map(drop)
    }

    /// Unbinds topics from a session.
    ///
    /// # Errors
    /// As [`unregister`](Self::unregister).
    pub async fn unbind(&self, key: &SessionKey, epoch: Epoch, topics: Vec<Bytes>) -> Result<(), Error> {
        check_topics(&topics, 1)?;
        self.registrar.run("unbind", unbind(key, epoch, topics)).await.map(drop)
    }

    /// What others do to this gateway's sessions, from the moment its instance opened.
    #[must_use]
    pub fn notices(&self) -> Notices {
        self.registrar.notices()
    }
}

impl Instance {
    /// Writes sessions as this instance.
    #[must_use]
    pub fn sessions(&self) -> Sessions {
        Sessions::new(self.registrar())
    }
}
