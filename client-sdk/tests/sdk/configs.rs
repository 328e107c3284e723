//! A document becomes a value, and each change of it is told once.

use std::sync::Arc;

use keeper_client_sdk::{Edit, Keeper, Publish};
use serde::Deserialize;
use serde_json::json;

use crate::fake::Fake;

#[derive(Debug, Deserialize, PartialEq)]
struct Room {
    zone: String,
    push: Push,
}

#[derive(Debug, Deserialize, PartialEq)]
struct Push {
    max_inflight: u32,
}

fn room(max_inflight: impl Into<serde_json::Value>) -> String {
    json!({"zone": "a", "push": {"max_inflight": max_inflight.into()}}).to_string()
}

#[tokio::test]
async fn a_change_says_what_changed() -> anyhow::Result<()> {
    let fake = Fake::start(1).await?;
    let keeper = Keeper::connect(&fake.endpoints).await?;
    keeper.configs().publish(Edit::put("room.json", room(8))).await?;
    let mut config = keeper.config::<Room>("room.json").await?;
    assert_eq!(config.borrow().push.max_inflight, 8);
    let receiver = config.receiver();
    let published = keeper.configs().publish(Edit::put("room.json", room(9))).await?;
    let change = config.changed().await?;
    assert_eq!((change.revision, change.value.push.max_inflight), (published.revision, 9));
    let fields: Vec<_> = change.fields.iter().map(|it| (it.path.as_str(), it.old.clone(), it.new.clone())).collect();
    assert_eq!(fields, [("push.max_inflight", Some(json!(8)), Some(json!(9)))]);
    assert!(Arc::ptr_eq(&receiver.borrow(), &change.value));
    Ok(())
}

#[tokio::test]
async fn a_value_that_does_not_fit_keeps_the_running_one() -> anyhow::Result<()> {
    let fake = Fake::start(1).await?;
    let keeper = Keeper::connect(&fake.endpoints).await?;
    keeper.configs().publish(Edit::put("room.json", room(8))).await?;
    let mut config = keeper.config::<Room>("room.json").await?;
    let published = keeper.configs().publish(Edit::put("room.json", room("many"))).await?;
    let error = config.changed().await.expect_err("a text is no number");
    let expected = format!(
        "room.json at revision {} does not fit its type: \
         push.max_inflight: invalid type: string \"many\", expected u32",
        published.revision
    );
    assert_eq!((error.reason(), error.to_string()), ("misfit", expected));
    assert_eq!(config.borrow().push.max_inflight, 8);
    keeper.configs().publish(Edit::put("room.json", room(10))).await?;
    let change = config.changed().await?;
    assert_eq!((change.fields[0].old.clone(), change.fields[0].new.clone()), (Some(json!(8)), Some(json!(10))));
    keeper.configs().publish(Edit::delete("room.json")).await?;
    assert!(config.changed().await.expect_err("deleted").to_string().contains("deleted"));
    assert_eq!(config.borrow().push.max_inflight, 10);
    Ok(())
}

#[tokio::test]
async fn no_document_is_an_error_at_once() -> anyhow::Result<()> {
    let fake = Fake::start(1).await?;
    let keeper = Keeper::connect(&fake.endpoints).await?;
    let error = keeper.config::<Room>("none.json").await.expect_err("nothing was published");
    assert_eq!(error.reason(), "not-found");
    Ok(())
}

#[tokio::test]
async fn many_documents_share_one_stream_that_resumes() -> anyhow::Result<()> {
    let mut fake = Fake::start(3).await?;
    let keeper = Keeper::connect(&fake.endpoints).await?;
    let paths: Vec<_> = (0..20).map(|number| format!("room-{number}.json")).collect();
    let publish = |value: u32| {
        let mut publish = Publish::default();
        for path in &paths {
            publish = publish.and(Edit::put(path, room(value)));
        }
        publish
    };
    keeper.configs().publish(publish(0)).await?;
    let mut configs = Vec::new();
    for path in &paths {
        configs.push(keeper.config::<Room>(path).await?);
    }
    fake.state.until("one stream names them all", |book| book.follows.iter().any(|it| it.paths.len() == 20)).await?;
    for round in 1..10 {
        if round % 3 == 0 {
            fake.state.break_streams();
        }
        if round == 5 {
            fake.state.change(|book| book.leader = Some(1));
            fake.kill(0).await?;
        }
        let published = keeper.configs().publish(publish(round)).await?;
        for config in &mut configs {
            let change = config.changed().await?;
            assert_eq!((change.revision, change.value.push.max_inflight), (published.revision, round));
            assert_eq!(change.fields.len(), 1, "{:?}", change.fields);
        }
    }
    let cursors = fake.state.read(|book| {
        let whole = book.follows.iter().filter(|it| it.paths.len() == 20);
        whole.map(|it| it.cursor).collect::<Vec<_>>()
    });
    assert!(cursors.len() > 3 && cursors.iter().skip(1).all(|it| *it > 0), "each goes on from a cursor: {cursors:?}");
    Ok(())
}

#[tokio::test]
async fn a_raw_watch_begins_with_the_full_set_and_misses_nothing() -> anyhow::Result<()> {
    let fake = Fake::start(2).await?;
    let keeper = Keeper::connect(&fake.endpoints).await?;
    keeper.configs().publish(Edit::put("a.json", "1")).await?;
    let mut watch = keeper.configs().watch(["a.json", "b.json"]);
    let Some(first) = watch.next().await.transpose()? else { anyhow::bail!("the watch ended") };
    assert!(first.reset && first.documents.len() == 1);
    for round in 2..8 {
        fake.state.break_streams();
        let published = keeper.configs().publish(Edit::put("b.json", round.to_string())).await?;
        let Some(change) = watch.next().await.transpose()? else { anyhow::bail!("the watch ended") };
        assert_eq!((change.reset, change.documents[0].revision), (false, published.revision));
        assert_eq!(change.documents[0].value()?, json!(round));
    }
    Ok(())
}
