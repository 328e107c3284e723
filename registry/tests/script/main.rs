//! Runs the scripts in `tests/scripts`: what the state decides, written so that it reads as its specification.
//!
//! A script is a list of blocks: input lines, `----`, and the exact output. All commands of a block are one log entry:
//! they share a revision, one above the last block's. Lines that only ask make no entry. `UPDATE=1` writes the output
//! that came out into the scripts; the diff is then read by a human.

mod command;
mod config;
mod kick;
mod presence;
mod print;
mod query;
mod refill;
mod walk;
mod words;

use std::{env, fs, path::Path};

use anyhow::{Context, Result, ensure};
use keeper_registry::{PresenceLimits, Revision, Stamp, State, Thawing};
use words::Line;

#[test]
fn every_script_holds() -> Result<()> {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scripts");
    let mut paths = fs::read_dir(scripts)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    paths.sort();
    ensure!(!paths.is_empty(), "there are no scripts");
    for path in paths {
        let written = fs::read_to_string(&path)?;
        let found = run(&written).with_context(|| format!("in {}", path.display()))?;
        if env::var_os("UPDATE").is_some() {
            fs::write(&path, found)?;
        } else {
            ensure!(found == written, "{} differs:\n{}", path.display(), first_difference(&written, &found));
        }
    }
    Ok(())
}

fn first_difference(written: &str, found: &str) -> String {
    let pairs = written.lines().zip(found.lines()).enumerate();
    let differing = pairs.filter(|(_, (written, found))| written != found);
    let first = differing.map(|(line, (written, found))| format!("line {}:\n- {written}\n+ {found}", line + 1)).next();
    first.unwrap_or_else(|| "one is longer".to_owned())
}

/// The script as it would be written.
fn run(script: &str) -> Result<String> {
    let mut machine = Machine::default();
    let mut written = Vec::new();
    for block in script.split("\n\n") {
        let input = block.split_once("\n----").map(|(input, _)| input);
        match input.filter(|input| !input.trim_start().is_empty()) {
            None => written.push(block.trim_end().to_owned()),
            Some(input) => {
                let output = machine.block(input).with_context(|| format!("at:\n{input}"))?;
                written.push(format!("{input}\n----\n{output}").trim_end().to_owned());
            }
        }
    }
    Ok(written.join("\n\n") + "\n")
}

/// A state, and what the script needs to speak to it shortly.
#[derive(Default)]
struct Machine {
    state: State,
    at: Stamp,
    events: Vec<String>,
}

impl Machine {
    fn block(&mut self, input: &str) -> Result<String> {
        let lines = Line::parse(input)?;
        if lines.iter().any(|line| command::is_command(&line.verb)) {
            self.at.revision = Revision(self.at.revision.0 + 1);
        }
        let mut output = String::new();
        for line in lines {
            let said = self.line(&line).with_context(|| format!("at {}", line.verb))?;
            output.push_str(&said);
            if !said.is_empty() {
                output.push('\n');
            }
        }
        if !self.events.is_empty() {
            output.push_str(&format!("events: {}", self.events.join(", ")));
            self.events.clear();
        }
        Ok(output.trim_end().to_owned())
    }

    fn line(&mut self, line: &Line) -> Result<String> {
        match line.verb.as_str() {
            "later" => {
                self.at.time.0 += line.number("ms")?;
                self.state.advance(self.at);
                Ok(String::new())
            }
            "thaw" => self.thaw(),
            verb if command::is_command(verb) => {
                let command = command::command(&self.state, line)?;
                let outcome = self.state.apply(self.at, &command);
                let events = outcome.events.iter().map(print::event);
                self.events.extend(events);
                Ok(print::answer(&outcome.reply))
            }
            _ => query::ask(&self.state, line),
        }
    }

    /// Puts the state through a snapshot: nothing after it may come out differently.
    fn thaw(&mut self) -> Result<String> {
        let mut thawing = Thawing::new(PresenceLimits::default());
        let mut records = 0;
        self.state.freeze().visit(|record| {
            records += 1;
            thawing.push(record)
        })?;
        let thawed = thawing.finish()?;
        ensure!(thawed.hash() == self.state.hash(), "the thawed state hashes differently");
        self.state = thawed;
        Ok(format!("thawed from {records} records"))
    }
}
