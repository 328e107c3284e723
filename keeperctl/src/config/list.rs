//! `keeperctl config list` and `history`: which documents there are, and what one was.

use keeper_client_sdk::{Detail, Document, Documents, Format};
use serde::Serialize;

use crate::{
    admin::Admin,
    config::absent,
    failure::Failure,
    render::{self, Report},
};

pub(super) async fn list(admin: &mut Admin<'_, '_>, prefix: Option<String>) -> Result<(), Failure> {
    let prefix = prefix.unwrap_or_default();
    let list = List::from(admin.keeper.configs().list(prefix.clone()).await?);
    if list.documents.is_empty() {
        let below = if prefix.is_empty() { String::new() } else { format!(" below {prefix:?}") };
        admin.console.say(format_args!("there is no document{below}"));
    }
    admin.console.print(&list)
}

pub(super) async fn history(admin: &mut Admin<'_, '_>, path: &str, limit: u32) -> Result<(), Failure> {
    let configs = admin.keeper.configs();
    let history =
        History { path: path.to_owned(), versions: configs.history(path, limit, Detail::Summary).await?.into() };
    if history.versions.documents.is_empty() {
        return Err(absent::absent(&configs, path, "history").await?);
    }
    admin.console.print(&history)
}

#[derive(Debug, Serialize)]
struct List {
    revision: u64,
    documents: Vec<Row>,
}

/// One version of one document, without its text.
#[derive(Debug, Serialize)]
struct Row {
    path: String,
    format: Option<&'static str>,
    revision: u64,
    version: u64,
    author: String,
    message: String,
    published_at: String,
    deleted: bool,
    /// Why it was published against what spoke against it.
    #[serde(skip_serializing_if = "Option::is_none")]
    forced: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    secrets: Vec<String>,
    #[serde(skip)]
    published_at_ms: u64,
}

impl From<Documents> for List {
    fn from(documents: Documents) -> Self {
        let Documents { revision, documents } = documents;
        Self { revision, documents: documents.into_iter().map(Row::from).collect() }
    }
}

impl From<Document> for Row {
    fn from(document: Document) -> Self {
        Self {
            path: document.path,
            format: document.format.filter(|_| !document.deleted).map(Format::as_str),
            revision: document.revision,
            version: document.version,
            author: document.author,
            message: document.message,
            published_at: render::millisecond(document.published_at_ms),
            deleted: document.deleted,
            forced: document.forced,
            secrets: document.secrets,
            published_at_ms: document.published_at_ms,
        }
    }
}

impl Report for List {
    fn table(&self) -> String {
        let headings = ["DOCUMENT", "FORMAT", "REVISION", "VERSION", "PUBLISHED", "AUTHOR", "MESSAGE"];
        let cells = |row: &Row| {
            [
                row.path.clone(),
                row.format.unwrap_or_default().to_owned(),
                row.revision.to_string(),
                row.version.to_string(),
                render::second(row.published_at_ms),
                row.author.clone(),
                row.message.clone(),
            ]
        };
        render::table(headings, self.documents.iter().map(cells))
    }
}

#[derive(Debug, Serialize)]
struct History {
    path: String,
    #[serde(flatten)]
    versions: List,
}

impl Report for History {
    fn table(&self) -> String {
        let cells = |row: &Row| {
            [
                row.revision.to_string(),
                row.version.to_string(),
                if row.deleted { "deleted" } else { "published" }.to_owned(),
                render::second(row.published_at_ms),
                row.author.clone(),
                row.message.clone(),
            ]
        };
        let rows = &self.versions.documents;
        let headings = ["REVISION", "VERSION", "WAS", "AT", "BY", "MESSAGE"];
        let versions = render::table(headings, rows.iter().map(cells));
        let forced = rows.iter().filter_map(|row| Some([row.revision.to_string(), row.forced.clone()?]));
        render::sections([versions, render::table(["REVISION", "FORCED BECAUSE"], forced)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::changes::tests::document;

    fn documents() -> List {
        let gone = Document { deleted: true, message: String::new(), version: 3, ..document("a.toml", 12, "") };
        Documents { revision: 20, documents: vec![gone, document("a.toml", 9, "{}")] }.into()
    }

    #[test]
    fn documents_in_columns() {
        let list = Documents { revision: 20, documents: vec![document("push/room.toml", 9, "{}")] };
        let expected = "\
DOCUMENT        FORMAT  REVISION  VERSION  PUBLISHED             AUTHOR    MESSAGE
push/room.toml  toml    9         2        2026-11-22T15:36:02Z  ann@desk  raise limits
";
        assert_eq!(List::from(list).table(), expected);
    }

    #[test]
    fn versions_in_columns() {
        let expected = "\
REVISION  VERSION  WAS        AT                    BY        MESSAGE
12        3        deleted    2026-11-22T15:36:02Z  ann@desk  -
9         2        published  2026-11-22T15:36:02Z  ann@desk  raise limits
";
        assert_eq!(History { path: "a.toml".into(), versions: documents() }.table(), expected);
    }

    #[test]
    fn what_was_forced_says_why() {
        let forced = Document { forced: Some("the gateways are down".into()), ..document("a.toml", 9, "{}") };
        let versions = Documents { revision: 20, documents: vec![forced] }.into();
        let table = History { path: "a.toml".into(), versions }.table();
        assert!(table.ends_with("\n\nREVISION  FORCED BECAUSE\n9         the gateways are down\n"), "{table}");
    }

    #[test]
    fn versions_as_json() {
        let history = History { path: "a.toml".into(), versions: documents() };
        let expected = concat!(
            r#"{"path":"a.toml","revision":20,"documents":[{"path":"a.toml","format":null,"revision":12,"version":3,"#,
            r#""author":"ann@desk","message":"","published_at":"2026-11-22T15:36:02.345Z","deleted":true},"#,
            r#"{"path":"a.toml","format":"toml","revision":9,"version":2,"author":"ann@desk","#,
            r#""message":"raise limits","published_at":"2026-11-22T15:36:02.345Z","deleted":false}]}"#,
            "\n"
        );
        assert_eq!(render::json_line(&history), Ok(expected.to_owned()));
    }
}
