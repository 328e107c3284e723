//! Everything on disk: the data directory, the log, the synced mark, the snapshot files.
//!
//! rocksdb is imported here and nowhere else; nothing here knows openraft or the registry: records are bytes.
