//! Where the log goes: stderr, as text or as one object a line.

use std::env::{self, VarError};
use std::io::{self, IsTerminal as _, Stderr, Write};

use anyhow::{Context as _, bail};
use keeper::settings::{Log, LogFormat};
use tracing_subscriber::EnvFilter;

/// Replaces `log.level` by a filter.
const FILTER_VARIABLE: &str = "KEEPER_LOG";

/// Begins to write the log.
pub(super) fn begin(log: &Log) -> anyhow::Result<()> {
    let builder = tracing_subscriber::fmt().with_env_filter(filter(log)?).with_writer(|| Unfailing(io::stderr()));
    let begun = match log.format {
        LogFormat::Text => builder.with_ansi(io::stderr().is_terminal()).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    // The error is boxed for threads; anyhow wants to know that it may cross them.
    begun.map_err(|error| anyhow::anyhow!(error)).context("the log cannot be written")
}

fn filter(log: &Log) -> anyhow::Result<EnvFilter> {
    let written = match env::var(FILTER_VARIABLE) {
        Ok(written) => written,
        // openraft warns of a peer that is down at every try; who leads and who is missing, `keeper` says itself.
        Err(VarError::NotPresent) => format!("{},openraft=error", log.level.name()),
        Err(VarError::NotUnicode(written)) => bail!("{FILTER_VARIABLE} is {written:?}, which is not text"),
    };
    EnvFilter::try_new(&written).with_context(|| {
        format!("{FILTER_VARIABLE} is {written:?}: write a filter such as \"info,keeper::raft=debug\"")
    })
}

/// Standard error, as far as it takes what is written. A log that cannot be written must not end a node, nor keep one
/// from ending that has to.
struct Unfailing(Stderr);

impl Write for Unfailing {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        // What is refused is lost.
        _ = self.0.write_all(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        _ = self.0.flush();
        Ok(())
    }
}
