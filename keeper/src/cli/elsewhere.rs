//! A command that was typed to the wrong one of the two programs: `keeperctl` asks and tells a cluster, `keeper` is a
//! node of it. The nearest name of a command that exists may mean the opposite of what was meant.

use clap::error::{ContextKind, ContextValue, Error};

/// What `keeperctl` is asked about.
const NOUNS: [&str; 6] = ["session", "instance", "config", "control", "cluster", "completions"];

/// What `keeperctl cluster` does.
const OF_CLUSTERS: [&str; 9] =
    ["status", "backup", "upgrade", "add", "promote", "demote", "remove", "replace", "transfer-leader"];

/// What other daemons call it, or call what there is no command for: their verb, and what it is here.
const SYNONYMS: [(&str, &str); 8] = [
    ("stop", "a node stops at SIGTERM: `kill PID`, or whatever started it as a service"),
    ("restart", "a node stops at SIGTERM (`kill PID`, or whatever started it as a service); `keeper start` starts it"),
    ("run", "that is `keeper start --config FILE`"),
    ("serve", "that is `keeper start --config FILE`"),
    ("verify", "a backup is checked by `keeper backup-verify FILE`, settings by `keeper check --config FILE`"),
    ("health", "this is the daemon; what is asked of a cluster is `keeperctl cluster status`"),
    ("members", "this is the daemon; what is asked of a cluster is `keeperctl cluster status`"),
    ("join", "this is the daemon; what is asked of a cluster is `keeperctl cluster add HOST:PEERPORT`"),
];

/// The same mistake, with the command that was meant instead of one that is spelt like it.
pub(super) fn point(mut mistake: Error) -> Error {
    let Some(ContextValue::String(typed)) = mistake.get(ContextKind::InvalidSubcommand) else { return mistake };
    let asked = |meant: String| format!("this is the daemon; what is asked of a cluster is `keeperctl {meant}`");
    let tip = match typed.as_str() {
        noun if NOUNS.contains(&noun) => asked(noun.to_owned()),
        verb if OF_CLUSTERS.contains(&verb) => asked(format!("cluster {verb}")),
        verb => match SYNONYMS.iter().find(|(theirs, _)| *theirs == verb) {
            Some((_, ours)) => (*ours).to_owned(),
            None => return mistake,
        },
    };
    mistake.remove(ContextKind::SuggestedSubcommand);
    mistake.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    mistake
}
