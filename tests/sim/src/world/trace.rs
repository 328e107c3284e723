//! Everything that happened, as lines, of which a digest is kept: two runs of one seed are equal if their digests are.

use std::fmt::{self, Write as _};
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::sync::Arc;

use parking_lot::Mutex;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Takes lines. Clones write to the same trace.
#[derive(Debug, Clone, Default)]
pub struct Trace {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    digest: u64,
    lines: u64,
    line: String,
    copy: Option<BufWriter<File>>,
}

impl Trace {
    /// A trace that is also written to a file.
    #[must_use]
    pub fn copied_to(file: File) -> Self {
        let inner = Inner { copy: Some(BufWriter::new(file)), ..Inner::default() };
        Self { inner: Arc::new(Mutex::new(inner)) }
    }

    /// One more line.
    pub fn tell(&self, now_ms: u64, what: fmt::Arguments<'_>) {
        let mut inner = self.inner.lock();
        let Inner { digest, lines, line, copy } = &mut *inner;
        line.clear();
        // Writing to a string does not fail.
        _ = writeln!(line, "{now_ms} {what}");
        *digest = xxh3_64_with_seed(line.as_bytes(), *digest);
        *lines += 1;
        if let Some(copy) = copy {
            // For people who read it afterwards; the digest does not depend on it.
            _ = copy.write_all(line.as_bytes());
        }
    }

    /// The digest of all lines so far, and their number.
    #[must_use]
    pub fn digest(&self) -> (u64, u64) {
        let inner = self.inner.lock();
        (inner.digest, inner.lines)
    }
}
