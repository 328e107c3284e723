//! Texts that are not published: judged, converted, merged. Any node does it.

use keeper_client_sdk::{Edit, Format, Merge};
use keeper_tests::InProcess;

#[tokio::test(flavor = "multi_thread")]
async fn a_text_is_judged_without_being_published() {
    let cluster = InProcess::start(3).await;
    let keeper = cluster.keeper().await;
    crate::config_judge::attach(&keeper).await;
    let configs = cluster.client(cluster.follower().await).await.configs();
    let linted = configs.lint_and_judge("push/room.toml", None, "push = { max_inflight = 200 }").await.unwrap();
    assert_eq!(linted.objections.len(), 1, "{linted:?}");
    assert!(linted.objections[0].message.contains("200 is greater than the maximum of 100"), "{linted:?}");
    let linted = configs.lint_and_judge("push/room.toml", None, "push = { max_inflight = 2 }").await.unwrap();
    assert!(linted.objections.is_empty());
    assert_eq!(&linted.canonical[..], br#"{"push":{"max_inflight":2}}"#);
    let refused = configs.lint("push/room.toml", None, "push = = 2").await.unwrap_err().to_string();
    assert!(refused.contains("line 1, column 8"), "{refused}");
    let broken = r#"{"paths": ["push/*"], "schema": {"type": "objekt"}}"#;
    let refused = configs.lint_and_judge("keeper/schemas/x.json", None, broken).await.unwrap_err().to_string();
    assert!(refused.contains("keeper/schemas/x.json: ") && refused.contains("objekt"), "{refused}");
    assert!(keeper.configs().list("push/").await.unwrap().documents.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_that_cannot_be_read_is_not_attached() {
    let cluster = InProcess::start(1).await;
    let keeper = cluster.keeper().await;
    let broken = [
        (r#"{"paths": ["push/*"], "schema": {"type": "objekt"}}"#, "objekt"),
        (r#"{"paths": ["push/*"], "schema": {"$ref": "http://elsewhere/x"}}"#, "a schema is self-contained"),
        (r#"{"paths": [], "schema": {}}"#, "`paths` is a list of 1 to 64 patterns"),
        (r#"{"paths": ["../x"], "schema": {}}"#, "`paths` has an element that is no pattern"),
        (r#"{"path": "x"}"#, "an attached schema has the fields `paths` and `schema`"),
        (r#"{"paths": ["a"], "schema": {"pattern": "(a{1000}){1000}"}}"#, "pattern"),
    ];
    for (text, said) in broken {
        let refused = keeper.configs().publish(Edit::put("keeper/schemas/x.json", text)).await.unwrap_err().to_string();
        assert!(refused.contains("keeper/schemas/x.json: ") && refused.contains(said), "{text}: {refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_format_is_another_one_or_cannot_say_it() {
    let cluster = InProcess::start(1).await;
    let configs = cluster.keeper().await.configs();
    let toml = configs.convert("a: 1\nb: [x, y]\n", Format::Yaml, Format::Toml).await.unwrap();
    assert_eq!(toml, "a = 1\nb = [\n    \"x\",\n    \"y\",\n]\n");
    let refused = configs.convert("{\"a\": {\"b\": null}}", Format::Json, Format::Toml).await.unwrap_err().to_string();
    assert!(refused.contains("TOML cannot say this: a.b is null"), "{refused}");
    let refused = configs.convert("a: [", Format::Yaml, Format::Json).await.unwrap_err().to_string();
    assert!(refused.contains("line 1"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_changes_become_one_with_the_comments_of_both() {
    let cluster = InProcess::start(1).await;
    let configs = cluster.keeper().await.configs();
    let merge = |base: &str, ours: &str, theirs: &str| Merge {
        path: "a.toml".to_owned(),
        format: None,
        base: base.to_owned(),
        ours: ours.to_owned(),
        theirs: theirs.to_owned(),
    };
    let base = "# top\na = 1\n\nb = 1\n";
    let merged =
        configs.merge(merge(base, "# ours\na = 2\n\nb = 1\n", "# top\na = 1\n\nb = 2 # theirs\n")).await.unwrap();
    assert_eq!((merged.text.as_str(), merged.conflicts.len()), ("# ours\na = 2\n\nb = 2 # theirs\n", 0));
    let merged = configs.merge(merge(base, "a = 2\nb = 1\n", "a = 3\nb = 2\n")).await.unwrap();
    assert_eq!(merged.conflicts.len(), 1);
    assert_eq!(merged.conflicts[0].path, "a");
    assert_eq!(
        (merged.conflicts[0].ours.clone(), merged.conflicts[0].theirs.clone()),
        (Some(2.into()), Some(3.into()))
    );
    assert_eq!(merged.text, "a = 2\nb = 2\n");
}
