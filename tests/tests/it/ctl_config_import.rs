//! Documents taken over from elsewhere, by `keeperctl config import` against a real cluster.

use std::io::Write;

use keeper_tests::InProcess;
use serde_json::Value;
use zip::{ZipWriter, write::SimpleFileOptions};

use crate::ctl::{Ctl, words};

/// Printed by etcdctl 3.4.23.
const ETCD: &str = include_str!("../../../keeperctl/src/config/import/samples/etcd.json");
const APOLLO: &str = include_str!("../../../keeperctl/src/config/import/samples/shop+default+application.properties");

/// What a table of an answer holds in one column.
fn column(answer: &Value, list: &str, name: &str) -> Vec<String> {
    let rows = answer[list].as_array().expect("a list");
    rows.iter().map(|row| row[name].as_str().unwrap_or_default().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_an_etcd_prefix_is_left_out_in_silence() {
    let cluster = InProcess::start(1).await;
    let ctl = Ctl::of(&cluster);
    let printed = ctl.file("config.json", ETCD);
    let arguments = ["-o", "json", "config", "import", "etcd", &printed, "--strip", "config/"];
    let refused = ctl.run(&arguments).await;
    assert_eq!(refused.status.code(), Some(1), "{}", words(&refused));
    assert!(words(&refused).contains("4 cannot be taken as they are, so nothing was published"), "{}", words(&refused));
    let told: Value = serde_json::from_slice(&refused.stdout).expect("both lists");
    let expected = ["/config/push/blob", "/config/push/max_connections", "/config/push/motd", "/config/push/näme.toml"];
    assert_eq!(column(&told, "left", "name"), expected);
    assert_eq!(ctl.json(&["config", "list"]).await["documents"].as_array().map(Vec::len), Some(0));

    let taken = ctl.json(&[&arguments[2..], &["--skip", "--message", "moved"]].concat()).await;
    assert_eq!(column(&taken, "documents", "path"), ["billing.json", "gate/routes.yaml", "push/room.toml"]);
    assert_eq!(column(&taken, "documents", "becomes"), ["created"; 3]);
    let revisions: Vec<_> = taken["documents"].as_array().unwrap().iter().map(|row| row["revision"].as_u64()).collect();
    assert!(revisions[0].is_some() && revisions.iter().all(|revision| *revision == revisions[0]), "{taken}");
    let room = ctl.run(&["config", "get", "push/room.toml"]).await;
    let expected = "# how rooms treat devices\nmax_inflight = 64\n\n[retry]\nbackoff_ms = 250\n";
    assert_eq!(String::from_utf8_lossy(&room.stdout), expected);

    let again = ctl.json(&[&arguments[2..], &["--skip"]].concat()).await;
    assert_eq!(column(&again, "documents", "becomes"), ["unchanged"; 3]);
    let changed = ctl.file("b.json", "{\"price\": 4}");
    ctl.json(&["config", "put", "billing.json", &changed]).await;
    let kept = ctl.run(&arguments).await;
    assert!(String::from_utf8_lossy(&kept.stdout).contains("billing.json exists: `--overwrite` replaces it"));
    let replaced = ctl.json(&[&arguments[2..], &["--skip", "--overwrite"]].concat()).await;
    assert_eq!(column(&replaced, "documents", "becomes"), ["changed", "unchanged", "unchanged"]);
    assert_eq!(ctl.json(&["config", "get", "billing.json"]).await["value"]["price"], 3);
}

/// The layout and the words of `ConfigControllerV3.exportConfig` of Nacos 3.1, written as its `ZipUtils` writes them.
fn nacos_export() -> Vec<u8> {
    let metadata = "\
metadata:
- appName: ''
  dataId: gateway.yaml
  group: DEFAULT_GROUP
  type: yaml
- appName: shop
  dataId: shop-order
  desc: 订单服务
  group: DEFAULT_GROUP
  type: yaml
- appName: ''
  dataId: redis.properties
  desc: ''
  group: PUSH
  type: properties
- appName: ''
  dataId: homepage.json
  desc: ''
  group: PUSH
  type: text
- appName: ''
  dataId: logback.xml
  desc: ''
  group: PUSH
  type: xml
- appName: ''
  dataId: broken.yaml
  desc: ''
  group: PUSH
  type: yaml
";
    let files = [
        ("DEFAULT_GROUP/gateway.yaml", "spring:\n  cloud:\n    gateway: # 网关\n      routes: [push, shop]\n"),
        ("DEFAULT_GROUP/shop-order", "order:\n  timeout-ms: 3000\n"),
        ("PUSH/redis.properties", "# who answers\nspring.redis.host=127.0.0.1\nspring.redis.port=6379\n"),
        ("PUSH/homepage.json", "{\"banner\": [1, 2]}"),
        ("PUSH/logback.xml", "<configuration/>"),
        ("PUSH/broken.yaml", "a: 1\na: 2\n"),
        (".metadata.yml", metadata),
    ];
    let mut writer = ZipWriter::new_stream(Vec::new());
    for (name, text) in files {
        writer.start_file(name, SimpleFileOptions::default()).unwrap();
        writer.write_all(text.as_bytes()).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_of_nacos_is_taken_over() {
    let cluster = InProcess::start(1).await;
    let ctl = Ctl::of(&cluster);
    let export = ctl.file("nacos_config_export_20261123071500.zip", "");
    std::fs::write(&export, nacos_export()).unwrap();
    let arguments = ["config", "import", "nacos", &export, "--prefix", "nacos/"];
    let taken = ctl.json(&[&arguments[..], &["--skip"]].concat()).await;
    let expected = [
        "nacos/DEFAULT_GROUP/gateway.yaml",
        "nacos/DEFAULT_GROUP/shop-order",
        "nacos/PUSH/redis.ini",
        "nacos/PUSH/homepage.json",
    ];
    assert_eq!(column(&taken, "documents", "path"), expected);
    assert_eq!(column(&taken, "left", "name"), ["PUSH/logback.xml", "PUSH/broken.yaml"]);
    let why = column(&taken, "left", "why");
    assert!(why[1].contains("line 2"), "{why:?}");
    let order = ctl.json(&["config", "get", "nacos/DEFAULT_GROUP/shop-order"]).await;
    assert_eq!((&order["format"], &order["value"]["order"]["timeout-ms"]), (&"yaml".into(), &3000.into()));
    let redis = ctl.json(&["config", "get", "nacos/PUSH/redis.ini"]).await;
    assert_eq!(redis["text"], "# who answers\nspring.redis.host = 127.0.0.1\nspring.redis.port = 6379\n");
    assert_eq!(redis["value"]["spring.redis.port"], "6379");
    let bomb = ctl.file("damaged.zip", "PK\u{3}\u{4}and nothing of a zip");
    let refused = ctl.run(&["config", "import", "nacos", &bomb]).await;
    assert_eq!(refused.status.code(), Some(2));
    assert!(words(&refused).contains("this is no zip that can be read"), "{}", words(&refused));
}

#[tokio::test(flavor = "multi_thread")]
async fn namespaces_of_apollo_are_taken_over() {
    let cluster = InProcess::start(1).await;
    let ctl = Ctl::of(&cluster);
    ctl.file("shop+default+application.properties", APOLLO);
    let routes = r#"[{"id":0,"namespaceId":0,"key":"content","type":0,"value":"routes:\n  - push\n","lineNum":1}]"#;
    ctl.file("shop+default+routes.yml", routes);
    // What quotes, escapes and signs INI gives a meaning come through as they were.
    let odd = "a.b=\"quoted\"\nc=' x\nd\\ e=https\\://x/?q\\=1;#no comment\nf=tail  \ng=C\\:\\\\temp\n";
    let odd = ctl.file("shop+gray+odd.properties", odd);
    let folder = std::path::Path::new(&odd).parent().unwrap().display().to_string();
    let taken = ctl.json(&["config", "import", "apollo", &folder]).await;
    let expected = ["shop/default/application.ini", "shop/default/routes.yml", "shop/gray/odd.ini"];
    assert_eq!(column(&taken, "documents", "path"), expected);
    let shop = ctl.json(&["config", "get", "shop/default/application.ini"]).await;
    assert_eq!(shop["value"]["timeout.ms"], "3000");
    assert!(shop["text"].as_str().is_some_and(|text| text.contains("# how long a payment may take\n")), "{shop}");
    assert_eq!(ctl.json(&["config", "get", "shop/default/routes.yml"]).await["value"]["routes"][0], "push");
    let odd = &ctl.json(&["config", "get", "shop/gray/odd.ini"]).await["value"];
    let expected = serde_json::json!({
        "a.b": "\"quoted\"", "c": "' x", "d e": "https://x/?q=1;#no comment", "f": "tail  ", "g": "C:\\temp",
    });
    assert_eq!(*odd, expected);
    // Of a single file the folder is no part of its name.
    let room = ctl.file("room.toml", "a = 1\n");
    let taken = ctl.json(&["config", "import", "apollo", &room, "--rename", "room.toml=push/room.toml"]).await;
    assert_eq!(column(&taken, "documents", "path"), ["push/room.toml"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_one_publish_can_hold_is_said_to_be_several() {
    let cluster = InProcess::start(3).await;
    let ctl = Ctl::of(&cluster);
    let first = ctl.file("doc-000.toml", "n = 0\n");
    for n in 1..130 {
        ctl.file(&format!("doc-{n:03}.toml"), &format!("n = {n}\n"));
    }
    let folder = std::path::Path::new(&first).parent().unwrap().display().to_string();
    let imported = ctl.run(&["config", "import", "folder", &folder, "--prefix", "many/"]).await;
    assert!(imported.status.success(), "{}", words(&imported));
    let said = words(&imported);
    assert!(said.contains("3 publishes of at most 64 documents, each whole or not at all"), "{said}");
    let list = ctl.json(&["config", "list", "many/"]).await;
    let documents = list["documents"].as_array().unwrap();
    let mut revisions: Vec<_> = documents.iter().map(|row| row["revision"].as_u64().unwrap()).collect();
    revisions.dedup();
    assert_eq!((documents.len(), revisions.len()), (130, 3), "{revisions:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_is_answered_as_the_import_will_be() {
    let cluster = InProcess::start(1).await;
    let ctl = Ctl::of(&cluster);
    let schema = r#"{"paths": ["push/*.yaml"], "schema": {"properties": {"v": {"type": "integer"}}}}"#;
    let schema = ctl.file("schema.json", schema);
    ctl.json(&["config", "put", "keeper/schemas/push.json", &schema]).await;
    let folder = std::path::Path::new(&schema).parent().unwrap().join("source");
    let write = |name: &str, text: &str| {
        let file = folder.join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    };
    write("push/a.yaml", "v: s\n");
    write("push/b.yaml", "v: 1\n");
    let folder = folder.display().to_string();
    let objected = ctl.run(&["config", "import", "folder", &folder, "--dry-run"]).await;
    assert_eq!(objected.status.code(), Some(1), "{}", words(&objected));
    let said = words(&objected);
    assert!(said.contains("error: 1 thing speaks against it: it would be refused"), "{said}");
    assert!(said.contains("push/a.yaml: v does not fit keeper/schemas/push.json"), "{said}");
    write("keeper/schemas/x.json", "{}");
    let left = ctl.run(&["-o", "json", "config", "import", "folder", &folder, "--dry-run"]).await;
    assert_eq!(left.status.code(), Some(1), "{}", words(&left));
    let told: Value = serde_json::from_slice(&left.stdout).expect("both lists");
    assert_eq!(column(&told, "left", "name"), ["keeper/schemas/x.json"]);
    assert_eq!(column(&told, "documents", "path"), ["push/a.yaml", "push/b.yaml"]);
    assert_eq!(column(&told, "objections", "path"), ["push/a.yaml"]);
    write("push/a.yaml", "v: 2\n");
    let sound = ctl.run(&["config", "import", "folder", &folder, "--dry-run", "--skip"]).await;
    assert!(sound.status.success(), "{}", words(&sound));
    assert_eq!(ctl.json(&["config", "list", "push/"]).await["documents"].as_array().map(Vec::len), Some(0));
    let taken = ctl.json(&["config", "import", "folder", &folder, "--skip"]).await;
    assert_eq!(column(&taken, "documents", "path"), ["push/a.yaml", "push/b.yaml"]);
    let typo = ctl.run(&["config", "import", "folder", &folder, "--strip", "psh/"]).await;
    assert_eq!(typo.status.code(), Some(2), "{}", words(&typo));
    assert!(words(&typo).contains("`--strip`: nothing begins with \"psh/\""), "{}", words(&typo));
}
