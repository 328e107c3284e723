//! Configs through a real cluster.

use keeper_client_sdk::{Config, Cursor, Detail, Edit, Publish, Rank};
use keeper_proto::v1 as wire;
use keeper_proto::v1::configs_client::ConfigsClient;
use keeper_tests::InProcess;
use serde::Deserialize;
use tonic::transport::Endpoint;

#[derive(Debug, Clone, PartialEq, Deserialize)]
struct Room {
    greeting: String,
    max_clients: u32,
}

const PATH: &str = "push/room.toml";

fn text(greeting: &str, max_clients: u32) -> String {
    format!("# kept as written\ngreeting = \"{greeting}\"\nmax_clients = {max_clients}\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_is_kept_as_written_and_its_changes_arrive_field_by_field() {
    let cluster = InProcess::start(3).await;
    let keeper = cluster.keeper().await;
    let first = keeper.configs().publish(Edit::put(PATH, text("hi", 10))).await.unwrap();
    assert!(first.changed);
    let document = keeper.configs().get(PATH).await.unwrap().expect("published");
    assert_eq!(document.text, text("hi", 10));
    assert_eq!(document.value().unwrap(), serde_json::json!({"greeting": "hi", "max_clients": 10}));

    let mut config: Config<Room> = keeper.config(PATH).await.unwrap();
    assert_eq!(*config.borrow(), Room { greeting: "hi".to_owned(), max_clients: 10 });
    keeper.configs().publish(Edit::put(PATH, text("hi", 20))).await.unwrap();
    let change = config.changed().await.unwrap();
    let fields: Vec<_> = change.fields.iter().map(|it| (&it.path[..], it.old.clone(), it.new.clone())).collect();
    assert_eq!(fields, [("max_clients", Some(10.into()), Some(20.into()))]);

    let same = keeper.configs().publish(Edit::put(PATH, text("hi", 20))).await.unwrap();
    assert!(!same.changed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_syntax_error_is_refused_with_line_and_column_and_the_running_value_stays() {
    let cluster = InProcess::start(1).await;
    let keeper = cluster.keeper().await;
    let broken = [
        ("a.toml", "x = 1\ny = = 2\n", "line 2"),
        ("a.yaml", "x: 1\ny: [1, 2\nz: 3\n", "line"),
        ("a.json", "{\n  \"x\": 1,\n  \"x\": 2\n}", "line 3"),
        ("a.ini", "[section\nx = 1\n", "line 1"),
    ];
    for (path, text, place) in broken {
        let refused = keeper.configs().publish(Edit::put(path, text)).await.expect_err("broken");
        assert!(refused.to_string().contains(place), "{path}: {refused}");
        assert!(!refused.is_retryable() && !refused.may_have_happened());
        assert!(keeper.configs().get(path).await.unwrap().is_none());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn compare_and_set_lets_one_of_two_writers_win() {
    let cluster = InProcess::start(3).await;
    let keeper = cluster.keeper().await;
    let base = keeper.configs().publish(Edit::put(PATH, text("hi", 1)).expecting(0)).await.unwrap();
    let exists = keeper.configs().publish(Edit::put(PATH, text("hi", 2)).expecting(0)).await.expect_err("it exists");
    assert_eq!(exists.reason(), "revision-mismatch");
    keeper.configs().publish(Edit::put(PATH, text("hi", 3)).expecting(base.revision)).await.unwrap();
    let late = keeper.configs().publish(Edit::put(PATH, text("hi", 4)).expecting(base.revision)).await;
    assert_eq!(late.expect_err("somebody was faster").reason(), "revision-mismatch");
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_of_one_publish_stand_together_or_not_at_all() {
    let cluster = InProcess::start(3).await;
    let keeper = cluster.keeper().await;
    let mut watch = keeper.configs().watch(["app/"]);
    assert!(watch.next().await.unwrap().unwrap().reset);
    let both = Publish::of(Edit::put("app/a.json", "{\"n\":1}")).and(Edit::put("app/b.json", "{\"n\":1}"));
    let published = keeper.configs().publish(both).await.unwrap();
    let told = watch.next().await.unwrap().unwrap();
    assert_eq!(told.documents.iter().map(|it| &it.path[..]).collect::<Vec<_>>(), ["app/a.json", "app/b.json"]);
    assert!(told.documents.iter().all(|it| it.revision == published.revision));

    let half = Publish::of(Edit::put("app/a.json", "{\"n\":2}")).and(Edit::put("app/b.json", "{\"n\":2}").expecting(0));
    keeper.configs().publish(half).await.expect_err("one of the two exists");
    assert_eq!(keeper.configs().get("app/a.json").await.unwrap().unwrap().text, "{\"n\":1}");
}

#[tokio::test(flavor = "multi_thread")]
async fn history_keeps_what_was_and_a_deletion_is_told() {
    let cluster = InProcess::start(1).await;
    let keeper = cluster.keeper().await;
    let configs = keeper.configs();
    let first = configs.publish(Publish::from(Edit::put(PATH, text("a", 1))).message("begin")).await.unwrap();
    configs.publish(Edit::put(PATH, text("b", 2))).await.unwrap();
    configs.publish(Edit::delete(PATH)).await.unwrap();
    assert!(configs.get(PATH).await.unwrap().is_none());
    assert_eq!(configs.get_at(PATH, first.revision).await.unwrap().unwrap().text, text("a", 1));
    let history = configs.history(PATH, 10, Detail::Full).await.unwrap().documents;
    let seen: Vec<_> = history.iter().map(|it| (it.version, it.deleted)).collect();
    assert_eq!(seen, [(3, true), (2, false), (1, false)]);
    assert_eq!(history[2].message, "begin");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_goes_on_from_its_cursor_on_another_node_without_gap_or_duplicate() {
    let mut cluster = InProcess::start(3).await;
    let keeper = cluster.keeper().await;
    let mut watch = keeper.configs().watch([""]);
    let mut cursor = watch.next().await.unwrap().unwrap().cursor();
    let mut told = Vec::new();
    for round in 1..=30u64 {
        keeper.configs().publish(Edit::put("n.json", format!("{{\"n\":{round}}}"))).await.unwrap();
        if round == 10 {
            // The node that serves the watch may be this one; the stream must survive it.
            let leader = cluster.leader().await;
            cluster.crash(leader);
            cluster.leader().await;
        }
        if round == 20 {
            // A client that went away and comes back elsewhere.
            drop(watch);
            watch = cluster.keeper().await.configs().watch_from([""], cursor);
        }
        let changed = watch.next().await.unwrap().unwrap();
        assert!(!changed.reset, "the floor is far below");
        cursor = changed.cursor();
        told.extend(changed.documents.iter().map(|it| it.value().unwrap()["n"].as_u64().unwrap()));
    }
    assert_eq!(told, (1..=30).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_set_larger_than_any_message_arrives_whole() {
    let cluster = InProcess::start(1).await;
    let keeper = cluster.keeper().await;
    let text = format!("{{\"text\":\"{}\"}}", "x".repeat(900_000));
    for n in 0..12 {
        keeper.configs().publish(Edit::put(format!("big/{n:02}.json"), text.clone())).await.unwrap();
    }
    let mut watch = keeper.configs().watch(["big/"]);
    let told = watch.next().await.unwrap().unwrap();
    assert!(told.reset);
    assert_eq!(told.documents.len(), 12);
    assert!(told.documents.iter().all(|it| it.text == text));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_from_the_future_is_refused() {
    let cluster = InProcess::start(3).await;
    let keeper = cluster.keeper().await;
    let mut watch = keeper.configs().watch([""]);
    let cursor = watch.next().await.unwrap().unwrap().cursor();
    let future = Cursor { revision: cursor.revision + 1_000_000, ..cursor };
    let mut watch = keeper.configs().watch_from([""], future);
    let refused = watch.next().await.unwrap().expect_err("nobody gave it out");
    assert!(refused.to_string().contains("the cluster has only reached"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_without_a_state_tells_nobody_again_what_was_told_elsewhere() {
    let mut cluster = InProcess::start(1).await;
    let keeper = cluster.keeper().await;
    keeper.configs().publish(Edit::put("a.json", "1")).await.unwrap();
    let cursor = keeper.configs().watch([""]).next().await.unwrap().unwrap().cursor();
    let spare = cluster.spare().await;
    // A learner that begins, and one whose disk was lost, is about to take over this very history.
    let channel = Endpoint::from_shared(cluster.endpoint(spare)).unwrap().connect().await.unwrap();
    let selectors = vec![String::new()];
    let request = wire::WatchConfigsRequest { selectors, cursor: cursor.revision, state_id: cursor.state_id };
    let refused = ConfigsClient::new(channel).watch(request).await.expect_err("it cannot know what was told");
    assert_eq!(refused.code(), tonic::Code::Unavailable, "{refused}");

    cluster.add(spare, Rank::Learner).await;
    let mut watch = cluster.client(spare).await.configs().watch_from([""], cursor);
    let published = keeper.configs().publish(Edit::put("b.json", "2")).await.unwrap();
    let changed = watch.next().await.unwrap().unwrap();
    let told: Vec<_> = changed.documents.iter().map(|it| (it.path.as_str(), it.revision)).collect();
    assert_eq!(told, [("b.json", published.revision)]);
}
