//! `keeperctl config diff`: what differs between two versions.
//!
//! The servers compare: only they know the formats, and what differs behind a mask.

use keeper_client_sdk::{Compared, Configs, Document, Format, Side};
use serde::Serialize;

use crate::{
    admin::Admin,
    args::DiffConfig,
    config::{
        absent,
        changes::{self, Field},
        excerpt, folder, source,
    },
    failure::Failure,
    render::Report,
};

/// Names the newest version, a deletion included: the history answers for every revision from the version's own on.
const NEWEST: u64 = u64::MAX;

pub(super) async fn diff(admin: &mut Admin<'_, '_>, diff: &DiffConfig) -> Result<(), Failure> {
    let configs = admin.keeper.configs();
    let (old, new, text) = versions(&configs, diff).await?;
    let compared = configs.diff(old.side.clone(), new.side.clone()).await;
    let compared = compared.map_err(|error| match &text {
        Some(text) => excerpt::beside(error.into(), text),
        None => error.into(),
    })?;
    if diff.text {
        let has_changes = !compared.fields.is_empty();
        let differs = TextDiffers::between(&diff.path, &old, &new, compared);
        if differs.diff.is_empty() {
            let same = if has_changes { "differ in secrets alone, which are not shown" } else { "are the same text" };
            admin.console.say(format_args!("{} and {} {same}", old.name, new.name));
        }
        return admin.console.print_diff(&differs);
    }
    let texts = if compared.text.is_empty() { "and the same text" } else { "written differently: `--text` shows how" };
    let differs = Differs::between(&diff.path, &old, &new, compared);
    if differs.changes.is_empty() {
        admin.console.say(format_args!("{} and {} are the same structure, {texts}", old.name, new.name));
    }
    admin.console.print_diff(&differs)
}

/// One side of a comparison.
#[derive(Debug)]
struct Version {
    name: String,
    /// None of a file, and of what was before a document.
    revision: Option<u64>,
    side: Side,
}

impl Version {
    fn of(document: &Document) -> Self {
        let Document { path, revision, .. } = document;
        if document.deleted {
            let name = format!("revision {revision} (deleted)");
            return Self { name, revision: Some(*revision), side: nothing(path) };
        }
        Self { name: format!("revision {revision}"), revision: Some(*revision), side: Side::at(path, *revision) }
    }

    fn nothing(path: &str) -> Self {
        Self { name: "nothing".to_owned(), revision: None, side: nothing(path) }
    }
}

/// A text without fields: there is one in TOML alone that is no text either.
fn nothing(path: &str) -> Side {
    Side::text(path, "").format(Format::Toml)
}

/// The two sides, and the text of a file if one of them is one.
async fn versions(configs: &Configs, diff: &DiffConfig) -> Result<(Version, Version, Option<String>), Failure> {
    let path = diff.path.as_str();
    let read = |revision| absent::at(configs, path, revision, "diff");
    if let Some(file) = &diff.file {
        let old = read(diff.from.unwrap_or(NEWEST)).await?;
        let text = source::read(file)?;
        let mut side = Side::text(path, text.clone());
        if let Some(format) = old.format.filter(|_| !old.deleted).or_else(|| folder::format_of(file)) {
            side = side.format(format);
        }
        let new = Version { name: file.clone(), revision: None, side };
        return Ok((Version::of(&old), new, Some(text)));
    }
    let new = read(diff.to.unwrap_or(NEWEST)).await?;
    let old = match diff.from {
        Some(revision) => Version::of(&read(revision).await?),
        None => before(configs, &new).await?,
    };
    Ok((old, Version::of(&new), None))
}

/// The version before one.
async fn before(configs: &Configs, document: &Document) -> Result<Version, Failure> {
    let Document { path, revision, version, .. } = document;
    match configs.get_at(path.clone(), revision.saturating_sub(1)).await? {
        Some(document) => Ok(Version::of(&document)),
        None if *version <= 1 => Ok(Version::nothing(path)),
        None => Err(Failure::refused(format!("the history of {path} holds nothing before revision {revision}"))
            .remedy(format!("see what it holds with `keeperctl config history {path}`"))),
    }
}

