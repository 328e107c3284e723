//! Keys below an etcd prefix, as `etcdctl get --prefix PREFIX -w json` prints them.
//!
//! Keys and values are bytes there, in base64. A key becomes a path without its leading `/`. etcd knows nothing of
//! formats: a key's ending says it, or `--format` does. What one printed is one revision of etcd, so nothing here is
//! torn.

use data_encoding::BASE64;
use serde::Deserialize;

use super::item::Item;
use crate::{failure::Failure, name::Name};

#[derive(Debug, Deserialize)]
struct Answer {
    #[serde(default)]
    kvs: Vec<Pair>,
    /// `--limit` cut the answer.
    #[serde(default)]
    more: bool,
}

#[derive(Debug, Deserialize)]
struct Pair {
    key: String,
    /// Left out when it is empty.
    #[serde(default)]
    value: String,
}

pub(super) fn read(printed: &[u8]) -> Result<Vec<Item>, Failure> {
    let answer: Answer = serde_json::from_slice(printed).map_err(|error| {
        Failure::failed(format!("this is not what `etcdctl get -w json` prints: {error}"))
            .remedy("make it with `ETCDCTL_API=3 etcdctl get --prefix /config/ -w json > config.json`")
    })?;
    if answer.more {
        return Err(Failure::failed("etcdctl cut its answer short: it says that there is more")
            .remedy("ask it again without `--limit`"));
    }
    if !answer.kvs.is_empty() && answer.kvs.iter().all(|pair| pair.value.is_empty()) {
        return Err(Failure::failed("no key has a value").remedy("ask etcdctl again without `--keys-only`"));
    }
    answer.kvs.iter().map(item).collect()
}

fn item(pair: &Pair) -> Result<Item, Failure> {
    let decoded = |text: &str| {
        let bytes = BASE64.decode(text.as_bytes());
        bytes.map_err(|error| Failure::failed(format!("{text:?} is not base64, as etcdctl prints it: {error}")))
    };
    let (key, bytes) = (decoded(&pair.key)?, decoded(&pair.value)?);
    let name = Name::from(key.as_slice()).to_string();
    let path = name.trim_start_matches('/').to_owned();
    Ok(Item { name, path, bytes, says: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Printed by etcdctl 3.4.23.
    const PRINTED: &[u8] = include_bytes!("samples/etcd.json");

    #[test]
    fn what_etcdctl_prints_is_read() {
        let items = read(PRINTED).expect("printed by etcdctl");
        let names: Vec<_> = items.iter().map(|item| item.name.as_str()).collect();
        let expected = [
            "/config/billing.json",
            "/config/gate/routes.yaml",
            "/config/push/blob",
            "/config/push/max_connections",
            "/config/push/motd",
            "/config/push/näme.toml",
            "/config/push/room.toml",
        ];
        assert_eq!(names, expected);
        assert_eq!(items[0].bytes, b"{\"price\": 3, \"currency\": \"EUR\"}\n");
        assert_eq!(items[2].bytes, [0, 255, 1]);
        assert_eq!(items[6].path, "config/push/room.toml");
    }

    #[test]
    fn what_is_not_whole_is_refused() {
        let refused = |printed: &str| read(printed.as_bytes()).expect_err(printed).message;
        assert!(refused("/config/a\n1\n").contains("this is not what `etcdctl get -w json` prints"));
        assert!(refused(r#"{"kvs":[{"key":"YQ==","value":"MQ=="}],"more":true}"#).contains("there is more"));
        assert_eq!(refused(r#"{"kvs":[{"key":"YQ=="}],"count":1}"#), "no key has a value");
        assert!(refused(r#"{"kvs":[{"key":"YQ","value":"MQ=="}]}"#).contains("is not base64"));
        assert_eq!(read(br#"{"header":{"revision":8}}"#).map(|items| items.len()), Ok(0));
    }
}
