//! `keeperctl config get`: a document as it was written.

use keeper_client_sdk::{Document, Format};
use serde::Serialize;
use serde_json::Value;

use crate::{
    admin::Admin,
    args::GetConfig,
    config::absent,
    console::Output,
    failure::Failure,
    render::{self, Report},
};

pub(super) async fn get(admin: &mut Admin<'_, '_>, get: &GetConfig) -> Result<(), Failure> {
    let configs = admin.keeper.configs();
    let document = match get.revision {
        None => absent::present(&configs, &get.path, "get").await?,
        Some(revision) => absent::at(&configs, &get.path, revision, "get").await?,
    };
    if document.deleted {
        return Err(absent::deleted(&document));
    }
    let value = document.value()?;
    if get.value {
        return admin.console.print(&Whole(value));
    }
    match admin.console.output {
        // Byte for byte: what is published from this output is what is published already.
        Output::Table => admin.console.write(document.text.as_bytes()),
        Output::Json => admin.console.print(&Written::new(document, value)),
    }
}

/// A value by itself, indented for people.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(super) struct Whole(pub(super) Value);

impl Report for Whole {
    fn table(&self) -> String {
        format!("{:#}\n", self.0)
    }
}

/// A document with everything about it.
#[derive(Debug, Serialize)]
struct Written {
    path: String,
    format: Option<&'static str>,
    revision: u64,
    version: u64,
    author: String,
    message: String,
    published_at: String,
    text: String,
    value: Value,
}

impl Written {
    fn new(document: Document, value: Value) -> Self {
        Self {
            path: document.path,
            format: document.format.map(Format::as_str),
            revision: document.revision,
            version: document.version,
            author: document.author,
            message: document.message,
            published_at: render::millisecond(document.published_at_ms),
            text: document.text,
            value,
        }
    }
}

impl Report for Written {
    fn table(&self) -> String {
        self.text.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::changes::tests::document;

    #[test]
    fn a_value_is_indented_for_people() {
        let value = Whole(serde_json::json!({"a": [1, 2.5], "b": {}}));
        assert_eq!(value.table(), "{\n  \"a\": [\n    1,\n    2.5\n  ],\n  \"b\": {}\n}\n");
        assert_eq!(render::json_line(&value), Ok("{\"a\":[1,2.5],\"b\":{}}\n".to_owned()));
    }

    #[test]
    fn a_document_as_json() {
        let document = document("a.toml", 9, r#"{"a":1}"#);
        let value = document.value().expect("canonical");
        let expected = concat!(
            r#"{"path":"a.toml","format":"toml","revision":9,"version":2,"author":"ann@desk","#,
            r##""message":"raise limits","published_at":"2026-11-22T15:36:02.345Z","text":"# {\"a\":1}\n","##,
            r#""value":{"a":1}}"#,
            "\n"
        );
        assert_eq!(render::json_line(&Written::new(document, value)), Ok(expected.to_owned()));
    }
}
