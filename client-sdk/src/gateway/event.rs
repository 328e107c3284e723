//! What a gateway tells its application.

use bytes::Bytes;

use crate::{Addressed, Error, Holder, Lost, SessionKey};

/// What a gateway tells its application; see [`GatewayEvents`](crate::GatewayEvents).
#[derive(Debug)]
#[non_exhaustive]
pub enum GatewayEvent {
    /// The user connected elsewhere: close the connection, tell the device to stay away, and let go of the handle.
    Displaced {
        /// Whose.
        key: SessionKey,
        /// The application's own name for the connection that is over.
        connection: Bytes,
        /// Who holds the session now; this gateway itself when the device came back to it.
        by: Box<Holder>,
    },
    /// An admin ended the session: close the connection and let go of the handle.
    Kicked {
        /// Whose.
        key: SessionKey,
        /// The application's own name for the connection.
        connection: Bytes,
        /// Why; empty when the notice itself is gone and only its effect was found.
        reason: String,
        /// Who; as `reason`.
        author: String,
    },
    /// The registry does not take the session again: nobody finds the connection any more. Close it and let go of the
    /// handle.
    Refused {
        /// Whose.
        key: SessionKey,
        /// The application's own name for the connection.
        connection: Bytes,
        /// Why.
        error: Error,
    },
    /// The process should empty itself and go. Answer when it has.
    Drain(Addressed),
    /// Another action the process should do.
    Control(Addressed),
    /// The lease is lost: nobody finds the connections of this gateway until the next life, which is on its way.
    Lost {
        /// Which life.
        incarnation: u64,
        /// Why.
        reason: Lost,
    },
    /// The cluster refuses to open a lease, and is asked again.
    Unopened {
        /// Why.
        error: Error,
    },
    /// A life has begun; what stood in the one before is being registered again.
    Opened {
        /// Which life.
        incarnation: u64,
    },
    /// Every connection of the earlier lives is registered again, or refused, or gone.
    Reregistered {
        /// In which life.
        incarnation: u64,
    },
    /// Another process holds a lease of this name: it is the gateway now, and this one has ended. The last event.
    Replaced {
        /// Its incarnation.
        by: u64,
    },
}
