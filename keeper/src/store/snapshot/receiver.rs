//! Taking a snapshot from a peer: the bytes of its file, as they come.

use super::SnapshotError;
use super::file::SnapshotFile;
use super::writer::Unfinished;

/// A snapshot being received. Dropped before it is finished, it is removed.
#[derive(Debug)]
pub struct SnapshotReceiver {
    output: Unfinished,
}

impl SnapshotReceiver {
    pub(super) const fn new(output: Unfinished) -> Self {
        Self { output }
    }

    /// Adds the next bytes of the sender's file.
    ///
    /// # Errors
    /// The disk failed.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), SnapshotError> {
        self.output.write(bytes)
    }

    /// Bytes received so far.
    #[must_use]
    pub const fn received_bytes(&self) -> u64 {
        self.output.bytes()
    }

    /// Reads the whole file back, and gives it its name only if every checksum holds.
    ///
    /// # Errors
    /// The file is damaged, or the disk failed; the file is gone.
    pub fn finish(mut self) -> Result<SnapshotFile, SnapshotError> {
        self.output.sync()?;
        let received = SnapshotFile::open(self.output.path())?;
        received.read()?.verify()?;
        let path = self.output.publish(received.index())?;
        SnapshotFile::open(&path)
    }

    /// What was received so far, readable before it has a name. Its checksums are the reader's to check.
    ///
    /// # Errors
    /// The head is damaged or missing, or the disk failed.
    pub fn read_back(&mut self) -> Result<SnapshotFile, SnapshotError> {
        self.output.sync()?;
        SnapshotFile::open(self.output.path())
    }

    /// Gives the file its name, for a caller who has read it back to the end.
    ///
    /// # Errors
    /// The disk failed; the file is gone.
    pub fn publish(self, read_back: &SnapshotFile) -> Result<SnapshotFile, SnapshotError> {
        let path = self.output.publish(read_back.index())?;
        SnapshotFile::open(&path)
    }
}
