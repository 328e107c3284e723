//! A command that was typed to the wrong one of the two programs, or without its noun. The nearest name of a command
//! that exists may mean the opposite of what was meant: `remove` is spelt like `restore`.

use clap::{
    CommandFactory,
    error::{ContextKind, ContextValue, Error},
};

use super::Typed;

/// What the daemon's binary does.
const OF_THE_DAEMON: [&str; 7] = ["start", "dev", "init", "check", "restore", "forget", "backup-verify"];

/// The same mistake, with the command that was meant instead of one that is spelt like it.
pub(crate) fn point(mut mistake: Error) -> Error {
    let Some(ContextValue::String(typed)) = mistake.get(ContextKind::InvalidSubcommand) else { return mistake };
    let tip = if OF_THE_DAEMON.contains(&typed.as_str()) {
        format!("`keeper {typed}` does that, the daemon's binary, on the machine of a node")
    } else {
        let meant: Vec<_> = nouns(typed).iter().map(|noun| format!("`keeperctl {noun} {typed}`")).collect();
        if meant.is_empty() {
            return mistake;
        }
        format!("did you mean: {}", meant.join(" or "))
    };
    mistake.remove(ContextKind::SuggestedSubcommand);
    mistake.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    mistake
}

/// The nouns that have a verb of this name.
fn nouns(verb: &str) -> Vec<String> {
    let nouns = Typed::command();
    let having = nouns.get_subcommands().filter(|noun| noun.find_subcommand(verb).is_some());
    having.map(|noun| noun.get_name().to_owned()).collect()
}
