//! Every bound of the library, with its reason.

use std::time::Duration;

/// Operations in one write frame, and keys and users in one lookup frame: the server's bound.
pub const FRAME_OPERATIONS_MAX: usize = 1_024;

/// Write frames of one gateway in flight. Enough to keep the network, the log and the gateway busy at once; the server
/// keeps at least as many answers for a retry.
pub const WRITE_FRAMES_IN_FLIGHT_MAX: usize = 4;

/// Lookup frames in flight per stream: reads need no answer to be kept, only enough overlap to hide a round trip.
pub const LOOKUP_FRAMES_IN_FLIGHT_MAX: usize = 4;

/// Operations waiting for a frame, per gateway or lookup stream. Four full frames: beyond that callers wait at the
/// door, so that memory is bounded and back-pressure reaches the connections that cause the load.
pub const QUEUE_OPERATIONS_MAX: usize = 4_096;

/// Nodes a client remembers: configured ones and members learnt. A cluster has a handful; learners of other data
/// centers a few more.
pub const ENDPOINTS_MAX: usize = 64;

/// Bytes of a user's name.
pub const USER_BYTES_MAX: usize = 128;

/// Bytes of a slot's name.
pub const SLOT_BYTES_MAX: usize = 32;

/// Bytes of a gateway's own name for a connection.
pub const CONNECTION_BYTES_MAX: usize = 32;

/// Topics of one session. Checked here too, because an operation over its limit would spoil its neighbours' frame.
pub const TOPICS_PER_SESSION_MAX: usize = 16;

/// Bytes of a topic.
pub const TOPIC_BYTES_MAX: usize = 64;

/// Attributes of one session.
pub const ATTRIBUTES_MAX: usize = 16;

/// Bytes of all attribute names and values of one session.
pub const ATTRIBUTES_BYTES_MAX: usize = 512;

/// Selectors of one config watch: the server's bound, and so the most documents one [`Keeper`](crate::Keeper) follows.
pub const SELECTORS_MAX: usize = 1_024;

/// Bytes of one answer: a listing of everything a cluster may hold. What can be larger, such as the full set of a
/// watch, comes in parts.
pub const ANSWER_BYTES_MAX: usize = 64 << 20;

/// HTTP/2 window of one stream. A full frame of answers fits without waiting for an update of the window.
pub const STREAM_WINDOW_BYTES: u32 = 2 << 20;

/// HTTP/2 window of one connection: several streams of full frames.
pub const CONNECTION_WINDOW_BYTES: u32 = 4 << 20;

/// How long a caller waits for an operation, unless the builder says otherwise.
pub const OPERATION_TIMEOUT: Duration = Duration::from_secs(10);

/// How long one try of a call may take before another node is asked. Longer than an election.
pub const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(3);

/// How long to wait for a TCP connection.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// Silence after which a connection is probed.
pub const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(2);

/// Silence after a probe that ends a connection.
pub const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(3);

/// First pause after a failure.
pub const BACKOFF_MIN: Duration = Duration::from_millis(10);

/// Longest pause. Short, because the gap after a leader's death is bounded by the election and should stay so.
pub const BACKOFF_MAX: Duration = Duration::from_millis(400);

/// How often waiting operations are checked for deadlines that passed: they are seconds long, so a caller is told late
/// by at most a per cent or two, and no operation needs a timer of its own.
pub const DEADLINE_CHECK_INTERVAL: Duration = Duration::from_millis(50);

/// Parts of one walk over sessions: the server's bound.
pub const PARTS_MAX: u32 = 1_024;

/// After how long without a fact a node says that there are none, if it can show that it is up to date.
pub const PRESENCE_SILENCE: Duration = Duration::from_secs(1);

/// Silence after which a presence stream is taken up on another node: three times that a node had nothing to say. One
/// that is cut off from the leader cannot show that it is up to date, and is left like one that is stuck.
pub const PRESENCE_SILENCE_MAX: Duration = Duration::from_secs(3);

/// After how long without a word a watch goes to another node: three times what a node that is up to date leaves
/// between two words.
pub const WATCH_SILENCE_MAX: Duration = Duration::from_secs(15);

/// The same as [`PRESENCE_SILENCE`] for caches of lookups: it is how much older than a round trip a hit is when nothing
/// happens.
pub const CACHE_SILENCE: Duration = Duration::from_millis(200);

