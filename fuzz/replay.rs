//! The corpora as plain tests: every input that was ever worth keeping, and some thousand mutants that were not tried
//! before.
//!
//! Each crate that has properties includes this file below `#[cfg(test)]`, in the module that lists them. A mutant that
//! fails is printed as hex, with the seed of the run: put its bytes into the corpus of its target, where it is tried
//! for ever.

#[path = "bounds.rs"]
mod bounds;

use std::collections::hash_map::RandomState;
use std::fs;
use std::hash::{BuildHasher as _, Hasher as _};
use std::panic::catch_unwind;
use std::path::Path;

use super::PROPERTIES;
use bounds::{Property, hold};

/// Mutants of each target and run; `MUTANTS` asks for others.
const MUTANTS: usize = 400;

/// What lengths, tags and versions are often mistaken about.
const TELLING: [&[u8]; 12] = [
    b"\x00",
    b"\x01",
    b"\x7f",
    b"\x80",
    b"\xff",
    b"\xfb\xff\xff",
    b"\xfc\xff\xff\xff\xff",
    b"\xfd\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
    b"\x80\x80\x80\x80\x08",
    b"\x00\x00\x00\x00\x00\x00\x00\x00",
    b"[{\"&a *a",
];

#[test]
fn what_was_worth_keeping_holds() {
    for (name, property) in PROPERTIES.iter().flat_map(|area| *area) {
        for input in corpus(name) {
            attempt(name, *property, &input, "it lies in the corpus");
        }
    }
}

/// `MUTANTS_SEED` repeats a run of as many.
#[test]
fn what_was_never_tried_holds() {
    let given = |name| std::env::var(name).ok().and_then(|number| number.parse::<u64>().ok());
    let seed = given("MUTANTS_SEED").unwrap_or_else(|| RandomState::new().build_hasher().finish());
    let count = given("MUTANTS").map_or(MUTANTS, |count| usize::try_from(count).unwrap_or(MUTANTS));
    let mut chance = Chance(seed | 1);
    for (name, property) in PROPERTIES.iter().flat_map(|area| *area) {
        let corpus = corpus(name);
        for _ in 0..count {
            let input = mutant(&corpus, &mut chance);
            attempt(name, *property, &input, &format!("MUTANTS_SEED={seed}"));
        }
    }
}

fn attempt(name: &str, property: Property, input: &[u8], how: &str) {
    if catch_unwind(|| hold(name, property, input)).is_err() {
        let hex: String = input.iter().map(|byte| format!("{byte:02x}")).collect();
        panic!("{name} does not hold for {hex} ({how})");
    }
}

fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(name);
    let files = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<_> = files.map(|file| file.expect("a file").path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "{} is empty", folder.display());
    paths.iter().map(|path| fs::read(path).expect("an input")).collect()
}

/// One of the corpus, with up to four changes.
fn mutant(corpus: &[Vec<u8>], chance: &mut Chance) -> Vec<u8> {
    let mut input = corpus[chance.below(corpus.len())].clone();
    for _ in 0..=chance.below(4) {
        let at = chance.below(input.len() + 1);
        let end = (at + chance.below(9)).min(input.len());
        match chance.below(6) {
            0 if at < input.len() => input[at] ^= 1 << chance.below(8),
            1 => input.truncate(at),
            2 => drop(input.drain(at..end)),
            3 => drop(input.splice(at..end, TELLING[chance.below(TELLING.len())].iter().copied())),
            4 => drop(input.splice(at..at, input[at..end].to_vec())),
            _ => {
                let other = &corpus[chance.below(corpus.len())];
                input.truncate(at);
                input.extend_from_slice(&other[chance.below(other.len() + 1)..]);
            }
        }
    }
    input
}

/// xorshift64: chance with a seed.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % end.max(1) as u64).unwrap_or(0)
    }
}
