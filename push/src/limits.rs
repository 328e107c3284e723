//! Every bound of the room, with its reason.

use std::time::Duration;

/// Connections in handshake at once. A storm of reconnects waits in the listener's backlog instead of in memory.
pub const HANDSHAKES_MAX: usize = 1_024;

/// A device that has not finished its handshake by then never will.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Pushes waiting for one slow device. A push is small and rare; a device that is this far behind is as good as away,
/// and the sender is told so.
pub const OUTBOUND_MAX: usize = 64;

/// How long one message may take to leave for a device before its connection counts as dead.
pub const SEND_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a device may take to answer a close.
pub const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// How long the room waits for its connections when it goes away.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

/// The largest message the configuration may allow, either way.
pub const MESSAGE_BYTES_MAX: usize = 1 << 20;

/// The most connections the configuration may allow.
pub const CONNECTIONS_MAX: usize = 1_000_000;

/// Topics of one registration: the registry's own bound.
pub const TOPICS_MAX: usize = keeper_client_sdk::limits::TOPICS_PER_SESSION_MAX;

/// Buffer of one connection, each way: there are up to a million of them, mostly silent.
pub const SOCKET_BUFFER_BYTES: usize = 4 << 10;

/// Text of a close frame; RFC 6455 leaves 125 bytes, two of which are the code.
pub const CLOSE_REASON_BYTES_MAX: usize = 123;

/// Pause before the cluster is asked again. The SDK has tried for its whole timeout already.
pub const RETRY_PAUSE: Duration = Duration::from_millis(500);