/// The least age a cache of lookups may be asked to bound: five times that a node had nothing to say.
pub const CACHE_AGE_MIN: Duration = Duration::from_secs(1);

/// Buckets of users for which a cache remembers the newest fact: half a megabyte, so that even with a hundred thousand
/// facts a second few answers under way find their bucket told in the meantime.
pub const CACHE_BUCKETS: usize = 65_536;

/// First pause between two looks at a kick that is waited for: a small one takes a few log entries.
pub const KICK_POLL_MIN: Duration = Duration::from_millis(20);

/// Longest pause between two looks at a kick: a large one takes seconds, a gateway's confirmation as long as its lease.
pub const KICK_POLL_MAX: Duration = Duration::from_millis(500);

/// Connections a gateway registers again in a second, unless it is set up otherwise: a hundred thousand in five
/// seconds, and ten gateways that do so at once are no more than a cluster takes.
pub const REREGISTER_RATE: u32 = 20_000;

/// Over how long gateways that lost their leases at the same moment spread their beginnings.
pub const REREGISTER_SPREAD: Duration = Duration::from_secs(1);

/// How long an acknowledged notice waits for a frame to travel with before one goes out for its sake.
pub const CONFIRM_DELAY: Duration = Duration::from_millis(100);

/// Frames of notices whose connections the application has not closed yet. Beyond it no more are read: the cluster
/// keeps them, and the cursor says where to go on.
pub const NOTICE_FRAMES_UNCONFIRMED_MAX: usize = 256;

/// Actions waiting for the application. Beyond it no more are read; the cluster keeps what is not answered.
pub const CONTROLS_WAITING_MAX: usize = 16;

/// Changes of one connection's topics waiting for their turn: a device does not bind faster than the cluster answers.
pub const TOPIC_CHANGES_WAITING_MAX: usize = 16;

/// Pause before a refused lease is asked for again, and before anything else that failed for its whole timeout.
pub const LIFE_PAUSE: Duration = Duration::from_millis(500);

/// How long a gateway that ends waits for its lease to be closed; a lease that cannot be closed runs out.
pub const LEASE_CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// Documents that one reader follows: the server's bound.
pub const FOLLOWED_MAX: usize = 256;

/// Bytes of a document's path: the server's bound. Checked here too, because one that is refused would end the stream
/// of all others.
pub const PATH_BYTES_MAX: usize = 256;

/// Bytes of a schema that a process announces: the server's bound.
pub const SCHEMA_BYTES_MAX: usize = 64 << 10;

/// Bytes of what an acknowledgement, or a word about the health, gives as its reason: the server's bound.
pub const REASON_BYTES_MAX: usize = 256;

/// How long a process whose lease was lost keeps its values as they are, before it reads as one that is not open: a
/// gateway opens its next life sooner, and the candidates of a rollout would come and go in between.
pub const LIFE_GRACE: Duration = Duration::from_secs(10);

/// How long a process waits until it has announced what it reads, or has heard how far the cluster is, before it asks
/// for documents all the same: a few round trips and an entry of the log. While nobody leads, documents can be followed
/// nevertheless.
pub const ANNOUNCE_PATIENCE: Duration = Duration::from_secs(1);

/// Pause before an announcement is made again that was refused: until somebody raises the level of the cluster, or
/// closes what fills it.
pub const ANNOUNCE_PAUSE: Duration = Duration::from_secs(10);

/// How long a value that does not fit at the start keeps its caller waiting, so that the cluster hears of the refusal
/// before the process ends because of it.
pub const REFUSAL_TOLD_WITHIN: Duration = Duration::from_secs(1);

/// How long no node may answer at the start before the last known good value is taken, unless said otherwise. Longer
/// than an election.
pub const LAST_KNOWN_GOOD_AFTER: Duration = Duration::from_secs(3);

/// How often what is kept on disk is confirmed while nothing changes; its age is wrong by at most that.
pub const KEPT_REFRESH: Duration = Duration::from_secs(60);

/// Bytes of a file that keeps a value: an effective document of 1 MiB of which every byte is escaped, and its head.
pub const KEPT_BYTES_MAX: u64 = 8 << 20;
