//! A command that was typed to the wrong one of the two programs: `keeperctl` asks and tells a cluster, `keeper` is a
//! node of it. The nearest name of a command that exists may mean the opposite of what was meant.

use clap::error::{ContextKind, ContextValue, Error};

/// What `keeperctl` is asked about.
const NOUNS: [&str; 6] = ["session", "instance", "config", "control", "cluster", "completions"];

/// What `keeperctl cluster` does.
const OF_CLUSTERS: [&str; 9] =
    ["status", "backup", "upgrade", "add", "promote", "demote", "remove", "replace", "transfer-leader"];

/// The same mistake, with the command that was meant instead of one that is spelt like it.
pub(super) fn point(mut mistake: Error) -> Error {
    let Some(ContextValue::String(typed)) = mistake.get(ContextKind::InvalidSubcommand) else { return mistake };
    let meant = match typed.as_str() {
        noun if NOUNS.contains(&noun) => format!("keeperctl {noun}"),
        verb if OF_CLUSTERS.contains(&verb) => format!("keeperctl cluster {verb}"),
        _ => return mistake,
    };
    let tip = format!("this is the daemon; what is asked of a cluster is `{meant}`");
    mistake.remove(ContextKind::SuggestedSubcommand);
    mistake.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    mistake
}
