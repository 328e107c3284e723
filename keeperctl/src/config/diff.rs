//! `keeperctl config diff`: what differs between two versions.

use keeper_client_sdk::{Configs, Document, Error};
use serde::Serialize;
use serde_json::Value;
use similar::TextDiff;

use crate::{
    admin::Admin,
    args::DiffConfig,
    config::{
        absent,
        changes::{self, Field, changes},
        excerpt, source,
    },
    failure::Failure,
    limits,
    render::Report,
};

/// Names the newest version, a deletion included: the history answers for every revision from the version's own on.
const NEWEST: u64 = u64::MAX;

pub(super) async fn diff(admin: &mut Admin<'_, '_>, diff: &DiffConfig) -> Result<(), Failure> {
    let (old, new) = versions(&admin.keeper.configs(), diff).await?;
    if diff.text {
        let diff = TextDiffers::between(&diff.path, &old, &new);
        if diff.diff.is_empty() {
            admin.console.say(format_args!("{} and {} are the same text", old.name, new.name));
        }
        return admin.console.print(&diff);
    }
    let differs = Differs::between(&diff.path, &old, &new);
    if differs.changes.is_empty() {
        let texts = if old.text == new.text { "and the same text" } else { "written differently: `--text` shows how" };
        admin.console.say(format_args!("{} and {} are the same structure, {texts}", old.name, new.name));
    }
    admin.console.print(&differs)
}

/// One side of a comparison.
#[derive(Debug)]
struct Version {
    name: String,
    /// None of a file, and of what was before a document.
    revision: Option<u64>,
    text: String,
    value: Option<Value>,
}

impl Version {
    fn of(document: Document) -> Result<Self, Error> {
        let name = format!("revision {}{}", document.revision, if document.deleted { " (deleted)" } else { "" });
        let value = changes::value(&document)?;
        Ok(Self { name, revision: Some(document.revision), text: document.text, value })
    }

    fn nothing() -> Self {
        Self { name: "nothing".to_owned(), revision: None, text: String::new(), value: None }
    }
}

async fn versions(configs: &Configs, diff: &DiffConfig) -> Result<(Version, Version), Failure> {
    let path = diff.path.as_str();
    let read = |revision| absent::at(configs, path, revision, "diff");
    if let Some(file) = &diff.file {
        let old = read(diff.from.unwrap_or(NEWEST)).await?;
        let text = source::read(file)?;
        let linted = configs.lint(path, old.format.filter(|_| !old.deleted), text.clone()).await;
        let linted = linted.map_err(|error| excerpt::beside(error.into(), &text))?;
        let value = serde_json::from_slice(&linted.canonical);
        let value = value.map_err(|error| Failure::failed(format!("the answer held no value: {error}")))?;
        return Ok((Version::of(old)?, Version { name: file.clone(), revision: None, text, value: Some(value) }));
    }
    let new = read(diff.to.unwrap_or(NEWEST)).await?;
    let old = match diff.from {
        Some(revision) => Version::of(read(revision).await?)?,
        None => before(configs, &new).await?,
    };
    Ok((old, Version::of(new)?))
}

/// The version before one.
async fn before(configs: &Configs, document: &Document) -> Result<Version, Failure> {
    let Document { path, revision, version, .. } = document;
    match configs.get_at(path.clone(), revision.saturating_sub(1)).await? {
        Some(document) => Ok(Version::of(document)?),
        None if *version <= 1 => Ok(Version::nothing()),
        None => Err(Failure::refused(format!("the history of {path} holds nothing before revision {revision}"))
            .remedy(format!("see what it holds with `keeperctl config history {path} --limit 100`"))),
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
    fn between(path: &str, old: &Version, new: &Version) -> Self {
        Self {
            path: path.to_owned(),
            from: old.revision,
            to: new.revision,
            changes: changes(old.value.as_ref(), new.value.as_ref()),
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
    fn between(path: &str, old: &Version, new: &Version) -> Self {
        let diff = TextDiff::from_lines(&old.text, &new.text)
            .unified_diff()
            .context_radius(limits::DIFF_LINES_AROUND)
            .header(&format!("{path} {}", old.name), &format!("{path} {}", new.name))
            .to_string();
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
    use serde_json::json;

    use super::*;
    use crate::render;

    fn version(revision: u64, text: &str, value: Value) -> Version {
        Version {
            name: format!("revision {revision}"),
            revision: Some(revision),
            text: text.into(),
            value: Some(value),
        }
    }

    fn two() -> (Version, Version) {
        (version(9, "# was\na = 1\n", json!({"a": 1})), version(12, "# is\na = 2\n", json!({"a": 2})))
    }

    #[test]
    fn structures_field_by_field() {
        let (old, new) = two();
        let differs = Differs::between("a.toml", &old, &new);
        assert_eq!(differs.table(), "a.toml: revision 9 -> revision 12\n  ~ a: 1 -> 2\n");
        let expected = r#"{"path":"a.toml","from":9,"to":12,"changes":[{"path":"a","old":1,"new":2}]}"#;
        assert_eq!(render::json_line(&differs), Ok(format!("{expected}\n")));
    }

    #[test]
    fn texts_line_by_line() {
        let (old, new) = two();
        let expected = "\
--- a.toml revision 9
+++ a.toml revision 12
@@ -1,2 +1,2 @@
-# was
-a = 1
+# is
+a = 2
";
        assert_eq!(TextDiffers::between("a.toml", &old, &new).table(), expected);
    }

    #[test]
    fn equal_versions_are_silent() {
        let (old, _) = two();
        assert_eq!(Differs::between("a.toml", &old, &old).table(), "");
        assert_eq!(TextDiffers::between("a.toml", &old, &old).table(), "");
    }

    #[test]
    fn a_first_version_comes_from_nothing() {
        let (_, new) = two();
        let differs = Differs::between("a.toml", &Version::nothing(), &new);
        assert_eq!(differs.table(), "a.toml: nothing -> revision 12\n  + a: 2\n");
    }
}
