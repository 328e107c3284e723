//! A command that was typed to the wrong one of the two programs, without its noun, or under a name that other tools
//! have for it. The nearest name of a command that exists may mean the opposite of what was meant: `remove` is spelt
//! like `restore`.

use std::ffi::OsString;

use clap::{
    CommandFactory, Parser,
    error::{ContextKind, ContextValue, Error, ErrorKind},
};

use super::Typed;

/// What the daemon's binary does.
const OF_THE_DAEMON: [&str; 7] = ["start", "dev", "init", "check", "restore", "forget", "backup-verify"];

/// What other tools call it: the noun, their verb, what it is here.
const SYNONYMS: [(&str, &str, &str); 11] = [
    ("cluster", "health", "keeperctl cluster status"),
    ("cluster", "members", "keeperctl cluster status"),
    ("cluster", "nodes", "keeperctl cluster status"),
    ("cluster", "list", "keeperctl cluster status"),
    ("cluster", "join", "keeperctl cluster add HOST:PEERPORT"),
    ("cluster", "leave", "keeperctl cluster remove NODE"),
    ("cluster", "verify", "keeper backup-verify FILE"),
    ("config", "show", "keeperctl config get PATH"),
    ("config", "cat", "keeperctl config get PATH"),
    ("config", "set", "keeperctl config put PATH FILE"),
    ("config", "rollback", "keeperctl config history PATH` and `keeperctl config get PATH --revision REVISION"),
];

/// Options that take any word for their value, a noun too.
const TAKE_ANY_WORD: [&str; 2] = ["--endpoints", "--author"];

/// What was typed, or the mistake in it as it is told.
pub(crate) fn typed(line: &[OsString]) -> Result<Typed, Error> {
    Typed::try_parse_from(line).map_err(|mistake| point(without_environment(mistake, line), line))
}

/// The same mistake without what the environment says: an option that is set there would be told as one that the
/// command must have.
fn without_environment(mistake: Error, line: &[OsString]) -> Error {
    let is_help = mistake.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand || !mistake.use_stderr();
    if is_help {
        return mistake;
    }
    let plain = Typed::command().mut_arg("endpoints", |endpoints| endpoints.env(None::<&str>));
    match plain.try_get_matches_from(line) {
        Err(again) if again.kind() == mistake.kind() => again,
        // Then it lies in the environment.
        Ok(_) | Err(_) => mistake,
    }
}

/// The same mistake, with the command that was meant instead of one that is spelt like it.
fn point(mut mistake: Error, line: &[OsString]) -> Error {
    let Some(ContextValue::String(verb)) = mistake.get(ContextKind::InvalidSubcommand) else { return mistake };
    let words: Vec<_> = line.iter().map(|word| word.to_string_lossy()).collect();
    let before: Vec<_> = words.iter().map(AsRef::as_ref).take_while(|word| word != verb).collect();
    let Some(tip) = tip(verb, &before) else { return mistake };
    mistake.remove(ContextKind::SuggestedSubcommand);
    mistake.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    mistake
}

/// What was meant by a verb, behind what was typed before it.
fn tip(verb: &str, before: &[&str]) -> Option<String> {
    let nouns = nouns();
    if let [.., option, taken] = *before
        && TAKE_ANY_WORD.contains(&option)
        && nouns.iter().any(|(noun, _)| noun == taken)
    {
        return Some(format!("`{option}` lacks its value: `{taken}` was taken for it"));
    }
    let noun = before.iter().rev().find(|word| nouns.iter().any(|(noun, _)| noun == *word));
    let synonym = SYNONYMS.iter().find(|(of, theirs, _)| noun.is_none_or(|noun| of == noun) && *theirs == verb);
    if let Some((_, _, ours)) = synonym {
        return Some(format!("that is `{ours}`"));
    }
    if OF_THE_DAEMON.contains(&verb) {
        return Some(format!("`keeper {verb}` does that, the daemon's binary, on the machine of a node"));
    }
    let having = nouns.iter().filter(|(_, verbs)| verbs.iter().any(|it| it == verb));
    let meant: Vec<_> = having.map(|(noun, _)| format!("`keeperctl {noun} {verb}`")).collect();
    (!meant.is_empty()).then(|| format!("did you mean: {}", meant.join(" or ")))
}

/// The nouns, with their verbs.
fn nouns() -> Vec<(String, Vec<String>)> {
    let name = |command: &clap::Command| command.get_name().to_owned();
    let nouns = Typed::command();
    nouns.get_subcommands().map(|noun| (name(noun), noun.get_subcommands().map(name).collect())).collect()
}
