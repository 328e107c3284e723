//! What the Raft side bounds, and why.

use std::time::Duration;

/// One message between nodes, at most. openraft packs up to 2 MiB of entries into one; a single entry may be larger (a
/// publish of 2 MiB with its framing).
pub(super) const PEER_MESSAGE_BYTES_MAX: usize = 32 << 20;

/// Append requests sent and not yet answered, per peer. More hide more latency, and delay the moment a slow follower is
/// noticed.
pub(super) const APPENDS_IN_FLIGHT_MAX: usize = 64;

/// Their bytes together: openraft counts entries only, and 64 full requests would be 128 MiB a follower.
pub(super) const APPEND_BYTES_IN_FLIGHT_MAX: usize = 16 << 20;

/// An append stream with requests under way and no answer for this long is ended: openraft sets no deadline of its own
/// on a stream, and one lost answer would stop replication for good. Longer than any healthy disk needs for a sync.
pub(super) const APPEND_SILENCE_MAX: Duration = Duration::from_secs(3);

/// Opening a connection or a stream.
pub(super) const CONNECT_MAX: Duration = Duration::from_secs(1);

/// HTTP/2 pings on every connection between nodes: a peer that vanished without a reset is noticed within the sum.
pub(super) const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(1);

/// How long a ping may stay unanswered.
pub(super) const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(3);

/// HTTP/2 flow-control window, per stream and per connection: a full append request never waits for a window update.
pub(super) const WINDOW_BYTES: u32 = 4 << 20;

/// HTTP/2 frame: an entry of the largest size takes one, not thirty-two.
pub(super) const FRAME_BYTES: u32 = 1 << 20;

/// Bytes of a snapshot file in one message.
pub(super) const SNAPSHOT_CHUNK_BYTES: usize = 1 << 20;

/// Chunks read ahead of the wire.
pub(super) const SNAPSHOT_CHUNKS_AHEAD: usize = 2;

/// A snapshot transfer that moves no chunk for this long is given up. It is a limit on silence, not on the whole: a
/// large state over a slow link takes as long as it takes.
pub(super) const SNAPSHOT_SILENCE_MAX: Duration = Duration::from_secs(10);

/// From the last chunk to the answer: the receiver syncs, verifies and thaws the whole state.
pub(super) const SNAPSHOT_INSTALL_MAX: Duration = Duration::from_secs(120);

/// Callers waiting for a read to be confirmed. They share rounds, so that the number costs memory alone.
pub(super) const READS_WAITING_MAX: usize = 65_536;

/// A follower's question to the leader. A round takes well under a millisecond; a leader that cannot reach its quorum
/// gives up after its lease.
pub(super) const READ_INDEX_MAX: Duration = Duration::from_secs(1);

/// A confirmed read waits this long for the entries it must see to be applied here.
pub(super) const READ_APPLY_MAX: Duration = Duration::from_secs(5);

/// A node asked for its state's age brings it forward if it is older than this: a round of reads a heartbeat costs
/// nothing.
pub(super) const AGE_REFRESH: Duration = Duration::from_millis(100);

/// Pause before a snapshot that is still due is asked for again.
pub(super) const SNAPSHOT_RETRY: Duration = Duration::from_millis(50);

/// How long a node that leads a group of itself alone may take to elect itself: several elections.
pub(super) const TAKE_OFFICE_MAX: Duration = Duration::from_secs(10);

/// Marks of where in the log how many bytes have passed; together they span what a purge may keep.
pub(super) const LOG_MARKS_MAX: usize = 4_096;

/// Bytes between two marks.
pub(super) const LOG_MARK_BYTES: u64 = 256 << 10;

/// The first pause after a peer could not be reached; it doubles with each try.
pub(super) const OPEN_BACKOFF_MIN: Duration = Duration::from_millis(20);

/// The longest: a peer that is back is heard of within a moment, and one that is gone costs nothing.
pub(super) const OPEN_BACKOFF_MAX: Duration = Duration::from_millis(500);

/// How often the leader asks every member how it is. A disk that fills at 200 MB/s takes a quarter of the reserve
/// meanwhile.
pub(super) const VITALS_INTERVAL: Duration = Duration::from_millis(200);

/// How long an answer to that may take.
pub(super) const VITALS_MAX: Duration = Duration::from_millis(500);

/// A member that has not said for so long how it is counts as one without room.
pub(super) const VITALS_SILENCE_MAX: Duration = Duration::from_secs(5);

/// A node that no leader has asked for so long how it is, five questions, asks whether it is still a member.
pub(super) const DOUBT_AFTER: Duration = Duration::from_secs(1);

/// How often it looks, and asks.
pub(super) const DOUBT_INTERVAL: Duration = Duration::from_millis(250);

/// How long an answer to that may take.
pub(super) const MEMBERSHIP_MAX: Duration = Duration::from_millis(500);

/// How often a node asks who is at its own address: one connection and one question.
pub(super) const OWN_ADDRESS_INTERVAL: Duration = Duration::from_secs(5);

/// The same while somebody else is there.
pub(super) const OWN_ADDRESS_AGAIN: Duration = Duration::from_millis(500);

/// How long another process with the same directory may answer there: an old one that is on its way down, with the name
/// still leading to it.
pub(super) const DOUBTED_MAX: Duration = Duration::from_secs(5);

/// How often it must have said so by then, half of the times that it was asked: one answer may be late, or a lie.
pub(super) const DOUBTED_ANSWERS_MIN: u32 = 5;

/// Hashes in one answer: a follower may be that many times 64 entries behind what it said last.
pub(super) const CHECKPOINTS_TOLD: usize = 32;

/// Pause before it is looked again whether there is room for a snapshot.
pub(super) const SNAPSHOT_ROOM_RETRY: Duration = Duration::from_secs(1);

/// How often a refusal of a peer's messages is logged.
pub(super) const REFUSAL_TOLD_EVERY: Duration = Duration::from_secs(5);

/// How long the core may take to say why it ended, once one of its parts has: it has nothing else to do.
pub(super) const LAST_WORDS_MAX: Duration = Duration::from_secs(1);
