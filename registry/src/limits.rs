//! Every size the state accepts and every length it keeps, each with its reason.
//!
//! They are part of the replicated decision: `apply` refuses by them, so a change of one is a change of the state
//! machine and waits until every node has the new value.

/// A user name: room for a UUID in text, a device token in binary, or an e-mail address; its length fits one byte.
pub const USER_BYTES_MAX: usize = 128;
/// Which device of a user: a short word or a 32-byte digest.
pub const SLOT_BYTES_MAX: usize = 32;
/// A gateway's own name for a connection: a counter, a UUID, or a digest.
pub const CONNECTION_BYTES_MAX: usize = 32;
/// An app or group name.
pub const TOPIC_BYTES_MAX: usize = 64;
/// Topics on one connection: a phone carries a handful of apps; fits five bits of a row.
pub const TOPICS_PER_SESSION_MAX: usize = 16;
/// Network, client version, address: a description, not a store. Keeps a page's bytes below 64 KiB (see `session`).
pub const ATTRIBUTES_BYTES_MAX: usize = 512;
/// Devices of one user at a time; bounds what a lookup of a user returns and what a kick removes.
pub const SLOTS_PER_USER_MAX: usize = 16;
/// Sessions in one state, closed owners' rows included: row numbers are 32 bits with one value set aside.
pub const SESSIONS_MAX: u64 = 1 << 31;

/// Operations in one frame: about 100 KiB of a busy gateway's work, below a millisecond to apply.
pub const FRAME_OPERATIONS_MAX: usize = 1_024;
/// Answered frames kept per incarnation: how many a gateway may have under way when its stream breaks.
pub const FRAME_REPLIES_KEPT: usize = 8;

/// Rows one `Sweep` looks at: a fraction of a millisecond, as long as a small frame takes, so that nobody who writes
/// beside it sees it.
pub const SWEEP_SLICE: u32 = 256;

/// Sessions one `KickStep` ends: as a sweep's slice, and each leaves a notice besides.
pub const KICK_SLICE: u32 = 500;
/// Kicks under way at a time: beyond it a new one is refused.
pub const KICKS_UNDER_WAY_MAX: usize = 64;
/// Kicks remembered; the oldest that is finished goes first.
pub const KICKS_KEPT: usize = 256;
/// Gateways in the records of all kicks: some ten megabytes; the oldest finished kick goes first.
pub const KICK_GATEWAYS_KEPT: usize = 1 << 17;
/// Rows one `KickStep` looks at, so that a selector few sessions match costs no more than one many do.
pub const KICK_ROWS_MAX: usize = 8_192;

/// Gateways that a rebuild counts: every instance of a backup, and as many that open under other names.
pub const REBUILD_GATEWAYS_MAX: usize = 1 << 17;
/// Connections that a gateway says it will register again: no state holds more.
pub const FLUSH_SESSIONS_MAX: u64 = SESSIONS_MAX;
/// Gateways one `GiveUp` names.
pub const GIVE_UP_MAX: usize = 1_024;
/// The longest TTL that a rebuild reckons with at least: what an instance asks for by default.
pub const REBUILD_TTL_MS_MIN: u32 = 10_000;

/// Where documents lie that are the cluster's own.
pub const OWN_PREFIX: &str = "keeper/";
/// Where the session policy is published.
pub const POLICY_PATH: &str = "keeper/sessions";
/// Topics a policy names. A close settles the bound of each, so that their number bounds its work.
pub const POLICY_TOPICS_MAX: usize = 64;
/// Instances a policy names, and gateways it expects.
pub const POLICY_INSTANCES_MAX: usize = 4_096;
/// Where the history policy is published.
pub const HISTORY_PATH: &str = "keeper/history";
/// Prefixes a history policy names: each is compared with a path whenever one of its versions comes or goes.
pub const HISTORY_PREFIXES_MAX: usize = 64;
/// Shortest time a past version is kept: below it there is nothing to go back to when a mistake shows.
pub const HISTORY_AGE_MS_MIN: u64 = 60_000;
/// Longest: ten years, beyond which a number is a mistake.
pub const HISTORY_AGE_MS_MAX: u64 = 315_576_000_000;
/// Past versions dropped by policy with one entry: their memory, 2 MiB each at most, is freed within milliseconds.
pub const HISTORY_SLICE: usize = 64;
/// Where the schemas lie that admins attach.
pub const SCHEMA_PREFIX: &str = "keeper/schemas/";

