//! `keeperctl`: asks and tells a Keeper cluster, on the client library alone.
//!
//! What was typed (`args`) is not what it means: each noun has its module, which turns verbs into calls and answers
//! into reports. Reports go to standard output, as tables or JSON; words go to standard error. Exit codes are given
//! here and nowhere else: 0 done, 1 refused or not there, 2 wrong usage or failure.

mod admin;
mod args;
mod cluster;
mod config;
mod console;
mod control;
mod failure;
#[cfg(test)]
mod fuzz;
mod instance;
mod interrupt;
mod limits;
mod local;
mod name;
mod nearest;
mod paint;
mod render;
mod session;

use std::{
    io::{self, BufWriter},
    process::ExitCode,
};

use clap::CommandFactory;

use crate::{
    admin::Admin,
    args::{ClusterVerb, Noun, Options, Typed},
    console::{Console, Output},
    failure::{Failure, Kind},
};

const REFUSED: u8 = 1;
const FAILED: u8 = 2;

fn main() -> ExitCode {
    let line: Vec<_> = std::env::args_os().collect();
    let mut typed = match args::typed(&line) {
        Ok(typed) => typed,
        Err(error) => {
            // Help is data and a mistake is words; neither is worth a second failure when nobody reads it.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(FAILED) } else { ExitCode::SUCCESS };
        }
    };
    if typed.options.json {
        typed.options.output = Output::Json;
    }
    let mut data = BufWriter::new(io::stdout());
    let mut words = io::stderr();
    let colour = paint::wanted(|name| std::env::var(name).ok());
    let mut console = Console::new(typed.options.output, &mut data, &mut words).coloured(colour);
    match run(typed, &mut console) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.tell(&mut console);
            match failure.kind {
                Kind::ReaderGone => ExitCode::SUCCESS,
                Kind::Refused => ExitCode::from(REFUSED),
                Kind::Unserved | Kind::Unreachable | Kind::Stranger | Kind::Failed => ExitCode::from(FAILED),
            }
        }
    }
}

fn run(Typed { options, noun }: Typed, console: &mut Console<'_>) -> Result<(), Failure> {
    if let Noun::Completions { shell } = noun {
        return completions(shell, console);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::failed(format!("cannot start: {error}")))?;
    runtime.block_on(ask(&options, noun, console))
}

async fn ask(options: &Options, noun: Noun, console: &mut Console<'_>) -> Result<(), Failure> {
    let mut admin = Admin::new(options, console)?;
    let done = match noun {
        Noun::Session { verb } => session::run(&mut admin, verb).await,
        Noun::Instance { verb } => instance::run(&mut admin, verb).await,
        Noun::Config { verb } => config::run(&mut admin, verb).await,
        Noun::Control { verb } => control::run(&mut admin, verb).await,
        Noun::Cluster { verb: ClusterVerb::Status } => cluster::status(&mut admin, &options.endpoints).await,
        Noun::Cluster { verb: ClusterVerb::Upgrade } => cluster::upgrade(&mut admin).await,
        Noun::Cluster { verb: ClusterVerb::Backup(typed) } => {
            cluster::backup(&mut admin, &options.endpoints, &typed).await
        }
        Noun::Cluster { verb: ClusterVerb::Member(verb) } => cluster::change(&mut admin, verb).await,
        Noun::Completions { shell } => completions(shell, admin.console),
    };
    match done {
        Ok(()) => Ok(()),
        Err(failure) => Err(cluster::diagnose(&admin, failure).await.asked(&admin.keeper.endpoints())),
    }
}

fn completions(shell: clap_complete::Shell, console: &mut Console<'_>) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Typed::command(), "keeperctl", &mut script);
    console.write(&script)
}

#[cfg(test)]
mod tests;
