//! How the database is set up: for writing once, reading almost never, and dropping whole files.

use rocksdb::{BlockBasedOptions, DBCompressionType, DBRecoveryMode, LogLevel, Options};

/// What can be chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RocksOptions {
    /// Memory of all memtables together.
    pub memtable_bytes_max: usize,
    /// Write-ahead log files kept to be written over. A sync of a file that does not grow needs no metadata.
    pub recycled_files: usize,
    /// Whether files are compressed.
    pub compression: Compression,
}

/// Of files; the write-ahead log never is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// As they are.
    Off,
    /// LZ4.
    Lz4,
}

impl Default for RocksOptions {
    fn default() -> Self {
        Self { memtable_bytes_max: 24 << 20, recycled_files: 3, compression: Compression::Off }
    }
}

/// One being written, one being flushed, and one to go on with while the flush is slow.
const MEMTABLES: i32 = 3;

/// Records are large and read in sequence.
const BLOCK_BYTES: usize = 32 << 10;

impl RocksOptions {
    pub(super) fn database(&self) -> Options {
        let mut options = Options::default();
        options.create_if_missing(true);
        // Below the level at which a flush would be mostly overhead, memory is not worth saving.
        options.set_write_buffer_size((self.memtable_bytes_max / 3).max(1 << 20));
        options.set_max_write_buffer_number(MEMTABLES);
        options.set_recycle_log_file_num(self.recycled_files);
        options.set_wal_recovery_mode(DBRecoveryMode::PointInTime);
        options.set_paranoid_checks(true);
        // A write-ahead log that is gone, or shorter than what was synced of it, is then an error and not an end.
        options.set_track_and_verify_wals_in_manifest(true);
        // The same for all levels: only then a file can be moved down without being rewritten.
        options.set_compression_type(match self.compression {
            Compression::Off => DBCompressionType::None,
            Compression::Lz4 => DBCompressionType::Lz4,
        });
        options.set_num_levels(2);
        options.set_max_bytes_for_level_base(16 << 30);
        options.set_level_zero_file_num_compaction_trigger(4);
        options.set_max_background_jobs(2);
        options.set_bytes_per_sync(1 << 20);
        options.set_max_open_files(256);
        options.set_keep_log_file_num(2);
        options.set_max_log_file_size(1 << 20);
        options.set_log_level(LogLevel::Warn);
        options.set_stats_dump_period_sec(0);
        options.set_stats_persist_period_sec(0);
        let mut table = BlockBasedOptions::default();
        table.disable_cache();
        table.set_block_size(BLOCK_BYTES);
        options.set_block_based_table_factory(&table);
        options
    }
}
