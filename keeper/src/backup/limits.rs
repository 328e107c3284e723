//! What backups bound, and why.

use std::time::Duration;

/// The head at most: a few names and numbers.
pub(super) const HEAD_BYTES_MAX: usize = 4_096;

/// Bytes of the file in one message: few enough that a slow line moves one within [`READER_SILENCE_MAX`].
pub(super) const PIECE_BYTES: usize = 256 << 10;

/// Pieces read ahead of their reader.
pub(super) const PIECES_AHEAD: usize = 2;

/// A reader that takes no piece for this long is given up: its turn keeps others from theirs, and a file open that the
/// disk could need.
pub(super) const READER_SILENCE_MAX: Duration = Duration::from_secs(10);

/// The retry hint to whoever comes while a backup is taken: most take longer.
pub(super) const RETRY_AFTER_MS: u32 = 5_000;
