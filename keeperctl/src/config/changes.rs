//! What differs between two versions of a document, as it is printed.
//!
//! A document that is not there is compared as an empty one, so that a new document shows its fields and not one lump.

use keeper_client_sdk::{Document, Error, FieldChange, diff};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::render;

/// What names the whole value, which has no path.
const WHOLE: &str = "(all)";

/// A field that differs, as it is printed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Field {
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    old: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    new: Option<Value>,
}

impl From<FieldChange> for Field {
    fn from(FieldChange { path, old, new }: FieldChange) -> Self {
        Self { path, old, new }
    }
}

/// The value of a document; none when it is deleted.
pub(super) fn value(document: &Document) -> Result<Option<Value>, Error> {
    if document.deleted { Ok(None) } else { document.value().map(Some) }
}

/// The fields that differ, in the order of their paths.
pub(super) fn changes(old: Option<&Value>, new: Option<&Value>) -> Vec<Field> {
    let nothing = Value::Object(Map::new());
    let fields = match (old, new) {
        (Some(old), Some(new)) => diff(old, new),
        (None, Some(new @ Value::Object(_))) => diff(&nothing, new),
        (Some(old @ Value::Object(_)), None) => diff(old, &nothing),
        (None, None) => Vec::new(),
        (old, new) => vec![FieldChange { path: String::new(), old: old.cloned(), new: new.cloned() }],
    };
    fields.into_iter().map(Field::from).collect()
}

/// One line a field, each behind `indent`.
pub(super) fn lines(fields: &[Field], indent: &str) -> String {
    fields.iter().map(|field| format!("{indent}{}\n", line(field))).collect()
}

fn line(field: &Field) -> String {
    let path = if field.path.is_empty() { WHOLE } else { &field.path };
    let line = match (&field.old, &field.new) {
        (Some(old), Some(new)) => format!("~ {path}: {old} -> {new}"),
        (Some(old), None) => format!("- {path}: {old}"),
        (None, Some(new)) => format!("+ {path}: {new}"),
        (None, None) => format!("  {path}"),
    };
    render::printable(&line)
}

#[cfg(test)]
pub(super) mod tests {
    use keeper_client_sdk::Format;
    use serde_json::json;

    use super::*;

    pub(in crate::config) fn document(path: &str, revision: u64, value: &str) -> Document {
        Document {
            path: path.into(),
            format: Some(Format::Toml),
            text: format!("# {value}\n"),
            canonical: value.to_owned().into(),
            revision,
            version: 2,
            author: "ann@desk".into(),
            message: "raise limits".into(),
            published_at_ms: 1_795_361_762_345,
            deleted: false,
            forced: None,
            secrets: Vec::new(),
            secret_keys: Vec::new(),
        }
    }

    #[test]
    fn fields_one_a_line() {
        let old = json!({"inflight": 100, "rooms": ["a", "b"], "gone": null, "same": 1});
        let new = json!({"inflight": 200, "rooms": ["a", "c", "d"], "same": 1, "tls": {"on": true}});
        let expected = "\
- gone: null
~ inflight: 100 -> 200
~ rooms[1]: \"b\" -> \"c\"
+ rooms[2]: \"d\"
+ tls: {\"on\":true}
";
        assert_eq!(lines(&changes(Some(&old), Some(&new)), ""), expected);
    }

    #[test]
    fn what_is_not_there_is_empty() {
        let value = json!({"a": 1, "b": "x"});
        assert_eq!(lines(&changes(None, Some(&value)), "  "), "  + a: 1\n  + b: \"x\"\n");
        assert_eq!(lines(&changes(Some(&value), None), ""), "- a: 1\n- b: \"x\"\n");
        assert_eq!(lines(&changes(None, Some(&json!([1]))), ""), "+ (all): [1]\n");
        assert_eq!(lines(&changes(Some(&json!([1])), None), ""), "- (all): [1]\n");
        assert_eq!(changes(None, None), []);
    }

    #[test]
    fn another_shape_is_one_change() {
        assert_eq!(lines(&changes(Some(&json!([1])), Some(&json!({"a": 1}))), ""), "~ (all): [1] -> {\"a\":1}\n");
    }

    #[test]
    fn fields_as_json() {
        let fields = changes(Some(&json!({"a": 1, "b": null})), Some(&json!({"a": null, "c": 2})));
        let expected = r#"[{"path":"a","old":1,"new":null},{"path":"b","old":null},{"path":"c","new":2}]"#;
        assert_eq!(serde_json::to_string(&fields).ok().as_deref(), Some(expected));
    }
}
