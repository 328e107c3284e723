//! What was typed.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::{gateway, node, workload::Workload};

/// Worker threads of the client. One leaves a core to the nodes on a machine of two, and the client library needs less
/// than one: measured, see `docs/benchmarks.md`.
const THREADS: usize = 1;

/// Measures Keeper: throughput, latency, footprint, and how it takes failures.
#[derive(Debug, Parser)]
#[command(name = "keeper-bench", version, args_conflicts_with_subcommands = true, disable_help_subcommand = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) part: Option<Part>,
    #[command(flatten)]
    pub(crate) choice: Choice,
}

/// What this binary does as a process of its own for a workload.
#[derive(Debug, Subcommand)]
pub(crate) enum Part {
    /// A gateway that is going to be killed.
    #[command(name = "__gateway", hide = true)]
    Gateway(gateway::Args),
    /// A node that ends with its parent.
    #[command(name = "__node", hide = true)]
    Node(node::Args),
    /// A server that answers what it hears.
    #[command(name = "__echo", hide = true)]
    Echo,
}

/// What to measure, and how.
#[derive(Debug, clap::Args)]
pub(crate) struct Choice {
    /// What to measure; everything when nothing is named
    #[arg(value_name = "WORKLOAD")]
    pub(crate) workloads: Vec<Workload>,
    /// How many call at once, instead of the workload's own numbers
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=65_536))]
    pub(crate) callers: Option<u64>,
    /// How many sessions to load, instead of the workload's own numbers
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) sessions: Option<u64>,
    /// How many watch, each on a connection of its own
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) watchers: Option<u64>,
    /// How long each line is measured
    #[arg(long, value_name = "S", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) seconds: Option<u64>,
    /// End within half a minute a workload, with fewer sessions and shorter measurements
    #[arg(long)]
    pub(crate) quick: bool,
    /// Print one JSON object a line instead of tables
    #[arg(long)]
    pub(crate) json: bool,
    /// Measure a running cluster; what only its processes could tell is null
    #[arg(long, value_name = "HOST:PORT,..", value_delimiter = ',')]
    pub(crate) endpoints: Vec<String>,
    /// Worker threads of the client
    #[arg(long, value_name = "N", default_value_t = THREADS, value_parser = threads)]
    pub(crate) threads: usize,
    /// The daemon to start [default: the `keeper` beside this program]
    #[arg(long, value_name = "FILE", env = "KEEPER_BIN")]
    pub(crate) keeper: Option<PathBuf>,
}

fn threads(text: &str) -> Result<usize, String> {
    let number = text.parse::<usize>().map_err(|error| error.to_string())?;
    if (1..=64).contains(&number) { Ok(number) } else { Err("1 to 64 are possible".into()) }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn choice(line: &str) -> Choice {
        Args::try_parse_from(line.split(' ')).map(|args| args.choice).unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn the_command_line_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn flags_may_stand_on_either_side() {
        let before = choice("keeper-bench --quick --json --callers 64 register");
        let after = choice("keeper-bench register --quick --json --callers 64");
        for choice in [before, after] {
            assert_eq!(choice.workloads, [Workload::Register]);
            assert_eq!(choice.callers, Some(64));
            assert!(choice.quick && choice.json);
        }
    }

    #[test]
    fn several_workloads_and_endpoints_may_be_named() {
        let choice = choice("keeper-bench lookup lookup-many --endpoints 127.0.0.1:7400,127.0.0.1:7500");
        assert_eq!(choice.workloads, [Workload::Lookup, Workload::LookupMany]);
        assert_eq!(choice.endpoints.len(), 2);
    }

    #[test]
    fn what_is_no_workload_is_refused() {
        let error = Args::try_parse_from(["keeper-bench", "regsiter"]).map(drop).unwrap_err().to_string();
        assert!(error.contains("register"), "{error}");
    }
}
