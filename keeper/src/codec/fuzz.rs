//! Commands, answers and records: what is read is written again and read as the same; what the log may hold can be
//! applied; and what a state became can be frozen and thawed.

use bytes::Bytes;
use keeper_registry::{Command, Level, LogTime, PresenceLimits, RaiseLevel, Revision, Stamp, State, StateId};

use super::{DecodeError, Input, Output, answer, batch, record};
use crate::batch::Decoded;

/// A name, which is that of a folder of `fuzz/corpus`, and a function that panics where it does not hold.
pub(crate) type Property = (&'static str, fn(&[u8]));

/// Of this folder.
pub(crate) const PROPERTIES: &[Property] = &[
    ("commands", commands),
    ("commands_applied", commands_applied),
    ("answers", answers),
    ("snapshot_records", snapshot_records),
];

/// What was read and written is read as the same, and written as the same.
pub(crate) fn round_trip<T, E: std::fmt::Debug>(
    input: &[u8],
    read: impl Fn(Bytes) -> Result<T, E>,
    write: impl Fn(&T) -> Bytes,
) {
    let Ok(first) = read(Bytes::copy_from_slice(input)) else { return };
    let written = write(&first);
    let second = read(written.clone()).expect("what was written can be read");
    assert_eq!(write(&second), written, "what was read twice differs");
}

fn commands(input: &[u8]) {
    let write = |read: &Decoded| batch::encode(read.time, &read.commands);
    round_trip(input, |bytes| batch::decode(&bytes), write);
    let Ok(read) = batch::decode(&Bytes::copy_from_slice(input)) else { return };
    let again = batch::decode(&write(&read)).expect("what was written can be read");
    assert_eq!((again.time, again.commands), (read.time, read.commands));
}

/// A committed entry cannot fail: whatever decodes is applied, by every replica alike, also by one that installed a
/// snapshot in between; in a cluster that refuses what came later, and in one that knows it all.
fn commands_applied(input: &[u8]) {
    let Ok(batch) = batch::decode(&Bytes::copy_from_slice(input)) else { return };
    for level in [Level::FIRST, Level::NEWEST] {
        applied(&batch, level);
    }
}

fn applied(batch: &Decoded, level: Level) {
    let presence = PresenceLimits::default();
    let mut state = State::new(presence);
    let mut revision = 0;
    let mut at = |time| {
        revision += 1;
        Stamp { revision: Revision(revision), time }
    };
    state.apply(at(LogTime(1)), &Command::Found(StateId(0xFEED)));
    let raise = RaiseLevel { to: level, needs: "0".to_owned(), author: String::new() };
    state.apply(at(LogTime(1)), &Command::RaiseLevel(raise)).reply.expect("a level is reached");
    for command in batch.commands.iter() {
        let at = at(batch.time);
        let mut thawed = thaw(presence, &chunks(&state)).expect("what was frozen can be thawed");
        let (here, there) = (state.apply(at, command), thawed.apply(at, command));
        assert_eq!(here.reply, there.reply, "{command:?}");
        assert_eq!(state.hash(), thawed.hash(), "{command:?}");
    }
}

fn answers(input: &[u8]) {
    let read = |bytes: Bytes| {
        let mut input = Input::new(bytes);
        let read = answer::read(&mut input)?;
        input.finish().map(|()| read)
    };
    let write = |read: &_| {
        let mut out = Output::with_capacity(64);
        answer::write(&mut out, read);
        out.finish()
    };
    round_trip::<_, DecodeError>(input, read, write);
}

/// A state that can be thawed can be frozen, and is the same again.
fn snapshot_records(input: &[u8]) {
    let presence = PresenceLimits::default();
    let header = record::header(Bytes::copy_from_slice(input));
    let Some(state) = thaw(presence, &[Bytes::copy_from_slice(input)]) else { return };
    assert_eq!(
        header.map(|(header, level)| (header.hash, level)),
        Ok((state.hash(), state.level())),
        "the header tells another hash"
    );
    let again = thaw(presence, &chunks(&state)).expect("what was frozen can be thawed");
    assert_eq!(again.hash(), state.hash());
    assert_eq!(again.sessions_live(), state.sessions_live());
}

fn chunks(state: &State) -> Vec<Bytes> {
    let mut chunks = Vec::new();
    let written = record::write(state.freeze(), |chunk| {
        chunks.push(chunk);
        Ok::<_, std::convert::Infallible>(())
    });
    written.expect("memory takes everything");
    chunks
}

fn thaw(presence: PresenceLimits, chunks: &[Bytes]) -> Option<State> {
    let mut reader = record::Reader::new(presence);
    chunks.iter().try_for_each(|chunk| reader.push(chunk.clone())).ok()?;
    reader.finish().ok()
}
