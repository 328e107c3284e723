//! Every bound of the tool, with its reason.

use std::time::Duration;

/// Bytes of a document's text: the server's bound, so that a larger file is refused before it travels.
pub(crate) const DOCUMENT_BYTES_MAX: usize = 1 << 20;

/// Bytes of an author: the server's bound. The default is cut to it, because a long host name is nobody's mistake.
pub(crate) const AUTHOR_BYTES_MAX: usize = 128;

/// Sessions shown unless `--limit` or `--all` says otherwise: a screen or two.
pub(crate) const SESSIONS_SHOWN: u32 = 100;

/// Sessions asked for at once: the server's bound. Pages are printed as they come, so that a walk over millions of
/// sessions needs the memory of one page.
pub(crate) const PAGE_SESSIONS_MAX: u32 = 1_000;

/// Versions shown unless `--limit` says otherwise.
pub(crate) const HISTORY_SHOWN: u32 = 20;

/// Versions shown at most: the server keeps no more.
pub(crate) const HISTORY_SHOWN_MAX: u32 = 100;

/// Names offered in place of an unknown one: more would be a list to search, which `list` is for.
pub(crate) const SUGGESTIONS_MAX: usize = 3;

/// Lines around a syntax error.
pub(crate) const EXCERPT_LINES_AROUND: usize = 2;

/// Characters of a line shown beside a syntax error: a minified document is one line of a megabyte.
pub(crate) const EXCERPT_COLUMNS_MAX: usize = 100;

/// Topics, and instances, shown by `session top` unless `--limit` says otherwise: a screen.
pub(crate) const TOP_SHOWN: u32 = 20;

/// The server's bound for the same.
pub(crate) const TOP_SHOWN_MAX: u32 = 1_000;

/// Parts of a walk: the server's bound.
pub(crate) const PARTS_MAX: u32 = 1_024;

/// Parts of a scan that one process walks side by side: each is a stream with a page in memory, and one processor does
/// not print faster for more. Several processes share a larger walk with `session list --part`.
pub(crate) const SCAN_PARTS_MAX: u32 = 64;

/// Pause between two looks at something that is waited for: a person notices no delay, and a cluster no load.
pub(crate) const LOOK_INTERVAL: Duration = Duration::from_millis(250);

/// How long a kick that is not waited for is looked at: enough for the end of a small one, and no wait.
pub(crate) const KICK_GLANCE: Duration = Duration::from_millis(500);

/// Bytes of a document's path: the server's bound.
pub(crate) const PATH_BYTES_MAX: usize = 256;

/// Documents in one publish: the server's bound, for a publish is one log entry.
pub(crate) const PUBLISH_DOCUMENTS_MAX: usize = 64;

/// Bytes of text in one publish: the server's bound, as above.
pub(crate) const PUBLISH_BYTES_MAX: usize = 2 << 20;

/// Texts that the servers are asked about at a time: enough to hide the way there, and no load.
pub(crate) const ASKED_AT_ONCE: usize = 16;

/// Documents after which a long import says how far it is: a line every few seconds.
pub(crate) const PROGRESS_DOCUMENTS: usize = 4_096;

/// Things in a source that is imported: as many as there can be documents.
pub(crate) const IMPORT_ITEMS_MAX: usize = 65_536;

/// Bytes of a source that is imported, unpacked: what all documents together may have.
pub(crate) const IMPORT_BYTES_MAX: usize = 256 << 20;

/// Readers of a document shown unless `--limit` says otherwise: a screen or two.
pub(crate) const READERS_SHOWN: u32 = 100;

/// Readers of a document shown at most: the server tells no more.
pub(crate) const READERS_SHOWN_MAX: u32 = 1_000;

/// Pause before what failed is tried again by an agent, at first.
pub(crate) const SYNC_PAUSE_MIN: Duration = Duration::from_secs(1);

/// The longest such pause: a process whose reload fails is not hammered, and is no minute behind once it works.
pub(crate) const SYNC_PAUSE_MAX: Duration = Duration::from_secs(60);