/// Documents one instance reads.
pub const CONSUMED_MAX: usize = 256;
/// Documents that all kinds of processes read, each kind's counted by itself: a thousand kinds of the largest.
pub const CONSUMED_TOTAL_MAX: usize = 1 << 18;
/// A schema that a process announces: a structure of a thousand fields with their documentation.
pub const SCHEMA_BYTES_MAX: usize = 64 << 10;
/// Bytes of the schemas in one announcement: it is one log entry.
pub const ANNOUNCE_BYTES_MAX: usize = 2 << 20;
/// Schemas that open instances read by: each version of each structure of a large fleet, while versions are mixed.
pub const SCHEMAS_MAX: usize = 4_096;
/// Bytes of them: they live in memory on every node.
pub const SCHEMA_BYTES_TOTAL_MAX: usize = 64 << 20;

/// Stages of a rollout.
pub const STAGES_MAX: usize = 16;
/// Longest time a stage is watched: thirty days.
pub const STAGE_HOLD_MS_MAX: u64 = 2_592_000_000;
/// Rollouts under way at a time: beyond it a new one is refused.
pub const ROLLOUTS_UNDER_WAY_MAX: usize = 64;
/// Rollouts remembered; the oldest that is finished goes first.
pub const ROLLOUTS_KEPT: usize = 256;
/// Bytes of the changes of all of them: they live in memory on every node.
pub const ROLLOUT_BYTES_KEPT: usize = 64 << 20;

/// Longest grace: half an hour is no flash disconnect any more.
pub const GRACE_MS_MAX: u32 = 1_800_000;
/// Versions of graces that sessions still linger by: each has its own sweeps. Beyond it a change of graces is refused
/// until the oldest ones have passed.
pub const GRACES_KEPT: usize = 64;

/// Presence facts a node keeps unless its settings say otherwise: half a minute of the churn of 100 million online.
pub const PRESENCE_FACTS_DEFAULT: usize = 1 << 20;
/// Bytes of them.
pub const PRESENCE_BYTES_DEFAULT: usize = 64 << 20;
/// Presence facts a snapshot carries: what a follower of a node that installs it may have missed.
pub const PRESENCE_FACTS_FROZEN: usize = 1 << 16;
/// Bytes of them.
pub const PRESENCE_BYTES_FROZEN: usize = 8 << 20;

/// A service, an instance id, an action: names that appear in paths and labels.
pub const NAME_BYTES_MAX: usize = 64;
/// Endpoints of one instance: a few protocols on a few networks.
pub const ENDPOINTS_MAX: usize = 8;
/// One endpoint: a URL.
pub const ENDPOINT_BYTES_MAX: usize = 128;
/// Labels of one instance; they are matched on every selection.
pub const LABELS_MAX: usize = 16;
/// A label's name, and its value.
pub const LABEL_BYTES_MAX: usize = 64;
/// The zone an instance stands in.
pub const ZONE_BYTES_MAX: usize = 64;
/// The version of its program.
pub const VERSION_BYTES_MAX: usize = 64;
/// Shortest lease: below it a renewal round of a busy cluster could not keep a healthy instance alive.
pub const TTL_MS_MIN: u32 = 1_000;
/// Longest lease: a dead gateway's sessions answer as live for no longer than this.
pub const TTL_MS_MAX: u32 = 600_000;
/// Open instances: every process that links the SDK, in a large fleet.
pub const INSTANCES_MAX: usize = 65_536;
/// Closings kept for watchers that were away: a rolling restart of thousands fits.
pub const CLOSINGS_KEPT: usize = 8_192;

/// Notices kept: minutes of displacement in a storm. Gateways that were away for longer compare by scanning.
pub const NOTICES_KEPT: usize = 65_536;
/// Bytes of notices kept, for long names.
pub const NOTICE_BYTES_KEPT: usize = 16 << 20;
/// What a notice counts beside its names.
pub const NOTICE_BYTES_FIXED: usize = 128;

