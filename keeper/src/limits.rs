//! What the daemon bounds beyond the registry's own limits, and why.

use std::time::Duration;

/// One operation of a client, at most: above it a single operation could fill an entry by itself. The registry's own
/// limits (a publish of 2 MiB) fit with their framing.
pub const COMMAND_BYTES_MAX: usize = 3 << 20;

/// Where the proposer stops packing an entry. Large enough that the cost of an entry is shared by thousands of
/// operations, small enough that one entry never holds the wire or a disk sync for long.
pub const BATCH_BYTES_MAX: usize = 512 << 10;

/// Commands of one entry, at most: bounds the time one apply holds the state's lock.
pub const BATCH_COMMANDS_MAX: usize = 1_024;

/// Session operations of one entry, at most, for the same reason: a full frame, a millisecond to apply.
pub const BATCH_OPERATIONS_MAX: usize = 1_024;

/// Entries proposed and not yet applied. More add latency, not throughput: while these are under way the next batch
/// grows.
pub const BATCHES_IN_FLIGHT_MAX: usize = 3;

/// Operations proposed and not yet applied, beyond which only leases, controls and configs are proposed. Whatever else
/// is written or watched waits behind them, and a watcher on a follower behind what follows. Measured: twice or eight
/// times as many give no more registrations a second, and configs pushed meanwhile are twice or three times as late.
pub const OPERATIONS_IN_FLIGHT_MAX: usize = BATCH_OPERATIONS_MAX / 2;

/// Bytes of proposals admitted and not yet answered, per lane. Full means a refusal with a retry hint, never a growing
/// queue.
pub const LANE_BYTES_MAX: usize = 32 << 20;

/// Proposals admitted and not yet answered, per lane.
pub const LANE_PROPOSALS_MAX: usize = 16_384;

/// Bytes of session writes that one gateway may have admitted and not yet answered: an eighth of the lane, which is
/// many frames at their largest, so that one gateway that storms never shuts out the others.
pub const GATEWAY_BYTES_MAX: usize = LANE_BYTES_MAX / 8;

/// The same in proposals.
pub const GATEWAY_PROPOSALS_MAX: usize = LANE_PROPOSALS_MAX / 8;

/// How long a slice of upkeep waits behind session writes: rows of dead gateways hold memory, and lingering sessions
/// are to be told of in time, however busy the cluster is.
pub const UPKEEP_WAIT_MAX: Duration = Duration::from_millis(50);

/// Keys of lookup frames under way on a node: about 50 MiB of answers. More would wait for the same two locks and
/// cost memory alone.
pub const LOOKUP_KEYS_UNDER_WAY_MAX: usize = 262_144;

/// Scans open on a node: each is a stream that reads for as long as it lives. Eight tools with eight parts each.
pub const SCANS_MAX: usize = 64;

/// How long the reader of a scan may take nothing and keep its place, when others want one: a page is printed, stored
/// or sent on in less.
pub const SCAN_IDLE_MAX: Duration = Duration::from_secs(10);

/// Pages of scans read from the state at once: a page holds the state's lock against apply, so two scans share it and
/// more take turns.
pub const SCAN_PAGES_AT_ONCE: usize = 2;

/// One gRPC message, either way: a publish of 2 MiB fits, and a page of 1,000 sessions with everything at its limit.
pub const MESSAGE_BYTES_MAX: usize = 4 << 20;

/// Keys of one lookup frame: bounds how long it holds the state's lock.
pub const LOOKUP_KEYS_MAX: usize = 1_024;

/// Lookup frames of one stream under way at once, which is how many a client has in flight. Their answers lie ready
/// while the client does not read.
pub const LOOKUPS_IN_FLIGHT_MAX: usize = 4;

/// Write frames of one stream under way at once: the same as the replies the state keeps for a retry, so that a resent
/// frame always finds its answer.
pub const FRAMES_IN_FLIGHT_MAX: usize = keeper_registry::limits::FRAME_REPLIES_KEPT;

/// Sessions that upkeep settles or ends in a second, by default: a gateway of a million is swept in twenty, beside
/// writes.
pub const UPKEEP_ROWS_PER_SECOND: u32 = 50_000;

/// Topics, and instances, of one ranking.
pub const TOP_MAX: usize = 1_000;

/// Sessions on one page of a listing, and in one message of a scan.
pub const PAGE_SESSIONS_MAX: usize = 1_000;

/// Where a frame of a watch ends, give or take one document: a full set of 256 MiB travels in many frames.
pub const WATCH_FRAME_BYTES: usize = 1 << 20;

/// Instances in one frame of a watch.
pub const WATCH_FRAME_INSTANCES_MAX: usize = 1_024;

/// Bytes and facts where a frame of presence ends, give or take a fact: one frame of HTTP/2, so that it costs little
/// beside its facts.
pub const PRESENCE_FRAME_BYTES: usize = 14 << 10;

