//! What a leader asks, and what a member answers.

use bytes::Bytes;

use crate::codec::{DecodeError, Input, Output};
use crate::replica::{Checkpoint, Difference};
use crate::store::{Room, Standing};

const VERSION: u8 = 1;

/// A leader's question: how a member is. It tells the member what was found of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::raft) struct Question {
    pub(in crate::raft) proven: Option<Difference>,
}

/// A member's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::raft) struct Report {
    /// None where there is no disk.
    pub(in crate::raft) room: Option<Room>,
    /// The state now.
    pub(in crate::raft) now: Checkpoint,
    /// The state at the newest entries that are compared.
    pub(in crate::raft) checkpoints: Vec<Checkpoint>,
    /// What was proven of it before.
    pub(in crate::raft) proven: Option<Difference>,
}

impl Question {
    pub(in crate::raft) fn encode(self) -> Bytes {
        let mut output = Output::versioned(VERSION, 32);
        output.option(self.proven, write_difference);
        output.finish()
    }

    pub(in crate::raft) fn decode(bytes: Bytes) -> Result<Self, DecodeError> {
        let (_, mut input) = Input::versioned("a question for vitals", VERSION, bytes)?;
        let question = Self { proven: input.option(read_difference)? };
        input.finish()?;
        Ok(question)
    }
}

impl Report {
    pub(in crate::raft) fn encode(&self) -> Bytes {
        let Self { room, now, checkpoints, proven } = self;
        let mut output = Output::versioned(VERSION, 64 + checkpoints.len() * 16);
        output.option(*room, write_room);
        write_checkpoint(&mut output, *now);
        output.list(checkpoints.iter(), |output, checkpoint| write_checkpoint(output, *checkpoint));
        output.option(*proven, write_difference);
        output.finish()
    }

    pub(in crate::raft) fn decode(bytes: Bytes) -> Result<Self, DecodeError> {
        let (_, mut input) = Input::versioned("vitals", VERSION, bytes)?;
        let report = Self {
            room: input.option(read_room)?,
            now: read_checkpoint(&mut input)?,
            checkpoints: input.list(read_checkpoint)?,
            proven: input.option(read_difference)?,
        };
        input.finish()?;
        Ok(report)
    }
}

fn write_room(output: &mut Output, room: Room) {
    output.u64(room.free_bytes);
    output.u64(room.needed_bytes);
    output.flag(room.standing == Standing::Short);
}

fn read_room(input: &mut Input) -> Result<Room, DecodeError> {
    let (free_bytes, needed_bytes) = (input.u64()?, input.u64()?);
    let standing = if input.flag()? { Standing::Short } else { Standing::Ample };
    Ok(Room { free_bytes, needed_bytes, standing })
}

fn write_checkpoint(output: &mut Output, checkpoint: Checkpoint) {
    output.u64(checkpoint.index);
    output.raw(&checkpoint.hash.to_be_bytes());
}

fn read_checkpoint(input: &mut Input) -> Result<Checkpoint, DecodeError> {
    Ok(Checkpoint { index: input.u64()?, hash: read_hash(input)? })
}

fn write_difference(output: &mut Output, difference: Difference) {
    let Difference { index, found, expected } = difference;
    output.u64(index);
    output.raw(&found.to_be_bytes());
    output.raw(&expected.to_be_bytes());
}

fn read_difference(input: &mut Input) -> Result<Difference, DecodeError> {
    Ok(Difference { index: input.u64()?, found: read_hash(input)?, expected: read_hash(input)? })
}

fn read_hash(input: &mut Input) -> Result<u64, DecodeError> {
    let mut hash = [0; 8];
    hash.copy_from_slice(&input.raw(8)?);
    Ok(u64::from_be_bytes(hash))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_heard() {
        let proven = Some(Difference { index: 640, found: u64::MAX, expected: 7 });
        let question = Question { proven };
        assert_eq!(Question::decode(question.encode()), Ok(question));
        let room = Some(Room { free_bytes: 5, needed_bytes: 9, standing: Standing::Short });
        let now = Checkpoint { index: 700, hash: 3 };
        let report = Report { room, now, checkpoints: vec![Checkpoint { index: 640, hash: u64::MAX }], proven };
        assert_eq!(Report::decode(report.encode()), Ok(report));
    }
}