/// A document's path.
pub const PATH_BYTES_MAX: usize = 256;
/// One document's text, and its canonical value: a config file, not an artefact.
pub const DOCUMENT_BYTES_MAX: usize = 1 << 20;
/// Documents in one publish.
pub const PUBLISH_DOCUMENTS_MAX: usize = 64;
/// Bytes of text in one publish, and of values: it is one log entry.
pub const PUBLISH_BYTES_MAX: usize = 2 << 20;
/// Published documents: ten times the largest fleet of config files we know of.
pub const DOCUMENTS_MAX: usize = 65_536;
/// Bytes of all published documents, text and value: they live in memory on every node.
pub const DOCUMENT_BYTES_TOTAL_MAX: usize = 256 << 20;
/// Past versions kept per path: as many as a history call shows.
pub const HISTORY_KEPT: usize = 100;
/// Bytes of past versions kept per path, so that one large document does not push out everybody's history.
pub const HISTORY_BYTES_KEPT: usize = 8 << 20;
/// Bytes of past versions kept over all paths; beyond it the oldest go first.
pub const HISTORY_BYTES_TOTAL_KEPT: usize = 256 << 20;
/// What stands behind the `@` of a document's key: three labels of full length, or a dozen short ones.
pub const LAYER_BYTES_MAX: usize = 256;
/// Layers of one path beside its base: each is judged alone whenever one of them is published.
pub const LAYERS_MAX: usize = 64;
/// A document's key: a path, and a layer behind a mark.
pub const KEY_BYTES_MAX: usize = PATH_BYTES_MAX + 1 + LAYER_BYTES_MAX;
/// What one publish was judged by: every document of it, the layers and the consumers of each path, and the schemas.
pub const WITNESSES_MAX: usize = 256;
/// Deleted paths remembered, for watchers that were away and for `history`.
pub const DELETIONS_KEPT: usize = 4_096;

/// Who asked for a change.
pub const AUTHOR_BYTES_MAX: usize = 128;
/// Why a document was changed.
pub const MESSAGE_BYTES_MAX: usize = 1_024;
/// Why a session was kicked or an instance closed.
pub const REASON_BYTES_MAX: usize = 128;

/// What a control carries; bulk bytes never enter the log.
pub const ARGUMENT_BYTES_MAX: usize = 4_096;
/// Why an instance did not do what a control said.
pub const ANSWER_BYTES_MAX: usize = 256;
/// Instances one control addresses; larger fleets are addressed in several.
pub const CONTROL_INSTANCES_MAX: usize = 1_024;
/// Longest time a control is worth doing: a day.
pub const CONTROL_DEADLINE_MS_MAX: u32 = 86_400_000;
/// Controls kept; beyond it a new one takes the place of the one that is longest past its deadline, or is refused.
pub const CONTROLS_KEPT: usize = 1_024;
/// How long a control's answers can still be read after its deadline.
pub const CONTROL_KEPT_MS: u64 = 3_600_000;

/// How long a request id's answer is kept, in log time: longer than any client retries.
pub const REQUEST_KEPT_MS: u64 = 600_000;
/// Request ids kept: 3,500 a second over the time they are kept. Beyond it requests with an id are refused, because
/// forgetting one early could do a request twice.
pub const REQUESTS_KEPT: usize = 1 << 21;
/// Bytes of the answers kept for request ids.
pub const REQUEST_BYTES_KEPT: usize = 256 << 20;
/// What a request id counts beside the names in its answer.
pub const REQUEST_BYTES_FIXED: usize = 96;

/// Outdated request ids, and controls, forgotten with one command: more than one command can add, and no visible pause.
pub const FORGET_SLICE: usize = 16;

/// Rows one page of a walk looks at, so that a filter nobody matches does not walk the whole state in one call.
pub const WALK_ROWS_MAX: usize = 16_384;
/// Parts a walk is divided into: each still has sixteen shards of the index to itself.
pub const PARTS_MAX: u32 = 1_024;
/// Topics of about the same size that a ranking looks at.
pub const TOP_TOPICS_LOOKED_AT_MAX: usize = 16_384;
