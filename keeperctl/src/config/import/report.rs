//! What an import did, or would do, with each thing in its source.

use keeper_client_sdk::Format;
use serde::Serialize;

use super::plan::{Found, Left};
use crate::{
    config::{
        snapshot::Snapshot,
        verdict::{Judged, Told},
    },
    render::{self, Report},
};

/// What a document of the source means for the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Becomes {
    Created,
    Changed,
    /// It is published so already.
    Unchanged,
}

impl Becomes {
    pub(super) fn of(document: &Found, now: &Snapshot) -> Self {
        match now.documents.get(&document.path) {
            None => Self::Created,
            Some(there) if there.text == document.text && there.format == Some(document.format) => Self::Unchanged,
            Some(_) => Self::Changed,
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Changed => "changed",
            Self::Unchanged => "unchanged",
        }
    }
}

#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Imported {
    pub(super) documents: Vec<Row>,
    pub(super) left: Vec<Left>,
    /// What schemas and processes have against it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    objections: Vec<Told>,
    #[serde(skip)]
    objections_more: u32,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Row {
    name: String,
    path: String,
    format: &'static str,
    becomes: Becomes,
    /// None: it was not published.
    revision: Option<u64>,
    notes: Vec<String>,
}

impl Row {
    pub(super) fn of(document: &Found, becomes: Becomes) -> Self {
        Self {
            name: document.name.clone(),
            path: document.path.clone(),
            format: Format::as_str(document.format),
            becomes,
            revision: None,
            notes: document.notes.clone(),
        }
    }
}

impl Imported {
    /// A document that would be refused by itself.
    pub(super) fn leave(&mut self, path: &str, why: String) {
        let Some(at) = self.documents.iter().position(|row| row.path == path) else { return };
        self.left.push(Left::new(self.documents.remove(at).name, why));
    }

    pub(super) fn judged(&mut self, judged: Judged) {
        self.objections = judged.objections;
        self.objections_more = judged.objections_more;
    }

    pub(super) fn against(&self) -> usize {
        self.objections.len() + self.objections_more as usize
    }

    pub(super) fn objections_in_words(&self) -> Vec<String> {
        let more = (self.objections_more > 0).then(|| format!("and {} more", self.objections_more));
        self.objections.iter().map(Told::line).chain(more).collect()
    }

    /// These documents were published.
    pub(super) fn stands(&mut self, paths: &[String], revision: u64) {
        for row in self.documents.iter_mut().filter(|row| paths.contains(&row.path)) {
            row.revision = Some(revision);
        }
    }
}

impl Report for Imported {
    fn table(&self) -> String {
        let cells = |row: &Row| {
            [
                row.name.clone(),
                row.path.clone(),
                row.format.to_owned(),
                row.becomes.as_str().to_owned(),
                row.revision.map(|revision| revision.to_string()).unwrap_or_default(),
                row.notes.join("; "),
            ]
        };
        let headings = ["SOURCE", "DOCUMENT", "FORMAT", "BECOMES", "REVISION", "NOTE"];
        let documents = render::table(headings, self.documents.iter().map(cells));
        let left = self.left.iter().map(|left| [left.name.clone(), left.why.clone()]);
        render::sections([documents, render::table(["NOT TAKEN", "WHY"], left)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_lists_are_told() {
        let document = Found {
            name: "app.properties".into(),
            path: "app.ini".into(),
            format: Format::Ini,
            text: String::new(),
            notes: vec!["\"a\" stands more than once: the last counts".into()],
        };
        let left = vec![Left::new("logback.xml", "is xml, which is no structure of names and values")];
        let documents = vec![Row::of(&document, Becomes::Created), Row::of(&document, Becomes::Changed)];
        let mut imported = Imported { documents, ..Imported::default() };
        imported.documents[1].path = "keeper/schemas/x.json".into();
        imported.leave("keeper/schemas/x.json", "has no `paths`".into());
        assert_eq!(imported.left, [Left::new("app.properties", "has no `paths`")]);
        imported.left = left;
        imported.stands(&["app.ini".into()], 12);
        let expected = "\
SOURCE          DOCUMENT  FORMAT  BECOMES  REVISION  NOTE
app.properties  app.ini   ini     created  12        \"a\" stands more than once: the last counts

NOT TAKEN    WHY
logback.xml  is xml, which is no structure of names and values
";
        assert_eq!(imported.table(), expected);
        let expected = concat!(
            r#"{"documents":[{"name":"app.properties","path":"app.ini","format":"ini","becomes":"created","#,
            r#""revision":12,"notes":["\"a\" stands more than once: the last counts"]}],"#,
            r#""left":[{"name":"logback.xml","why":"is xml, which is no structure of names and values"}]}"#,
            "\n"
        );
        assert_eq!(render::json_line(&imported), Ok(expected.to_owned()));
    }
}
