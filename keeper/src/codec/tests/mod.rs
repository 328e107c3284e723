//! Everything that goes to disk: read back as it was written, byte by byte as every earlier build wrote it.

mod samples;
mod snapshot;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use keeper_registry::LogTime;
use proptest::prelude::*;

use super::{Input, Output, answer, batch};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").expect("a string takes everything");
        hex
    })
}

fn command(command: &keeper_registry::Command) -> Bytes {
    batch::encode(LogTime(7), std::slice::from_ref(command))
}

fn answered(given: &samples::Answer) -> Bytes {
    let mut out = Output::with_capacity(64);
    answer::write(&mut out, given);
    out.finish()
}

fn every_command() -> impl Iterator<Item = (&'static str, keeper_registry::Command)> {
    samples::commands().into_iter().chain(samples::commands_named()).chain(samples::commands_configs())
}

fn every_answer() -> impl Iterator<Item = (&'static str, samples::Answer)> {
    samples::answers().into_iter().chain(samples::answers_configs())
}

/// `UPDATE=1` writes the file anew. A change of a line breaks data directories and mixed clusters: add a version
/// instead.
fn compare(file: &str, lines: &[(&str, Bytes)]) {
    let written = lines.iter().fold(String::new(), |mut written, (name, bytes)| {
        writeln!(written, "{name} {}", hex(bytes)).expect("a string takes everything");
        written
    });
    if std::env::var_os("UPDATE").is_some() {
        fs::write(golden(file), &written).expect("the golden file is written");
    }
    assert_eq!(fs::read_to_string(golden(file)).expect("the golden file"), written);
}

#[test]
fn commands_are_read_as_they_were_written() {
    for (name, sample) in every_command() {
        let read = batch::decode(&command(&sample)).expect("what was written can be read");
        assert_eq!((read.time, &read.commands[..]), (LogTime(7), &[sample][..]), "{name}");
    }
}

#[test]
fn answers_are_read_as_they_were_written() {
    for (name, sample) in every_answer() {
        let mut input = Input::new(answered(&sample));
        assert_eq!(answer::read(&mut input), Ok(sample), "{name}");
        assert_eq!(input.finish(), Ok(()), "{name}");
    }
}

#[test]
fn the_bytes_of_commands_are_those_of_every_earlier_build() {
    let lines: Vec<_> = samples::commands().iter().map(|(name, sample)| (*name, command(sample))).collect();
    compare("commands_1.txt", &lines);
}

#[test]
fn the_bytes_of_commands_of_the_second_level_are_those_of_every_earlier_build() {
    let lines: Vec<_> = samples::commands_named().iter().map(|(name, sample)| (*name, command(sample))).collect();
    compare("commands_2.txt", &lines);
}

#[test]
fn the_bytes_of_commands_of_the_third_level_are_those_of_every_earlier_build() {
    let lines: Vec<_> = samples::commands_configs().iter().map(|(name, sample)| (*name, command(sample))).collect();
    compare("commands_3.txt", &lines);
}

#[test]
fn the_bytes_of_answers_of_the_third_level_are_those_of_every_earlier_build() {
    let lines: Vec<_> = samples::answers_configs().iter().map(|(name, sample)| (*name, answered(sample))).collect();
    compare("answers_3.txt", &lines);
}

/// A binary from before there were levels must stop at a batch that holds more than it knows.
#[test]
fn a_batch_has_the_version_of_its_newest_command() {
    let all = [samples::commands(), samples::commands_named(), samples::commands_configs()];
    let mut mixed = Vec::new();
    for (version, commands) in (1..).zip(all) {
        let commands = commands.into_iter().map(|(_, one)| one);
        assert!(commands.clone().all(|one| command(&one)[0] == version));
        mixed.extend(commands);
        assert_eq!(batch::encode(LogTime(7), &mixed)[0], version);
    }
}

/// What an older leader proposes of it is a bad name to every binary, and a newer one does not propose it.
#[test]
fn a_key_with_a_layer_is_written_as_ever_and_comes_with_its_level() {
    let mut publish = samples::publish();
    publish.changes.iter_mut().for_each(|change| change.path.push_str("@zone=east"));
    let layered = keeper_registry::Command::Publish(publish);
    assert_eq!((command(&layered)[0], layered.level()), (1, keeper_registry::Level::CONFIGS));
}

#[test]
fn the_bytes_of_answers_are_those_of_every_earlier_build() {
    let lines: Vec<_> = samples::answers().iter().map(|(name, sample)| (*name, answered(sample))).collect();
    compare("answers_1.txt", &lines);
}

#[test]
fn cut_commands_and_answers_are_refused() {
    for (name, sample) in every_command() {
        let whole = command(&sample);
        for length in 0..whole.len() {
            assert!(batch::decode(&whole.slice(..length)).is_err(), "{name}, cut at {length} of {}", whole.len());
        }
    }
    for (name, sample) in every_answer() {
        let whole = answered(&sample);
        for length in 0..whole.len() {
            let read = answer::read(&mut Input::new(whole.slice(..length)));
            assert!(read.is_err(), "{name}, cut at {length} of {}", whole.len());
        }
    }
}

proptest! {
    #[test]
    fn no_bytes_make_a_decoder_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        drop(batch::decode(&[&[1, 7, 1][..], &bytes].concat().into()));
        drop(answer::read(&mut Input::new(bytes.into())));
    }
}
