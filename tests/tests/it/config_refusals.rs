//! Bad input is refused with its place, the limit and the way out; the running value stays.

use std::fmt::Write as _;

use keeper_client_sdk::{Edit, Error, Format, Keeper, Publish, Reader, Secrets};
use keeper_registry::limits::{DOCUMENT_BYTES_MAX, LAYERS_MAX, PUBLISH_DOCUMENTS_MAX};
use keeper_tests::{InProcess, WAIT_MAX};

const PATH: &str = "push/room.json";
/// How a layer is written.
const LAYER: &str = "@zone=ZONE, @service=SERVICE, or @label.NAME=VALUE";
const TEXT: &str = "{\"a\": 1}";

fn said(refused: &Error) -> String {
    assert!(!refused.is_retryable() && !refused.may_have_happened(), "{refused}");
    refused.to_string()
}

/// Each publish is refused in these words, and nothing of it is there afterwards.
async fn all_refused(keeper: &Keeper, bad: Vec<(&str, Publish, &[&str])>) {
    let configs = keeper.configs();
    let first = configs.publish(Edit::put(PATH, TEXT)).await.unwrap();
    for (name, publish, words) in bad {
        let refused = said(&configs.publish(publish).await.expect_err(name));
        assert!(refused.len() < 600, "{name}: {refused}");
        for word in words {
            assert!(refused.contains(word), "{name}: {refused}");
        }
    }
    let documents = configs.list("").await.unwrap().documents;
    assert_eq!(
        documents.iter().map(|it| (it.path.as_str(), it.revision)).collect::<Vec<_>>(),
        [(PATH, first.revision)]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_that_are_no_documents_or_bombs() {
    let cluster = InProcess::start(1).await;
    // Without optimization the largest take seconds to be refused.
    let patient = Keeper::builder().endpoint(cluster.endpoint(0));
    let keeper = patient.attempt_timeout(WAIT_MAX).operation_timeout(WAIT_MAX).build().unwrap();
    let put = |format: Format, text: String| Publish::of(Edit::put(PATH, text).format(format));
    let deep = |open: &str| open.repeat(100_000);
    let mut laughs = "l0: &l0 [a,a,a,a,a,a,a,a,a,a]\n".to_owned();
    for i in 1..9 {
        let each = vec![format!("*l{}", i - 1); 10].join(",");
        writeln!(laughs, "l{i}: &l{i} [{each}]").unwrap();
    }
    let bad: Vec<(&str, Publish, &[&str])> = vec![
        ("toml", put(Format::Toml, "a = 1\nb = = 2\n".to_owned()), &["line 2, column 5"]),
        ("yaml", put(Format::Yaml, "a: 1\nb: [1\nc: 2\n".to_owned()), &["line"]),
        ("json", put(Format::Json, "{\n  \"a\": 1,\n}".to_owned()), &["line 3, column 1", "trailing comma"]),
        ("ini", put(Format::Ini, "[a\nb = 1\n".to_owned()), &["line 1"]),
        ("twice", put(Format::Json, "{\"a\": 1,\n \"a\": 2}".to_owned()), &["line 2, column 4", "`a` is given twice"]),
        ("large", put(Format::Ini, ";".repeat(DOCUMENT_BYTES_MAX + 1)), &["has 1048577 bytes", "1048576", "split it"]),
        ("deep json", put(Format::Json, deep("[")), &["line 1, column 65", "more than 64 deep", "make it flatter"]),
        ("deep toml", put(Format::Toml, format!("a = {}", deep("["))), &["more than 64 deep", "make it flatter"]),
        ("deep yaml", put(Format::Yaml, deep("[")), &["more than 64 deep", "make it flatter"]),
        ("anchors", put(Format::Yaml, laughs), &["aliases are expanded", "1048576 bytes or 262144 values", "fewer"]),
        ("fields", put(Format::Json, format!("[{}0]", "0,".repeat(300_000))), &["more than 262144 values", "split it"]),
        ("wide", put(Format::Json, "[18446744073709551616]".to_owned()), &["column 2", "64 bits", "as a string"]),
        ("nan", put(Format::Toml, "a = nan\n".to_owned()), &["line 1, column 5", "not a finite number"]),
    ];
    all_refused(&keeper, bad).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_numbers_and_layers_that_are_none() {
    let cluster = InProcess::start(1).await;
    let keeper = cluster.keeper().await;
    let put = |path: &str| Publish::of(Edit::put(path, "1").format(Format::Json));
    let many = (1..=PUBLISH_DOCUMENTS_MAX).fold(put("n/0"), |all, n| all.and(Edit::put(format!("n/{n}"), "1")));
    let halves = ["a.json", "b.json", "c.json"].map(|path| Edit::put(path, format!("\"{}\"", "x".repeat(1_000_000))));
    let [a, b, c] = halves;
    let long = format!("a/{}.json", "x".repeat(255));
    let layers = (0..=LAYERS_MAX).map(|n| Edit::put(format!("many.json@zone=z{n}"), "{}"));
    let (mut some, mut layers) = (None::<Publish>, layers);
    for edit in layers.by_ref().take(PUBLISH_DOCUMENTS_MAX) {
        some = Some(some.map_or_else(|| Publish::of(edit.clone()), |all| all.and(edit.clone())));
    }
    let bad: Vec<(&str, Publish, &[&str])> = vec![
        ("no format", Publish::of(Edit::put("a", "1")), &["`a` ends in none of .toml", "name the format"]),
        ("empty part", put("a//b"), &["`path`", "[A-Za-z0-9._-]"]),
        ("up", put("a/../b"), &["`path`", "[A-Za-z0-9._-]"]),
        ("long", put(&long), &["`path` has 262 bytes; the limit is 256"]),
        ("no layer", put("a@"), &[LAYER]),
        ("unknown layer", put("a@host=x"), &[LAYER]),
        ("empty zone", put("a@zone="), &[LAYER]),
        ("unsorted labels", put("a@label.b=1,label.a=1"), &[LAYER, "sorted by name"]),
        ("a label twice", put("a@label.a=1,label.a=2"), &[LAYER]),
        ("of its own", put("keeper/x@zone=a"), &["documents below keeper/ have none"]),
        ("many", many, &["`changes` lists 65; the limit is 64", "publish less at a time"]),
        ("much", Publish::of(a).and(b).and(c), &["3000006", "2097152", "publish less at a time"]),
        ("twice", put("a").and(Edit::put("a", "2").format(Format::Json)), &["`path` names the same thing twice"]),
        ("nothing to delete", Publish::of(Edit::delete("none.json")), &["no such document"]),
        ("no such secret", Publish::of(Edit::put("a.json", "1").secret("a[")), &["`a[` is no field", "push.token"]),
        ("a long reason", put("a").forced("x".repeat(1_025)), &["`forced` has 1025 bytes; the limit is 1024"]),
        ("a long author", put("a").author("x".repeat(129)), &["`author` has 129 bytes; the limit is 128"]),
    ];
    all_refused(&keeper, bad).await;
    keeper.configs().publish(some.expect("layers")).await.unwrap();
    let last = layers.next().expect("one more");
    let refused = said(&keeper.configs().publish(last).await.unwrap_err());
    assert!(refused.contains("no room for more layers of a document; the limit is 64"), "{refused}");
    let refused = keeper.configs().effective("a@zone=x", &Reader::nobody(), Secrets::Masked).await.unwrap_err();
    assert!(said(&refused).contains("an instance reads `a`"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_too_late_is_told_where_the_document_stands() {
    let cluster = InProcess::start(1).await;
    let keeper = cluster.keeper().await;
    let first = keeper.configs().publish(Edit::put(PATH, TEXT)).await.unwrap();
    let second = keeper.configs().publish(Edit::put(PATH, "{}")).await.unwrap();
    let late = keeper.configs().publish(Edit::put(PATH, "1").expecting(first.revision)).await.unwrap_err();
    let words = format!("`{PATH}` is at revision {}, not at {}", second.revision, first.revision);
    assert!(said(&late).contains(&words), "{late}");
    let late = keeper.configs().publish(Edit::put(PATH, "1").expecting_none()).await.unwrap_err();
    assert!(said(&late).contains("exists already"), "{late}");
    let early = keeper.configs().publish(Edit::put("b.json", "1").expecting(first.revision)).await.unwrap_err();
    assert!(said(&early).contains("does not exist"), "{early}");
    assert_eq!(keeper.configs().get(PATH).await.unwrap().unwrap().text, "{}");
}

/// A document that is fine by itself and too large with its layers.
#[tokio::test(flavor = "multi_thread")]
async fn layers_that_are_too_large_together() {
    let cluster = InProcess::start(1).await;
    let keeper = cluster.keeper().await;
    let half = |name: &str| format!("{{\"{name}\": \"{}\"}}", "x".repeat(600_000));
    keeper.configs().publish(Edit::put(PATH, half("a"))).await.unwrap();
    let layer = Edit::put(format!("{PATH}@zone=eu"), half("b"));
    let refused = said(&keeper.configs().publish(layer).await.unwrap_err());
    assert!(refused.contains(&format!("{PATH} with zone=eu: the effective document has 12000")), "{refused}");
    assert!(refused.contains("the limit is 1048576"), "{refused}");
}

/// While a rollout is under way on a path, nobody else publishes there, and no second one begins.
#[tokio::test(flavor = "multi_thread")]
async fn a_path_that_is_rolled_out_is_nobody_elses() {
    use keeper::batch::Batch;
    use keeper_registry::{Command, Gates, InstanceSelector, LogTime, Stage, StartRollout};
    let cluster = InProcess::start(1).await;
    let keeper = cluster.keeper().await;
    keeper.configs().publish(Edit::put(PATH, TEXT)).await.unwrap();
    let action = keeper_registry::DocumentAction::Put {
        format: keeper_registry::Format::Json,
        text: "2".into(),
        value: "2".into(),
        policy: None,
    };
    let change = keeper_registry::DocumentChange { path: PATH.to_owned(), expected: None, action };
    let publish = keeper_registry::Publish { changes: vec![change], ..Default::default() };
    let stage = Stage { selector: InstanceSelector::default(), share_bps: 500, hold_ms: None };
    let start = Command::StartRollout(StartRollout { publish, stages: vec![stage], gates: Gates::default() });
    let leader = cluster.node(0).raft();
    let started = leader.propose(Batch::new(LogTime(1), vec![start])).await.unwrap();
    let refused = said(&keeper.configs().publish(Edit::put(PATH, "3")).await.unwrap_err());
    let words = format!("`{PATH}` is part of rollout {}, which is under way: promote or abort it", started.revision);
    assert!(refused.contains(&words), "{refused}");
    let layer = Edit::put(format!("{PATH}@zone=eu"), "3");
    let refused = said(&keeper.configs().publish(layer).await.unwrap_err());
    assert!(refused.contains("part of rollout"), "{refused}");
    assert_eq!(keeper.configs().get(PATH).await.unwrap().unwrap().text, TEXT);
}
