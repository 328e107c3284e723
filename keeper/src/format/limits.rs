//! What a document may be, and why.

/// Bytes of one document's text: the registry's own limit, checked before a parser sees the text.
pub const TEXT_BYTES_MAX: usize = keeper_registry::limits::DOCUMENT_BYTES_MAX;

/// Objects and arrays inside each other. Deeper than any file a person writes, and shallow enough that every walk over
/// a value may be recursive.
pub const DEPTH_MAX: usize = 64;

/// Values in one document, aliases of YAML counted as often as they are used. A megabyte of the shortest entries
/// (`[0,0,..]`) has twice as many: it is data, not configuration.
pub const NODES_MAX: usize = 262_144;

/// Bytes of all strings of one YAML document after its aliases are expanded. No text without aliases has more.
pub const EXPANDED_BYTES_MAX: usize = TEXT_BYTES_MAX;

/// Anchors, and uses of them, in one YAML document: by hand one writes dozens.
pub const ALIASES_MAX: usize = 10_000;
