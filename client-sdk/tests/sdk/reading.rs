//! A process reads documents as the instance it is: announced, taken together, acknowledged.

use std::time::Duration;

use keeper_client_sdk::{Edit, Health, Instance, Keeper, Publish};
use keeper_proto::v1::{AcknowledgeRequest, Applied};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use crate::fake::{
    Fake,
    state::{Announcing, Book, Renewals},
};

const TTL: Duration = Duration::from_millis(600);

#[derive(Debug, Deserialize, JsonSchema, PartialEq)]
#[serde(deny_unknown_fields)]
struct Room {
    max: u8,
    #[serde(default)]
    #[schemars(extend("x-keeper-restart" = true))]
    port: u16,
    #[serde(default)]
    #[schemars(extend("x-keeper-secret" = true))]
    token: Option<u64>,
}

fn room(max: u32) -> String {
    json!({"max": max}).to_string()
}

async fn open(fake: &Fake) -> anyhow::Result<(Keeper, Instance)> {
    let keeper = Keeper::connect(&fake.endpoints).await?;
    let instance = keeper.instance("room", "room-1").ttl(TTL).open().await?;
    Ok((keeper, instance))
}

/// Whether the last word of an incarnation about a document is this.
fn said(book: &Book, incarnation: u64, path: &str, revision: u64, applied: Applied, reason: &str) -> bool {
    let of = |it: &&AcknowledgeRequest| it.incarnation == incarnation && it.documents.iter().any(|it| it.path == path);
    let last = book.acknowledged.iter().rfind(of);
    let last = last.and_then(|request| request.documents.iter().find(|it| it.path == path));
    last.is_some_and(|it| (it.revision, it.applied(), it.reason.as_str()) == (revision, applied, reason))
}

#[tokio::test]
async fn what_is_read_is_announced_and_a_schema_is_sent_once() -> anyhow::Result<()> {
    let fake = Fake::start(1).await?;
    let (keeper, instance) = open(&fake).await?;
    let both = Publish::of(Edit::put("a.json", room(1))).and(Edit::put("b.json", room(1)));
    keeper.configs().publish(both.and(Edit::put("any.json", "[]"))).await?;
    let first = instance.config::<Room>("a.json").await?;
    let second = instance.config::<Room>("b.json").await?;
    let _any = instance.config_of_any::<serde_json::Value>("any.json").await?;
    let paths = |book: &Book| {
        let last = book.announced.last();
        last.map(|it| it.documents.iter().map(|it| it.path.clone()).collect::<Vec<_>>()).unwrap_or_default()
    };
    fake.state.until("all of it is announced", |book| paths(book) == ["a.json", "any.json", "b.json"]).await?;
    fake.state.read(|book| {
        let last = book.announced.last().map(|it| it.documents.clone()).unwrap_or_default();
        assert!(last[0].schema_hash == last[2].schema_hash && last[0].schema_hash.len() == 16);
        assert!(last[1].schema_hash.is_empty(), "any value is taken");
        assert_eq!(book.schemas.len(), 1, "{:?}", book.schemas);
    });
    drop(first);
    drop(second);
    fake.state.until("what is read no more is not announced", |book| paths(book) == ["any.json"]).await?;

    // The name is opened anew: the next incarnation says it by itself.
    let again = keeper.instance("room", "room-1").ttl(TTL).open().await?;
    let of_next = |book: &Book| book.announced.last().is_some_and(|it| it.incarnation == again.incarnation());
    fake.state
        .until("it is announced in the name of the next", |book| of_next(book) && paths(book) == ["any.json"])
        .await
}

