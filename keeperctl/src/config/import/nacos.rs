//! What the console of Nacos exports: a zip of `GROUP/DATA-ID` files, and `.metadata.yml` that says how each is
//! written.
//!
//! A document becomes `GROUP/DATA-ID`. What its ending says goes before the metadata: the console calls everything
//! `text` until somebody chooses, and few do. Exports older than `.metadata.yml` have a `.meta.yml` of application
//! names alone, and some have nothing; then the endings have to do. Descriptions and names of applications have no
//! place in a document and stay behind; nothing else does.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;

use super::{
    archive::{Packed, Unpacked},
    item::{Item, Kind},
    plan::Left,
};
use crate::failure::Failure;

/// Says what is in the archive; since Nacos 2.0.
pub(super) const METADATA: &str = ".metadata.yml";

/// Said whose application a document is; until Nacos 2.0.
const APPLICATIONS: &str = ".meta.yml";

#[derive(Debug, Default, Deserialize)]
struct Metadata {
    metadata: Vec<Row>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    group: String,
    data_id: String,
    #[serde(rename = "type")]
    kind: Option<String>,
}

/// Each document, and what the metadata promises in vain. The metadata comes as a value: the daemon reads YAML.
pub(super) fn read(unpacked: Unpacked, metadata: Option<Value>) -> Result<(Vec<Item>, Vec<Left>), Failure> {
    let Unpacked { files, repeated } = unpacked;
    let metadata = metadata.map_or_else(|| Ok(Metadata::default()), serde_json::from_value);
    let metadata: Metadata = metadata
        .map_err(|error| Failure::failed(format!("{METADATA} is not what the console of Nacos writes: {error}")))?;
    let kinds: BTreeMap<_, _> =
        metadata.metadata.into_iter().map(|row| (format!("{}/{}", row.group, row.data_id), row.kind)).collect();
    let mut items = Vec::new();
    let mut seen: BTreeSet<_> = repeated.keys().cloned().collect();
    let mut left = Left::repeated(repeated);
    for Packed { name, bytes } in files {
        if name == METADATA || name == APPLICATIONS {
            continue;
        }
        if name.split('/').count() != 2 {
            left.push(Left::new(name, "lies in no folder of a group"));
            continue;
        }
        let says = kinds.get(&name).and_then(Option::as_deref);
        let says = says.and_then(Kind::of_word);
        seen.insert(name.clone());
        items.push(Item { path: name.clone(), name, bytes, says });
    }
    let missing = kinds.into_keys().filter(|name| !seen.contains(name));
    left.extend(missing.map(|name| Left::new(name, "the metadata names it, and the zip does not hold it")));
    Ok((items, left))
}

#[cfg(test)]
mod tests {
    use keeper_client_sdk::Format;
    use serde_json::json;

    use super::*;
    use crate::config::import::archive::{tests::zipped, unpack};

    fn exported() -> Vec<u8> {
        zipped(&[
            ("DEFAULT_GROUP/gateway.yaml", b"routes:\n  - id: push\n"),
            ("DEFAULT_GROUP/shop-order", b"a: 1\n"),
            ("PUSH/redis.properties", b"redis.host=127.0.0.1\n"),
            ("PUSH/deep/down.json", b"{}"),
            (METADATA, b"metadata:\n- appName: ''\n"),
        ])
    }

    /// As the server reads it.
    fn metadata() -> Value {
        let row =
            |group: &str, id: &str, kind: &str| json!({"appName": "", "dataId": id, "group": group, "type": kind});
        let rows = [
            row("DEFAULT_GROUP", "gateway.yaml", "text"),
            row("DEFAULT_GROUP", "shop-order", "yaml"),
            row("PUSH", "redis.properties", "properties"),
            row("PUSH", "gone.json", "json"),
        ];
        json!({"metadata": rows})
    }

    #[test]
    fn an_export_is_read_with_what_its_metadata_says() {
        let (items, left) = read(unpack(&exported()).expect("a zip"), Some(metadata())).expect("an export");
        let told: Vec<_> = items.iter().map(|item| (item.path.as_str(), item.says.clone())).collect();
        let expected = [
            ("DEFAULT_GROUP/gateway.yaml", None),
            ("DEFAULT_GROUP/shop-order", Some(Kind::Document(Format::Yaml))),
            ("PUSH/redis.properties", Some(Kind::Properties)),
        ];
        assert_eq!(told, expected);
        let expected = [
            Left::new("PUSH/deep/down.json", "lies in no folder of a group"),
            Left::new("PUSH/gone.json", "the metadata names it, and the zip does not hold it"),
        ];
        assert_eq!(left, expected);
    }

    #[test]
    fn an_export_without_metadata_is_read_by_its_endings() {
        let (items, left) = read(unpack(&exported()).expect("a zip"), None).expect("an export");
        assert_eq!((items.len(), left.len()), (3, 1));
        let refused = read(Unpacked::default(), Some(json!({"rows": []}))).expect_err("no metadata");
        assert!(refused.message.starts_with(".metadata.yml is not what the console of Nacos writes"), "{refused:?}");
    }
}
