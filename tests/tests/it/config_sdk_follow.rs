//! Processes that read documents through the SDK, as the instances they are, in a real cluster.

use std::time::Duration;

use keeper_client_sdk::{Edit, Keeper, LastKnownGood, Origin, Publish};
use keeper_registry::SchemaHash;
use keeper_tests::{InProcess, until};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

const PATH: &str = "push/room.toml";

#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Room {
    greeting: String,
    max_clients: u16,
}

fn text(greeting: &str, max_clients: u32) -> String {
    format!("greeting = \"{greeting}\"\nmax_clients = {max_clients}\n")
}

fn room(greeting: &str, max_clients: u16) -> Room {
    Room { greeting: greeting.into(), max_clients }
}

async fn put(keeper: &Keeper, path: &str, text: String) -> u64 {
    keeper.configs().publish(Edit::put(path, text)).await.unwrap().revision
}

#[tokio::test(flavor = "multi_thread")]
async fn each_process_runs_with_the_layers_that_are_for_it() {
    let cluster = InProcess::start(3).await;
    let keeper = cluster.keeper().await;
    put(&keeper, PATH, text("hi", 10)).await;
    put(&keeper, "push/room.toml@zone=eu-1", "max_clients = 20\n".into()).await;
    let here = keeper.instance("room", "room-1").zone("eu-1").label("ring", "canary");
    let there = keeper.instance("room", "room-2").zone("us-1");
    // Before they are open and afterwards.
    let mut first = here.config::<Room>(PATH).await.unwrap();
    assert_eq!(*first.borrow(), room("hi", 20));
    let (_here, _there) = (here.open().await.unwrap(), there.clone().open().await.unwrap());
    let mut second = there.config::<Room>(PATH).await.unwrap();
    let nobody = keeper.config::<Room>(PATH).await.unwrap();
    assert_eq!((&*second.borrow(), &*nobody.borrow()), (&room("hi", 10), &room("hi", 10)));

    let canary = put(&keeper, "push/room.toml@label.ring=canary", "greeting = \"chirp\"\n".into()).await;
    let change = first.changed().await.unwrap();
    let fields: Vec<_> = change.fields.iter().map(|it| (&it.path[..], it.old.clone(), it.new.clone())).collect();
    assert_eq!(fields, [("greeting", Some(json!("hi")), Some(json!("chirp")))]);
    assert_eq!((change.revision, &*change.value), (canary, &room("chirp", 20)));

    // What one layer covers is no change for those who have it.
    put(&keeper, PATH, text("hello", 11)).await;
    assert_eq!(*second.changed().await.unwrap().value, room("hello", 11));
    keeper.configs().publish(Edit::delete("push/room.toml@zone=eu-1")).await.unwrap();
    assert_eq!(*first.changed().await.unwrap().value, room("chirp", 11), "told once: the base was covered until now");
    until("nobody has no layers", async || *nobody.borrow() == room("hello", 11)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn schemas_are_announced_in_the_name_of_each_incarnation() {
    let cluster = InProcess::start(3).await;
    let keeper = cluster.keeper().await;
    put(&keeper, PATH, text("hi", 10)).await;
    put(&keeper, "other.json", "{}".into()).await;
    let builder = keeper.instance("room", "room-1").version("1.4.2");
    let consumers = async |path: &str| {
        cluster.converge().await;
        cluster.node(0).replica().read(|state| {
            let read = state.consumers(path).map(|it| {
                let schema = it.group().schema.and_then(|hash: SchemaHash| state.schema(hash)).cloned();
                (it.group().version.to_string(), it.count(), schema)
            });
            read.collect::<Vec<_>>()
        })
    };
    let _typed = builder.config::<Room>(PATH).await.unwrap();
    let any = builder.config_of_any::<serde_json::Value>("other.json").await.unwrap();
    let first = builder.clone().open().await.unwrap();
    until("both are announced", async || consumers("other.json").await.len() == 1).await;
    let told = consumers(PATH).await;
    let [(version, 1, Some(schema))] = &told[..] else { panic!("{told:?}") };
    assert_eq!(version, "1.4.2");
    let schema: serde_json::Value = serde_json::from_slice(schema).unwrap();
    assert_eq!(schema["properties"]["max_clients"]["maximum"], json!(65_535));
    assert_eq!(consumers("other.json").await, [("1.4.2".to_owned(), 1, None)]);

    drop(any);
    until("what is read no more is forgotten", async || consumers("other.json").await.is_empty()).await;
    let second = builder.open().await.unwrap();
    assert!(!first.is_held() || first.incarnation() != second.incarnation());
    until("the next incarnation says it too", async || {
        consumers(PATH).await.len() == 1
            && cluster.node(0).replica().read(|state| {
                let read = state.consumed_by(keeper_registry::Incarnation(second.incarnation()));
                read.len() == 1
            })
    })
    .await;
}

/// It was refused as if they would have nothing to read.
#[tokio::test(flavor = "multi_thread")]
async fn a_document_is_deleted_when_all_who_read_it_can_do_without() {
    #[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
    #[serde(default)]
    struct Limits {
        max_clients: u16,
    }
    let cluster = InProcess::start(3).await;
    let keeper = cluster.keeper().await;
    let instance = keeper.instance("room", "room-1").version("1").open().await.unwrap();
    let mut config = instance.config::<Limits>("limits.json").or_empty().await.unwrap();
    put(&keeper, "limits.json", r#"{"max_clients":7}"#.into()).await;
    assert_eq!(config.changed().await.unwrap().value.max_clients, 7);
    keeper.configs().publish(Edit::delete("limits.json")).await.unwrap();
    assert_eq!(*config.changed().await.unwrap().value, Limits::default());

    put(&keeper, "limits.json", r#"{"max_clients":8}"#.into()).await;
    let other = keeper.instance("room", "room-2").version("2").open().await.unwrap();
    let _needs_it = other.config::<Limits>("limits.json").await.unwrap();
    until("it is announced", async || {
        cluster.converge().await;
        cluster.node(0).replica().read(|state| state.consumers("limits.json").count() == 2)
    })
    .await;
    let refused = keeper.configs().publish(Edit::delete("limits.json")).await.unwrap_err();
    let expected = "limits.json: 1 instance of room 2 would have nothing to read";
    assert!(refused.to_string().contains(expected), "{refused}");
}

/// INI knows texts alone: what they are is said by the schema of whoever reads them.
#[tokio::test(flavor = "multi_thread")]
async fn a_format_without_types_is_read_by_the_schema_that_was_announced() {
    let cluster = InProcess::start(3).await;
    let keeper = cluster.keeper().await;
    put(&keeper, "room.ini", "greeting = 17\nmax_clients = 10\n".into()).await;
    let instance = keeper.instance("room", "room-1").open().await.unwrap();
    let mut config = instance.config::<Room>("room.ini").await.unwrap();
    assert_eq!(*config.borrow(), room("17", 10));
    put(&keeper, "room.ini", "greeting = 18\nmax_clients = 11\n".into()).await;
    assert_eq!(*config.changed().await.unwrap().value, room("18", 11));
    let second = keeper.instance("room", "room-1").open().await.unwrap();
    put(&keeper, "room.ini", "greeting = 19\nmax_clients = 12\n".into()).await;
    assert_eq!(*config.changed().await.unwrap().value, room("19", 12), "the next incarnation said it too");
    assert!(second.is_held());
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_of_one_publish_arrive_together_whatever_becomes_of_leaders() {
    let mut cluster = InProcess::start(3).await;
    let keeper = cluster.keeper().await;
    let both =
        |number: u32| Publish::of(Edit::put("a.toml", text("a", number))).and(Edit::put("b.toml", text("b", number)));
    keeper.configs().publish(both(0)).await.unwrap();
    let instance = keeper.instance("room", "room-1").open().await.unwrap();
    let mut first = instance.config::<Room>("a.toml").await.unwrap();
    let second = instance.config::<Room>("b.toml").await.unwrap();
    for number in 1..=20u16 {
        if number % 7 == 0 {
            let leader = cluster.leader().await;
            cluster.crash(leader);
            cluster.leader().await;
            keeper.configs().publish(both(number.into())).await.unwrap();
            cluster.restart(leader).await;
        } else {
            keeper.configs().publish(both(number.into())).await.unwrap();
        }
        assert_eq!(first.changed().await.unwrap().value.max_clients, number, "none missed, none twice");
        until("the other came with it", async || second.borrow().max_clients == number).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_starts_without_a_cluster_and_follows_it_once_it_is_there() {
    let mut cluster = InProcess::start(1).await;
    let folder = tempfile::tempdir().unwrap();
    let options = || LastKnownGood::in_folder(folder.path()).after(Duration::from_millis(500));
    let keeper = cluster.keeper().await;
    put(&keeper, PATH, text("hi", 10)).await;
    let kept = keeper.instance("room", "room-1").config::<Room>(PATH).last_known_good(options()).await.unwrap();
    assert_eq!(kept.origin(), Origin::Cluster);
    let file = folder.path().join("push+room.toml.kept");
    until("it is kept", async || file.exists()).await;
    let endpoint = cluster.endpoint(0);
    drop((kept, keeper));
    cluster.stop(0).await;

    let keeper = Keeper::builder().endpoint(endpoint).build().unwrap();
    let builder = keeper.instance("room", "room-1");
    let mut config = builder.config::<Room>(PATH).last_known_good(options()).await.unwrap();
    assert!(matches!(config.origin(), Origin::LastKnownGood { .. }));
    assert_eq!(*config.borrow(), room("hi", 10));
    cluster.restart(0).await;
    cluster.leader().await;
    let _instance = builder.open().await.unwrap();
    put(&keeper, PATH, text("hello", 11)).await;
    assert_eq!(*config.changed().await.unwrap().value, room("hello", 11));
    assert_eq!(config.origin(), Origin::Cluster);
}
