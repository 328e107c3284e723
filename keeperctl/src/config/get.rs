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
    local,
    render::{self, Report},
};

pub(super) async fn get(admin: &mut Admin<'_, '_>, get: &GetConfig) -> Result<(), Failure> {
    let configs = admin.keeper.configs();
    if get.local {
        return held(admin, get).await;
    }
    if get.reveal {
        let document = configs.reveal(&*get.path, get.revision.unwrap_or_default()).await?;
        return match document {
            Some(document) if document.deleted => Err(absent::deleted(&document)),
            Some(document) => print(admin, get, document, None),
            None => Err(absent::absent(&configs, &get.path, "get").await?),
        };
    }
    let served = |failure| local::instead(failure, false);
    let document = match get.revision {
        None => absent::present(&configs, &get.path, "get").await.map_err(served)?,
        Some(revision) => absent::at(&configs, &get.path, revision, "get").await?,
    };
    if document.deleted {
        return Err(absent::deleted(&document));
    }
    print(admin, get, document, None)
}

/// As one node has it.
async fn held(admin: &mut Admin<'_, '_>, get: &GetConfig) -> Result<(), Failure> {
    let configs = admin.keeper.configs();
    let mut read = configs.get_local(&*get.path).await?;
    if read.age.is_none() {
        local::rest().await;
        read = configs.get_local(&*get.path).await?;
    }
    let age_ms = read.age.and_then(local::known_ms);
    let words = local::words(read.revision, age_ms);
    let Some(document) = read.document.filter(|document| !document.deleted) else {
        return Err(Failure::refused(format!("there is no document {:?}", get.path)).remedy(words));
    };
    print(admin, get, document, age_ms)?;
    admin.console.say(words);
    Ok(())
}

fn print(admin: &mut Admin<'_, '_>, get: &GetConfig, document: Document, age_ms: Option<u64>) -> Result<(), Failure> {
    let value = document.value()?;
    if get.value {
        return admin.console.print(&Whole(value));
    }
    match admin.console.output {
        // Byte for byte: what is published from this output is what is published already.
        Output::Table => admin.console.write(document.text.as_bytes()),
        Output::Json => admin.console.print(&Written { age_ms, ..Written::new(document, value) }),
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
    #[serde(skip_serializing_if = "Option::is_none")]
    forced: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    secrets: Vec<String>,
    /// Of a state that nobody confirmed: since when it is not known to be up to date.
    #[serde(skip_serializing_if = "Option::is_none")]
    age_ms: Option<u64>,
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
            forced: document.forced,
            secrets: document.secrets,
            age_ms: None,
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