/// See [`PRESENCE_FRAME_BYTES`].
pub const PRESENCE_FRAME_FACTS_MAX: usize = 256;

/// Frames of one subscriber that its connection has not sent yet: one on its way, and the next. With the connection
/// itself a subscriber, however slow, stays within the 64 KiB it may cost.
pub const PRESENCE_FRAMES_UNSENT_MAX: usize = 2;

/// Facts looked at for one frame: a filter that few facts match moves on in steps that do not hold a thread.
pub const PRESENCE_FACTS_READ: usize = 1_024;

/// Frames kept for subscribers with the same filter, at most one for each of them: some 50 ms of a busy cluster.
pub const PRESENCE_FRAMES_KEPT: usize = 16;

/// How often a subscriber that follows the newest facts is woken, at most: a frame costs more than the facts in it, and
/// nobody sees a delay of this length. The first fact after a rest is told at once.
pub const PRESENCE_PACE: Duration = Duration::from_millis(20);

/// After how long without a word a watch says that it is still there and up to date. Its client takes a longer silence
/// for a node that is cut off, and goes elsewhere.
pub const WATCH_SILENCE: Duration = Duration::from_secs(5);

/// The shortest such time a subscriber may ask for: each word costs a share of a round that confirms the leader.
pub const WATCH_SILENCE_MIN: Duration = Duration::from_millis(200);

/// Facts an explanation shows, the newest ones.
pub const EXPLAIN_FACTS_MAX: usize = 1_000;

/// Facts an explanation reads between two rests of its thread: about a millisecond.
pub const EXPLAIN_FACTS_READ: usize = 32_768;

/// Selectors of one config watch.
pub const SELECTORS_MAX: usize = 1_024;

/// Documents that one stream follows: as many as an instance reads.
pub const FOLLOWED_MAX: usize = keeper_registry::limits::CONSUMED_MAX;

/// Frames of one follower that its connection has not sent yet: one on its way, and the next.
pub const FOLLOW_FRAMES_UNSENT_MAX: usize = 2;

/// Bytes of a document that are copied into a frame; a larger one is pointed at by all who are told it.
pub const FOLLOW_COPY_BYTES_MAX: usize = 8 << 10;

/// Bytes of effective documents kept for whoever asks next: the full set of a large fleet, or some dozens of documents
/// at their largest.
pub const MERGED_BYTES_KEPT: u64 = 64 << 20;

/// How many those are, about.
pub const MERGED_KEPT: usize = 4_096;

/// Times that a publish is judged anew because something moved that it was judged by: each time somebody else has
/// published, so that the cluster gets on. Beyond it the caller is told.
pub const JUDGED_AGAIN_MAX: usize = 8;

/// Bytes of texts beyond which they are read on a thread of its own: a millisecond of the slowest format.
pub const READ_INLINE_BYTES_MAX: usize = 32 << 10;

/// Bytes of layers beyond which a publish is judged on a thread of its own: a millisecond.
pub const JUDGED_INLINE_BYTES_MAX: usize = 256 << 10;

/// The same for bytes of layers times bytes of schemas, such as a kilobyte of each: every entry of a list may be
/// compared with every alternative, some ten thousand times, which are milliseconds.
pub const JUDGED_INLINE_PRODUCT_MAX: usize = 1 << 20;

/// Judgements on threads of their own at a time; others wait for their turn. What serves everybody else has a share of
/// the processors whatever is published.
pub const JUDGED_AT_ONCE_MAX: usize = 2;

/// Fields told of one document that is published, or of one comparison: more than anybody reads.
pub const CHANGES_TOLD_MAX: usize = 1_024;

/// Bytes of them in one answer: beside the values of the largest publish they fit a message.
pub const CHANGES_TOLD_BYTES_MAX: usize = 1 << 20;

/// Documents that one instance acknowledges: as many as it reads.
pub const ACKS_MAX: usize = keeper_registry::limits::CONSUMED_MAX;

/// Acknowledgements that a leader keeps: of 16 documents by every instance there can be.
pub const ACKS_TOTAL_MAX: usize = 1 << 20;

/// Why a document is refused, in an acknowledgement: a sentence.
pub const ACK_REASON_BYTES_MAX: usize = 256;

/// Bytes of all reasons that a leader keeps.
pub const ACK_REASON_BYTES_TOTAL_MAX: usize = 64 << 20;

/// Instances whose standing is read from the state at once: half a millisecond, for which entries wait.
pub const STANDINGS_READ: usize = 256;

/// Acknowledgements that are kept of instances that have closed: who waits for a status looks every few milliseconds,
/// and is to hear of a refusal although its instance closed in between.
pub const LAST_WORDS_KEPT: usize = 16_384;

/// Rows of a status.
pub const STATUS_ROWS_MAX: usize = 1_000;

/// Calls that wait for a status to change: each counts all readers of a document whenever some of them have spoken.
pub const STATUS_WAITS_MAX: usize = 64;

