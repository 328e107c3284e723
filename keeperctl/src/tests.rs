//! What the whole tool says, where no cluster is needed.

use std::io::{self, Write};

use clap::{Parser, ValueEnum};
use clap_complete::Shell;

use super::*;
use crate::console::Output;

/// A reader that has seen enough.
struct Gone;

impl Write for Gone {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn command(line: &str) -> Typed {
    Typed::try_parse_from(line.split(' ')).expect(line)
}

#[test]
fn every_shell_gets_its_completions() {
    for shell in Shell::value_variants() {
        let (mut data, mut words) = (Vec::new(), Vec::new());
        let mut console = Console::new(Output::Table, &mut data, &mut words);
        assert_eq!(run(command(&format!("keeperctl completions {shell}")), &mut console), Ok(()));
        let script = String::from_utf8(data).expect("text");
        for word in ["keeperctl", "session", "history", "kick", "rebuild-status", "control", "--endpoints"] {
            assert!(script.contains(word.trim_start_matches("--")), "{shell}: {word}");
        }
        assert!(words.is_empty());
    }
}

#[test]
fn a_reader_that_has_enough_is_no_failure() {
    let (mut data, mut words) = (Gone, Vec::new());
    let mut console = Console::new(Output::Table, &mut data, &mut words);
    let failure = run(command("keeperctl completions bash"), &mut console).expect_err("nobody reads");
    assert_eq!(failure.kind, Kind::ReaderGone);
    failure.tell(&mut console);
    assert_eq!(words, b"");
}

#[test]
fn a_cluster_that_is_not_there_is_named() {
    let (mut data, mut words) = (Vec::new(), Vec::new());
    let mut console = Console::new(Output::Table, &mut data, &mut words);
    // Port 1 is reserved, and nobody listens there.
    let typed = command("keeperctl --endpoints 127.0.0.1:1 --timeout 300ms instance list");
    let failure = run(typed, &mut console).expect_err("nobody listens");
    assert_eq!(failure.kind, Kind::Unreachable, "{failure:?}");
    failure.tell(&mut console);
    let words = String::from_utf8(words).expect("text");
    assert!(words.starts_with("error: no node answers at 127.0.0.1:1; is it running?"), "{words}");
    assert!(words.contains("127.0.0.1:1 does not answer: "), "{words}");
    assert!(data.is_empty());
}
