//! What the daemon bounds beyond the registry's own limits, and why.

/// One operation of a client, at most: above it a single operation could fill an entry by itself. The registry's own
/// limits (a publish of 2 MiB) fit with their framing.
pub const COMMAND_BYTES_MAX: usize = 3 << 20;

/// Where the proposer stops packing an entry. Large enough that the cost of an entry is shared by thousands of
/// operations, small enough that one entry never holds the wire or a disk sync for long.
pub const BATCH_BYTES_MAX: usize = 512 << 10;

/// Commands of one entry, at most: bounds the time one apply holds the state's lock.
pub const BATCH_COMMANDS_MAX: usize = 1_024;

/// Session operations of one entry, at most, for the same reason.
pub const BATCH_OPERATIONS_MAX: usize = 4_096;

/// Entries proposed and not yet applied. More add latency, not throughput: while these are under way the next batch
/// grows.
pub const BATCHES_IN_FLIGHT_MAX: usize = 3;

/// Bytes of proposals admitted and not yet answered, per lane. Full means a refusal with a retry hint, never a growing
/// queue.
pub const LANE_BYTES_MAX: usize = 32 << 20;

/// Proposals admitted and not yet answered, per lane.
pub const LANE_PROPOSALS_MAX: usize = 16_384;

/// One gRPC message, either way: a publish of 2 MiB fits, and a page of 1,000 sessions with everything at its limit.
pub const MESSAGE_BYTES_MAX: usize = 4 << 20;

/// Keys of one lookup frame: bounds how long it holds the state's lock.
pub const LOOKUP_KEYS_MAX: usize = 1_024;

/// Lookup frames of one stream under way at once.
pub const LOOKUPS_IN_FLIGHT_MAX: usize = 16;

/// Write frames of one stream under way at once: the same as the replies the state keeps for a retry, so that a resent
/// frame always finds its answer.
pub const FRAMES_IN_FLIGHT_MAX: usize = keeper_registry::limits::FRAME_REPLIES_KEPT;

/// Sessions on one page of a listing.
pub const PAGE_SESSIONS_MAX: usize = 1_000;

/// Where a frame of a watch ends, give or take one document: a full set of 256 MiB travels in many frames.
pub const WATCH_FRAME_BYTES: usize = 1 << 20;

/// Instances in one frame of a watch.
pub const WATCH_FRAME_INSTANCES_MAX: usize = 1_024;

/// Selectors of one config watch.
pub const SELECTORS_MAX: usize = 1_024;

/// Leases renewed by one message.
pub const RENEWALS_MAX: usize = 1_024;
