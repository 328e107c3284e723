//! The settings file as written.

use serde::Deserialize;

use super::{Limits, Log, Raft, SettingsError, Storage};
use crate::format::{self, Format, SyntaxError};

/// How alike a misspelt key must be to the one that is offered instead; 1 is equal.
const SIMILARITY_MIN: f64 = 0.75;

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct File {
    pub(super) cluster: Option<String>,
    pub(super) node_id: Option<u64>,
    pub(super) data_dir: Option<String>,
    pub(super) allow_insecure: bool,
    pub(super) listen: Listen,
    pub(super) advertise: Advertise,
    pub(super) raft: Raft,
    pub(super) storage: Storage,
    pub(super) log: Log,
    pub(super) limits: Limits,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Listen {
    pub(super) client: Option<String>,
    pub(super) peer: Option<String>,
    pub(super) http: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Advertise {
    pub(super) client: Option<String>,
    pub(super) peer: Option<String>,
}

impl File {
    pub(super) fn parse(text: &str) -> Result<Self, SettingsError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        // The reader of config documents words what is not TOML at all; serde then says what is not a setting.
        format::parse(Format::Toml, text).map_err(SettingsError::Syntax)?;
        toml::from_str(text).map_err(|error| SettingsError::Syntax(explain(text, &error)))
    }
}

fn explain(text: &str, error: &toml::de::Error) -> SyntaxError {
    let at = error.span().map_or(0, |span| span.start);
    let message = match error.message().strip_prefix("unknown field ") {
        Some(rest) => unknown_key(rest, table_at(text, at)),
        None => error.message().to_owned(),
    };
    SyntaxError::at_byte(text, at, message)
}

/// From serde's "`x`, expected one of `a`, `b`" to a sentence in the file's own terms.
fn unknown_key(names: &str, table: Option<&str>) -> String {
    let mut names = names.split('`').skip(1).step_by(2);
    let unknown = names.next().unwrap_or_default();
    let known: Vec<_> = names.collect();
    let place = table.map(|table| format!(" in {table}")).unwrap_or_default();
    let similar = |name: &&str| strsim::jaro_winkler(unknown, name);
    let best = known.iter().copied().max_by(|a, b| similar(a).total_cmp(&similar(b)));
    match best.filter(|name| similar(name) >= SIMILARITY_MIN) {
        Some(name) => format!("unknown key `{unknown}`{place}: did you mean `{name}`?"),
        None => format!("unknown key `{unknown}`{place}: the keys there are {}", known.join(", ")),
    }
}

/// The header of the table that the byte `at` stands in.
fn table_at(text: &str, at: usize) -> Option<&str> {
    let before = text.get(..at)?.rfind('\n').map_or("", |newline| &text[..newline]);
    before.lines().rev().map(str::trim).find(|line| line.starts_with('[')).map(|line| match line.find(']') {
        Some(end) => &line[..=end],
        None => line,
    })
}
