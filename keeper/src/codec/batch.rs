//! A list of commands under one stamp of time: the payload of a log entry.

use bytes::Bytes;
use keeper_registry::{Command, LogTime};

use crate::batch::Decoded;
use crate::codec::command;
use crate::codec::{DecodeError, Input, Output, VERSION_FIRST, VERSION_NEWEST};

/// What one command takes on average; only a capacity hint.
const COMMAND_BYTES_TYPICAL: usize = 4_096;

/// Encodes a batch.
#[must_use]
pub fn encode(time: LogTime, commands: &[Command]) -> Bytes {
    let version = commands.iter().map(command::version).max().unwrap_or(VERSION_FIRST);
    let mut out = Output::versioned(version, commands.len() * COMMAND_BYTES_TYPICAL);
    out.u64(time.0);
    out.list(commands.iter(), command::write);
    out.finish()
}

/// Decodes a batch; its byte strings share `encoded`.
///
/// # Errors
/// The bytes are damaged, or of a newer version.
pub fn decode(encoded: &Bytes) -> Result<Decoded, DecodeError> {
    let (_, mut input) = Input::versioned("a batch", VERSION_NEWEST, encoded.clone())?;
    let time = LogTime(input.u64()?);
    let commands = input.list(command::read)?;
    input.finish()?;
    Ok(Decoded { time, commands: commands.into() })
}