/// Longest time a call waits for a status: ten minutes, as long as a deployment looks on.
pub const STATUS_WAIT_MAX: Duration = Duration::from_secs(600);

/// Between two counts of one that waits, at least.
pub const STATUS_PACE: Duration = Duration::from_millis(5);

/// Between two looks at the rollouts, at least: a look asks every instance of each.
pub const ROLLOUT_PACE: Duration = Duration::from_millis(10);

/// Leases renewed by one message.
pub const RENEWALS_MAX: usize = 1_024;

/// Streams of one client connection: a process with many subscribers shares a few connections.
pub const STREAMS_MAX: u32 = 1_024;

/// Bytes held for all clients together: messages that have come in part, and answers they have not read. Healthy
/// clients hold a few hundred kilobytes each, and only for as long as a packet travels.
pub const CLIENT_BYTES_MAX: usize = 256 << 20;

/// The same for one connection: four messages at their largest, or some hundred frames.
pub const CONNECTION_BYTES_MAX: usize = 16 << 20;

/// The retry hint while what a client holds is at its limit. What it has to do is read, or wait for others to.
pub const MEMORY_RETRY_AFTER_MS: u32 = 200;

/// How long a client may take nothing and keep what it holds, while the memory for clients is nearly full.
pub const STALLED_MAX: Duration = Duration::from_secs(10);

/// How long that memory may be nearly full before whoever holds most has to let go, even if it reads a little.
pub const MEMORY_FULL_MAX: Duration = Duration::from_secs(30);

/// Headers of one request together, as HTTP/2 counts them: ours take a few hundred bytes. What is larger is answered
/// with 431, and a block of them that does not end closes the connection.
pub const HEADER_BYTES_MAX: u32 = 16 << 10;

/// Streams that a client may have reset before the node has looked at them. More, and it floods: the connection ends.
pub const RESETS_PENDING_MAX: usize = 64;

/// Streams of a connection that the node itself may reset because of what came on them, before the connection ends.
pub const RESETS_OWN_MAX: usize = 1_024;

/// From the first packet of a connection to its first request, or to the greeting of HTTP/2.
pub const GREETING_MAX: Duration = Duration::from_secs(10);

/// Client connections: gateways and processes of a large cluster, a few each. An idle one costs some 15 KiB.
pub const CONNECTIONS_MAX: usize = 16_384;

/// The same from one address: a machine with many processes, and never all of a node's places.
pub const ADDRESS_CONNECTIONS_MAX: usize = CONNECTIONS_MAX / 2;

/// Client connections beyond the limit that are let in all the same, to ask how the node is and to be told that it is
/// full. Whoever comes next takes the place of the oldest of them.
pub const SPARE_CONNECTIONS_MAX: usize = 32;

/// Connections from nodes of the cluster: each has two lanes, and learners may be many.
pub const PEER_CONNECTIONS_MAX: usize = 128;

/// Connections to the peer port that have not shown yet that they come from a node of the cluster. Whoever comes next
/// takes the place of the oldest of them.
pub const PEER_STRANGERS_MAX: usize = 32;

/// Bytes of messages that have come in part from one node, or that it has not read: one message at its largest, and
/// what is under way beside it.
pub const PEER_CONNECTION_BYTES_MAX: usize = 64 << 20;

/// The same for all connections to the peer port together, as far as they have not shown where they come from.
pub const STRANGER_BYTES_MAX: usize = 128 << 20;

/// Streams of one connection from another node: it has a handful of each kind.
pub const PEER_STREAMS_MAX: u32 = 128;

/// Connections for metrics and health: some scrapers. Whoever comes next takes the place of the oldest.
pub const HTTP_CONNECTIONS_MAX: usize = 32;

/// Files the node itself needs beside the connections above: those of its log and its snapshots, and what two runtimes
/// take.
pub const NODE_FILES: usize = 320;

/// Pause after a connection could not be accepted, for want of files or memory: without it the node would do nothing
/// else than to try again.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How long an admission to the lane of lookups counts for one that makes no progress: its client takes no answers,
/// and so it is not gone on with. A round of reads takes milliseconds.
pub const LOOKUP_STALE: Duration = Duration::from_secs(1);

/// How long a read at a revision waits for this node to apply it.
pub const AT_LEAST_MAX: Duration = Duration::from_secs(5);

/// Keys of lookups that wait for a revision to come: a part of those that are under way, so that waiting for what may
/// never come is not what fills a node.
pub const LOOKUP_KEYS_WAITING_SHARE: usize = 8;

/// One question of a stream of lookups: [`LOOKUP_KEYS_MAX`] keys at their largest fit.
pub const LOOKUP_BYTES_MAX: usize = 256 << 10;

/// Characters of what a caller gave that are said back to it: every name, address and path that is sound fits.
pub const EXCERPT_CHARS_MAX: usize = 300;

/// Characters of a refusal. It travels in a header, of which clients take a few kilobytes.
pub const REFUSAL_CHARS_MAX: usize = 2_000;