/// Fields that differ.
#[derive(Debug, Serialize)]
struct Differs {
    path: String,
    from: Option<u64>,
    to: Option<u64>,
    changes: Vec<Field>,
    #[serde(skip)]
    names: [String; 2],
}

impl Differs {
    fn between(path: &str, old: &Version, new: &Version, compared: Compared) -> Self {
        Self {
            path: path.to_owned(),
            from: old.revision,
            to: new.revision,
            changes: compared.fields.into_iter().map(Field::from).collect(),
            names: [old.name.clone(), new.name.clone()],
        }
    }
}

impl Report for Differs {
    fn table(&self) -> String {
        if self.changes.is_empty() {
            return String::new();
        }
        let [old, new] = &self.names;
        format!("{}: {old} -> {new}\n{}", self.path, changes::lines(&self.changes, "  "))
    }
}

/// Lines that differ.
#[derive(Debug, Serialize)]
struct TextDiffers {
    path: String,
    from: Option<u64>,
    to: Option<u64>,
    diff: String,
}

impl TextDiffers {
    /// Headed by what the sides are called here.
    fn between(path: &str, old: &Version, new: &Version, compared: Compared) -> Self {
        let hunks = compared.text.find("@@ ").map_or("", |hunks| &compared.text[hunks..]);
        let headed = format!("--- {path} {}\n+++ {path} {}\n{hunks}", old.name, new.name);
        let diff = if hunks.is_empty() { String::new() } else { headed };
        Self { path: path.to_owned(), from: old.revision, to: new.revision, diff }
    }
}

impl Report for TextDiffers {
    fn table(&self) -> String {
        self.diff.clone()
    }
}

#[cfg(test)]
mod tests {
    use keeper_client_sdk::FieldChange;
    use serde_json::json;

    use super::*;
    use crate::{config::changes::tests::document, render};

    fn two() -> (Version, Version, Compared) {
        let [old, new] = [9, 12].map(|revision| Version::of(&document("a.toml", revision, "{}")));
        let field = FieldChange { path: "a".into(), old: Some(json!(1)), new: Some(json!(2)) };
        let text = "--- revision 9\n+++ revision 12\n@@ -1 +1 @@\n-a = 1\n+a = 2\n";
        (old, new, Compared { fields: vec![field], text: text.into() })
    }

    #[test]
    fn structures_field_by_field() {
        let (old, new, compared) = two();
        let differs = Differs::between("a.toml", &old, &new, compared);
        assert_eq!(differs.table(), "a.toml: revision 9 -> revision 12\n  ~ a: 1 -> 2\n");
        let expected = r#"{"path":"a.toml","from":9,"to":12,"changes":[{"path":"a","old":1,"new":2}]}"#;
        assert_eq!(render::json_line(&differs), Ok(format!("{expected}\n")));
    }

    #[test]
    fn texts_line_by_line() {
        let (old, new, compared) = two();
        let expected = "--- a.toml revision 9\n+++ a.toml revision 12\n@@ -1 +1 @@\n-a = 1\n+a = 2\n";
        assert_eq!(TextDiffers::between("a.toml", &old, &new, compared).table(), expected);
    }

    #[test]
    fn equal_versions_are_silent() {
        let (old, new, _) = two();
        let same = || Compared { fields: Vec::new(), text: String::new() };
        assert_eq!(Differs::between("a.toml", &old, &new, same()).table(), "");
        assert_eq!(TextDiffers::between("a.toml", &old, &new, same()).table(), "");
    }

    #[test]
    fn what_is_not_there_has_a_name() {
        let gone = Version::of(&Document { deleted: true, ..document("a.toml", 9, "") });
        assert_eq!(gone.name, "revision 9 (deleted)");
        assert_eq!(gone.side, Version::nothing("a.toml").side);
    }
}
