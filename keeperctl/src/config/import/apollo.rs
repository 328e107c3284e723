//! Namespaces of Apollo, as its portal exports them and as its clients keep them on disk.
//!
//! A file is named `APP+CLUSTER+NAMESPACE.ENDING` and becomes `APP/CLUSTER/NAMESPACE.ENDING`; one of another name is
//! no namespace, unless it is given a path. A portal of today writes the items of a namespace as JSON (a namespace of
//! properties has many; any other has one named `content`, which is the text), older ones and the clients' caches hold
//! the text itself. Which of the two it is shows in the text.

use serde::Deserialize;

use super::{
    item::{Item, Kind},
    properties::Properties,
};

/// What the one item of a namespace is called that is no list of properties.
const CONTENT: &str = "content";

/// One item, as the portal writes it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    key: String,
    #[serde(default)]
    value: String,
    #[serde(default)]
    comment: Option<String>,
    line_num: i64,
}

/// What a namespace holds.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Namespace {
    Text(String),
    Properties(Properties),
}

/// The path that a file's name stands for.
pub(super) fn path(name: &str) -> String {
    let file = name.rsplit('/').next().unwrap_or(name);
    let parts: Vec<_> = file.split('+').collect();
    match parts.as_slice() {
        [_, _, _] => parts.join("/"),
        _ => name.to_owned(),
    }
}

/// Whether a file is named as namespaces are.
pub(super) fn is_namespace(name: &str) -> bool {
    let file = name.rsplit('/').next().unwrap_or(name);
    file.split('+').filter(|part| !part.is_empty()).count() == 3 && file.matches('+').count() == 2
}

/// One exported file.
pub(super) fn item(name: &str, bytes: Vec<u8>) -> Item {
    Item { name: name.to_owned(), path: path(name), bytes, says: None }
}

/// What a text of a namespace says: its items if these are what it is, otherwise itself.
pub(super) fn namespace(kind: &Kind, text: &str) -> Result<Namespace, String> {
    let rows = if text.trim_start().starts_with('[') { serde_json::from_str::<Vec<Row>>(text).ok() } else { None };
    match (kind, rows) {
        (Kind::Properties, None) => Properties::read(text).map(Namespace::Properties),
        (Kind::Properties, Some(rows)) => Ok(Namespace::Properties(properties(rows))),
        (Kind::Document(_) | Kind::Foreign(_), Some(rows)) if rows.iter().any(|row| row.key == CONTENT) => {
            let content = rows.into_iter().find(|row| row.key == CONTENT).map(|row| row.value);
            Ok(Namespace::Text(content.unwrap_or_default()))
        }
        (Kind::Document(_) | Kind::Foreign(_), _) => Ok(Namespace::Text(text.to_owned())),
    }
}

fn properties(mut rows: Vec<Row>) -> Properties {
    rows.sort_by_key(|row| row.line_num);
    let mut properties = Properties::default();
    for Row { key, value, comment, .. } in rows {
        // A line of its own is an item without a name; a comment of an item stands above it.
        let comment = comment.unwrap_or_default();
        match (key.as_str(), comment.trim_start_matches(['#', '!'])) {
            ("", "") => properties.blank(),
            ("", words) => properties.comment(words),
            (_, "") => properties.entry(key, value),
            (_, words) => {
                properties.comment(&format!(" {}", words.trim_start()));
                properties.entry(key, value);
            }
        }
    }
    properties
}

#[cfg(test)]
mod tests {
    use keeper_client_sdk::Format;

    use super::*;
    use crate::config::import::properties::Written;

    fn read(name: &str, text: &str) -> Namespace {
        namespace(&Kind::of_ending(name).expect("an ending"), text).expect("a namespace")
    }

    /// With every field that a portal of version 2 writes.
    const ITEMS: &str = include_str!("samples/shop+default+application.properties");

    #[test]
    fn items_of_a_portal_are_properties() {
        let Namespace::Properties(properties) = read("shop+default+application.properties", ITEMS) else {
            panic!("a text")
        };
        let expected = "\
# how long a payment may take
timeout.ms = 3000

# by the push team
push.room.endpoints = ws://10.0.0.7:7510,ws://10.0.0.8:7510
push.enabled = true
";
        assert_eq!(properties.written(), Written::Ini(expected.into()));
    }

    #[test]
    fn a_namespace_of_another_kind_is_one_item() {
        let exported = r#"[{"id":0,"namespaceId":0,"key":"content","type":0,"value":"a:\n  - 1\n","lineNum":1}]"#;
        assert_eq!(read("shop+default+routes.yml", exported), Namespace::Text("a:\n  - 1\n".into()));
        assert_eq!(read("shop+default+routes.yml", "a:\n  - 1\n"), Namespace::Text("a:\n  - 1\n".into()));
        // A list of its own that only looks like items.
        let list = r#"[{"key":"content","value":"x"}]"#;
        assert_eq!(read("shop+default+list.json", list), Namespace::Text(list.into()));
    }

    #[test]
    fn a_cache_of_a_client_is_java_s_text() {
        let cached = "#Persisted by DefaultConfig\n#Mon Nov 23 06:55:17 UTC 2026\nendpoint=ws\\://10.0.0.7\\:7510\n";
        let Namespace::Properties(properties) = read("shop+default+application.properties", cached) else {
            panic!("a text")
        };
        let expected = "#Persisted by DefaultConfig\n#Mon Nov 23 06:55:17 UTC 2026\nendpoint = ws://10.0.0.7:7510\n";
        assert_eq!(properties.written(), Written::Ini(expected.into()));
        assert_eq!(Kind::of_ending("a.yml"), Some(Kind::Document(Format::Yaml)));
    }

    #[test]
    fn a_name_of_three_parts_is_a_path() {
        assert_eq!(path("shop+default+application.properties"), "shop/default/application.properties");
        assert_eq!(path("out/shop+default+routes.yml"), "shop/default/routes.yml");
        assert_eq!(path("application.properties"), "application.properties");
        for (name, is_one) in [("out/shop+default+routes.yml", true), ("room.toml", false), ("a++b.yml", false)] {
            assert_eq!(is_namespace(name), is_one, "{name}");
        }
    }
}
