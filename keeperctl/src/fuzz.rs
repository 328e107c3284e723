//! What is typed: what a reader of words accepts is printed in a form that it accepts as the same, and whatever the
//! command line holds is understood or refused.
//!
//! Only in tests, which replay `fuzz/corpus/typed` and try new mutants of it. A binary has no library for libFuzzer.

use std::fmt::Display;
use std::str::FromStr;

use clap::Parser as _;

use crate::args::{InstanceName, Pair, PartName, Share, Standing, Target, Typed, TypedStage};
use crate::name::Name;

#[path = "../../fuzz/replay.rs"]
mod replay;

/// A decoder by name, and what holds for every input of it.
type Property = (&'static str, fn(&[u8]));

const PROPERTIES: &[&[Property]] = &[&[("typed", typed)]];

fn typed(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    for line in text.lines() {
        comes_back::<Name>(line);
        comes_back::<InstanceName>(line);
        comes_back::<PartName>(line);
        comes_back::<Standing>(line);
        comes_back::<Target>(line);
        comes_back::<Share>(line);
        comes_back::<TypedStage>(line);
        comes_back::<Pair>(line);
        if let Err(refused) = Typed::try_parse_from(std::iter::once("keeperctl").chain(line.split(' '))) {
            assert!(!refused.to_string().is_empty());
        }
    }
}

fn comes_back<T: FromStr<Err = String> + Display>(word: &str) {
    match word.parse::<T>() {
        Ok(read) => {
            let printed = read.to_string();
            let again = printed.parse::<T>().map(|again| again.to_string());
            assert_eq!(again, Ok(printed), "{word:?} does not come back");
        }
        Err(refused) => assert!(!refused.is_empty()),
    }
}
