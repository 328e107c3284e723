//! The binary `keeper`: parse, build, run, drain.
//!
//! It exits with 0 when it did what was asked, 1 when that was refused, 2 when the command line or something else is
//! wrong. Whatever went wrong is told on stderr, in a sentence.

mod cli;

use std::io::{self, Write as _};
use std::process::ExitCode;

use cli::{Cli, Failure};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let failure = match Cli::typed().run() {
        Ok(()) => return ExitCode::SUCCESS,
        Err(failure) => failure,
    };
    // Nobody reads a stderr that is closed, and there is nobody else to tell.
    let _ = writeln!(io::stderr(), "keeper: {failure}");
    // The process ends at once, without the destructors of a C++ library: a node that failed, or was not given the time
    // to drain, still has threads inside RocksDB, and locks taken away beneath them abort the process.
    signal_hook::low_level::exit(match failure {
        Failure::Refused(_) => 1,
        Failure::Failed(_) => 2,
    })
}