#[tokio::test]
async fn what_became_of_a_change_is_said() -> anyhow::Result<()> {
    let fake = Fake::start(1).await?;
    let (keeper, instance) = open(&fake).await?;
    let first = keeper.configs().publish(Edit::put("room.json", room(1))).await?.revision;
    let config = instance
        .config::<Room>("room.json")
        .validate(|it| if it.max == 13 { Err("thirteen is none".into()) } else { Ok(()) });
    let mut config = config.await?;
    let said = |revision, applied, reason: &'static str| {
        move |book: &Book| said(book, 1, "room.json", revision, applied, reason)
    };
    fake.state.until("it runs with the first", said(first, Applied::Yes, "")).await?;

    let text = keeper.configs().publish(Edit::put("room.json", r#"{"max":"many"}"#)).await?.revision;
    let why = r#"max: invalid type: string "many", expected u8"#;
    fake.state.until("it refuses what it cannot read", said(text, Applied::Refused, why)).await?;
    assert_eq!(config.changed().await.expect_err("no number").reason(), "misfit");

    let secret = keeper.configs().publish(Edit::put("room.json", r#"{"max":2,"token":"hunter2"}"#)).await?.revision;
    let why = "token: a secret that does not fit";
    fake.state.until("its words show no secret", said(secret, Applied::Refused, why)).await?;

    let thirteen = keeper.configs().publish(Edit::put("room.json", room(13))).await?.revision;
    fake.state
        .until("it refuses what it will not run with", said(thirteen, Applied::Refused, "thirteen is none"))
        .await?;
    assert_eq!(config.borrow().max, 1, "the running value stays");

    let port = keeper.configs().publish(Edit::put("room.json", r#"{"max":2,"port":7}"#)).await?.revision;
    fake.state.until("a field waits for a restart", said(port, Applied::NeedsRestart, "port")).await?;
    let change = config.changed().await?;
    assert_eq!((change.value.max, change.needs_restart.to_vec()), (2, vec!["port".to_owned()]));
    let more = keeper.configs().publish(Edit::put("room.json", r#"{"max":3,"port":7}"#)).await?.revision;
    fake.state.until("it still does", said(more, Applied::NeedsRestart, "port")).await?;
    let back = keeper.configs().publish(Edit::put("room.json", room(3))).await?.revision;
    fake.state.until("it is what the process started with", said(back, Applied::Yes, "")).await?;
    assert!(config.needs_restart().is_empty());
    Ok(())
}

#[tokio::test]
async fn documents_of_one_publish_are_taken_together_or_not_at_all() -> anyhow::Result<()> {
    let fake = Fake::start(1).await?;
    let (keeper, instance) = open(&fake).await?;
    let both = |first, second| Publish::of(Edit::put("a.json", room(first))).and(Edit::put("b.json", room(second)));
    keeper.configs().publish(both(1, 1)).await?;
    let mut first = instance.config::<Room>("a.json").await?;
    let mut second = instance.config::<Room>("b.json").await?;
    let refused = keeper.configs().publish(both(2, 300)).await?.revision;
    let held = first.changed().await.expect_err("it waits with the other").to_string();
    assert!(held.contains("it waits with b.json, of the same publish: max: invalid value"), "{held}");
    assert_eq!(second.changed().await.expect_err("300 is no u8").reason(), "misfit");
    assert_eq!((first.borrow().max, second.borrow().max), (1, 1));
    let why = "max: invalid value: integer `300`, expected u8";
    fake.state.until("both are refused", |book| said(book, 1, "b.json", refused, Applied::Refused, why)).await?;

    // The culprit is put right alone: the other is free.
    let mended = keeper.configs().publish(Edit::put("b.json", room(3))).await?.revision;
    assert_eq!((first.changed().await?.value.max, second.changed().await?.value.max), (2, 3));
    fake.state
        .until("both are applied, each at its revision", |book| {
            said(book, 1, "a.json", refused, Applied::Yes, "") && said(book, 1, "b.json", mended, Applied::Yes, "")
        })
        .await
}

#[tokio::test]
async fn a_new_leader_is_told_everything_again() -> anyhow::Result<()> {
    let mut fake = Fake::start(3).await?;
    let (keeper, instance) = open(&fake).await?;
    let both = Publish::of(Edit::put("a.json", room(1))).and(Edit::put("b.json", room(1)));
    let revision = keeper.configs().publish(both).await?.revision;
    let _first = instance.config::<Room>("a.json").await?;
    let _second = instance.config::<Room>("b.json").await?;
    keeper.report_health(Health::Unwell("the disk is full".into()));
    let both_said =
        |book: &Book| ["a.json", "b.json"].iter().all(|path| said(book, 1, path, revision, Applied::Yes, ""));
    let unwell = |book: &Book| {
        book.acknowledged
            .iter()
            .filter_map(|it| it.health.clone())
            .any(|it| !it.healthy && it.reason == "the disk is full")
    };
    fake.state.until("both are applied, and it is unwell", |book| both_said(book) && unwell(book)).await?;
    fake.state.change(|book| {
        book.acknowledged.clear();
        (book.leader, book.term) = (Some(1), 2);
    });
    fake.kill(0).await?;
    fake.state
        .until("the next leader hears it", |book| {
            both_said(book) && unwell(book) && book.acknowledged.iter().any(|it| it.all)
        })
        .await?;

    keeper.report_health(Health::Healthy);
    let is_well = |book: &Book| {
        let last = book.acknowledged.last().and_then(|it| it.health.clone());
        last.is_some_and(|it| it.healthy)
    };
    fake.state.until("it is well again", is_well).await
}

#[tokio::test]
async fn an_acknowledgement_whose_answer_was_lost_is_said_again() -> anyhow::Result<()> {
    let fake = Fake::start(1).await?;
    let (keeper, instance) = open(&fake).await?;
    let revision = keeper.configs().publish(Edit::put("room.json", room(1))).await?.revision;
    fake.state.change(|book| book.lose_acknowledgement = Some(()));
    let _config = instance.config::<Room>("room.json").await?;
    let times = |book: &Book| {
        book.acknowledged.iter().filter(|it| it.documents.iter().any(|it| it.revision == revision)).count()
    };
    fake.state.until("it is said twice", |book| times(book) == 2).await
}

#[tokio::test]
async fn candidates_come_with_the_incarnation_and_stay_while_it_is_replaced() -> anyhow::Result<()> {
    let fake = Fake::start(1).await?;
    let keeper = Keeper::connect(&fake.endpoints).await?;
    let published = keeper.configs().publish(Edit::put("room.json", room(1))).await?.revision;
    let builder = keeper.instance("room", "room-1").zone("eu-1").label("ring", "canary").ttl(TTL);
    let mut config = builder.config::<Room>("room.json").await?;
    assert_eq!((config.borrow().max, config.rollout()), (1, None));
    fake.state.read(|book| {
        let reader = book.follows.last().and_then(|it| it.reader.clone()).expect("nobody's incarnation");
        assert_eq!((reader.service.as_str(), reader.id.as_str(), reader.zone.as_str()), ("room", "", "eu-1"));
        assert_eq!(reader.labels.get("ring").map(String::as_str), Some("canary"));
        assert!(book.acknowledged.is_empty() && book.announced.is_empty(), "nobody speaks");
    });
    let candidate = published + 1;
    fake.state.change(|book| {
        book.revision = candidate;
        for incarnation in [1, 2] {
            book.candidates.insert((incarnation, "room.json".to_owned()), (candidate, room(2)));
        }
    });
    let first = builder.clone().open().await?;
    let change = config.changed().await?;
    assert_eq!((change.value.max, change.rollout, config.rollout()), (2, Some(candidate), Some(candidate)));
    fake.state
        .until("it runs with the candidate", |book| said(book, 1, "room.json", candidate, Applied::Yes, ""))
        .await?;

    // The lease is lost: until the next one is open nothing changes.
    fake.state.change(|book| {
        book.closed.push(1);
        book.renewals = Renewals::Lost;
    });
    first.lost().await;
    fake.state.change(|book| book.renewals = Renewals::Acknowledged);
    let follows = fake.state.read(|book| book.follows.len());
    let _second = builder.open().await?;
    fake.state.until("the next says so too", |book| said(book, 2, "room.json", candidate, Applied::Yes, "")).await?;
    fake.state.read(|book| assert!(book.follows[follows..].iter().all(|it| it.incarnation == 2), "as nobody else"));
    assert!(
        fake.state
            .read(|book| book.acknowledged.iter().all(|it| it.documents.iter().all(|it| it.revision == candidate)))
    );
    assert_eq!(config.borrow().max, 2);
    Ok(())
}

#[tokio::test]
async fn a_value_that_does_not_fit_at_the_start_is_refused_before_the_process_ends() -> anyhow::Result<()> {
    let fake = Fake::start(1).await?;
    let (keeper, instance) = open(&fake).await?;
    let revision = keeper.configs().publish(Edit::put("room.json", room(300))).await?.revision;
    let error = instance.config::<Room>("room.json").await.expect_err("300 is no u8");
    assert_eq!(error.reason(), "misfit");
    let why = "max: invalid value: integer `300`, expected u8";
    let is_said = fake.state.read(|book| said(book, 1, "room.json", revision, Applied::Refused, why));
    assert!(is_said, "the cluster heard it first");
    Ok(())
}

#[tokio::test]
async fn what_is_read_is_announced_before_it_is_asked_for_unless_that_takes_long() -> anyhow::Result<()> {
    let fake = Fake::start(1).await?;
    let (keeper, instance) = open(&fake).await?;
    let revision = keeper.configs().publish(Edit::put("room.json", room(1))).await?.revision;
    fake.state.change(|book| book.announcing = Announcing::Silent);
    let _config = instance.config::<Room>("room.json").await?;
    fake.state.read(|book| assert!(book.announced.is_empty() && book.follows.len() == 1, "it went without"));
    fake.state.change(|book| book.announcing = Announcing::Answered);
    fake.state.until("it asks again once it is announced", |book| book.follows.len() == 2).await?;
    assert_eq!(fake.state.read(|book| (book.announced.len() > 1, book.follows[1].cursor)), (true, 0));
    fake.state.until("it runs with it", |book| said(book, 1, "room.json", revision, Applied::Yes, "")).await?;

    // A cluster of an older level refuses it: nobody waits for that.
    fake.state.change(|book| book.announcing = Announcing::Refused);
    keeper.configs().publish(Edit::put("more.json", room(2))).await?;
    let before = tokio::time::Instant::now();
    let _more = instance.config::<Room>("more.json").await?;
    assert!(before.elapsed() < Duration::from_millis(800), "{:?}", before.elapsed());
    Ok(())
}

#[tokio::test]
async fn a_panic_over_one_document_is_not_the_end_of_the_others() -> anyhow::Result<()> {
    let fake = Fake::start(1).await?;
    let (keeper, instance) = open(&fake).await?;
    keeper.configs().publish(Publish::of(Edit::put("a.json", room(1))).and(Edit::put("b.json", room(1)))).await?;
    let fragile = instance.config::<Room>("a.json").validate(|it| if it.max == 2 { panic!("two") } else { Ok(()) });
    let mut fragile = fragile.await?;
    let mut sturdy = instance.config::<Room>("b.json").await?;
    let two = keeper.configs().publish(Edit::put("a.json", room(2))).await?.revision;
    let why = "the process panics at it";
    fake.state.until("it refuses", |book| said(book, 1, "a.json", two, Applied::Refused, why)).await?;
    assert_eq!(fragile.changed().await.expect_err("a panic").reason(), "misfit");
    keeper.configs().publish(Edit::put("b.json", room(2))).await?;
    assert_eq!((sturdy.changed().await?.value.max, fragile.borrow().max), (2, 1));
    Ok(())
}

#[tokio::test]
async fn a_listener_hears_of_its_part_alone() -> anyhow::Result<()> {
    let fake = Fake::start(1).await?;
    let (keeper, instance) = open(&fake).await?;
    keeper.configs().publish(Edit::put("room.json", r#"{"max":1,"port":1}"#)).await?;
    let config = instance.config::<Room>("room.json").await?;
    let mut port = config.on(|room| room.port);
    assert_eq!(*port.get(), 1);
    keeper.configs().publish(Edit::put("room.json", r#"{"max":2,"port":1}"#)).await?;
    keeper.configs().publish(Edit::put("room.json", r#"{"max":2,"port":"none"}"#)).await?;
    keeper.configs().publish(Edit::put("room.json", r#"{"max":3,"port":2}"#)).await?;
    assert_eq!((port.changed().await?, *port.get(), config.borrow().max), (2, 2, 3));
    drop(config);
    assert_eq!(port.changed().await.expect_err("the config is gone").reason(), "ended");
    Ok(())
}

#[tokio::test]
async fn an_absent_document_is_an_empty_one_when_that_is_enough() -> anyhow::Result<()> {
    #[derive(Debug, Default, Deserialize, JsonSchema)]
    #[serde(default)]
    struct Greeting {
        text: String,
    }
    let fake = Fake::start(1).await?;
    let (keeper, instance) = open(&fake).await?;
    let mut config = instance.config::<Greeting>("greeting.json").or_empty().await?;
    assert_eq!((config.borrow().text.as_str(), config.revision()), ("", 0));
    keeper.configs().publish(Edit::put("greeting.json", r#"{"text":"hi"}"#)).await?;
    assert_eq!(config.changed().await?.value.text, "hi");
    keeper.configs().publish(Edit::delete("greeting.json")).await?;
    assert_eq!(config.changed().await?.value.text, "");
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_followed_is_refused_before_it_is_asked_for() -> anyhow::Result<()> {
    let fake = Fake::start(1).await?;
    let (keeper, instance) = open(&fake).await?;
    for path in ["", "a//b", "../a", "a@zone=eu", "a b"] {
        let error = instance.config::<Room>(path).await.expect_err("no path");
        assert!(error.reason() == "invalid" && error.to_string().starts_with("path: "), "{error}");
    }
    keeper.configs().publish(Edit::put("room.json", room(1))).await?;
    let _config = instance.config::<Room>("room.json").await?;
    let other = instance.config_of_any::<Room>("room.json").schema(json!({"type": "object"})).await;
    let error = other.expect_err("one schema a document").to_string();
    assert_eq!(error, "schema: this process reads room.json by another one already");
    Ok(())
}
