//! What is published has been judged by everything it changes.

use keeper_client_sdk::{Detail, Edit, Keeper, Publish};
use keeper_tests::InProcess;

const PATH: &str = "push/room.toml";
const SCHEMA: &str = "keeper/schemas/room.json";

/// At most 100 in flight, in every document of `push/`.
pub(crate) async fn attach(keeper: &Keeper) {
    let schema = r#"{"paths": ["push/*.toml"], "schema": {"type": "object", "properties": {"push": {
        "type": "object", "properties": {"max_inflight": {"type": "integer", "maximum": 100}, "name": {"type": "string"}}
    }}}}"#;
    keeper.configs().publish(Edit::put(SCHEMA, schema)).await.unwrap();
}

fn text(max_inflight: u32) -> String {
    format!("# kept\n[push]\nmax_inflight = {max_inflight}\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_layer_is_judged_with_all_that_it_lies_on_and_a_base_with_all_that_lies_on_it() {
    let cluster = InProcess::start(3).await;
    let keeper = cluster.keeper().await;
    let configs = keeper.configs();
    attach(&keeper).await;
    configs.publish(Edit::put(PATH, text(1))).await.unwrap();

    let zone = "push/room.toml@zone=eu-1";
    let refused = configs.publish(Edit::put(zone, text(200))).await.unwrap_err();
    let said = "push/room.toml with zone=eu-1: push.max_inflight does not fit keeper/schemas/room.json: 200 is greater \
                than the maximum of 100; give a reason to publish it all the same";
    assert_eq!((refused.reason(), refused.to_string().contains(said)), ("objected", true), "{refused}");
    assert!(!refused.is_retryable() && !refused.may_have_happened());
    assert!(configs.get(zone).await.unwrap().is_none());

    // A layer that is sound alone and a base that is: not together.
    let label = "push/room.toml@label.ring=canary";
    configs.publish(Edit::put(label, "[push]\nname = \"canary\"\n")).await.unwrap();
    let refused = configs.publish(Edit::put(PATH, "push = { max_inflight = 1, name = 3 }\n")).await.unwrap_err();
    assert!(refused.to_string().contains("push/room.toml: push.name does not fit"), "{refused}");
    assert!(!refused.to_string().contains("canary"), "with that layer it is a name: {refused}");
    let refused = configs.publish(Edit::put(PATH, "push = 3\n")).await.unwrap_err().to_string();
    assert!(refused.contains("push/room.toml: push does not fit"), "{refused}");
    assert_eq!(configs.get(PATH).await.unwrap().unwrap().text, text(1), "the running value stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_forced_keeps_its_reason() {
    let cluster = InProcess::start(1).await;
    let keeper = cluster.keeper().await;
    let configs = keeper.configs();
    attach(&keeper).await;
    let forced = Publish::of(Edit::put(PATH, text(500))).forced("the schema is wrong, see ticket 7");
    let published = configs.publish(forced).await.unwrap();
    assert_eq!(published.objections.len(), 1);
    assert_eq!(published.objections[0].schema, SCHEMA);
    assert_eq!(published.objections[0].field, "push.max_inflight");
    let sound = Publish::of(Edit::put(PATH, text(50))).forced("to be safe");
    assert!(configs.publish(sound).await.unwrap().objections.is_empty());
    let history = configs.history(PATH, 10, Detail::Summary).await.unwrap().documents;
    let reasons: Vec<_> = history.iter().map(|it| it.forced.as_deref().unwrap_or_default()).collect();
    assert_eq!(reasons, ["to be safe", "the schema is wrong, see ticket 7"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_tells_everything_and_publishes_nothing() {
    let cluster = InProcess::start(3).await;
    let keeper = cluster.keeper().await;
    attach(&keeper).await;
    let first = keeper.configs().publish(Edit::put(PATH, text(1))).await.unwrap();
    // Any node does.
    let anywhere = cluster.client(cluster.follower().await).await;
    let tried = anywhere.configs().dry_run(Publish::of(Edit::put(PATH, text(200))).and(Edit::put("a.json", "1"))).await;
    let tried = tried.unwrap();
    assert!(tried.changed);
    assert_eq!(tried.objections.len(), 1);
    let [room, other] = &tried.documents[..] else { panic!("{tried:?}") };
    assert_eq!((room.from_revision, other.from_revision), (first.revision, 0));
    let fields: Vec<_> = room.fields.iter().map(|it| (&it.path[..], it.old.clone(), it.new.clone())).collect();
    assert_eq!(fields, [("push.max_inflight", Some(1.into()), Some(200.into()))]);
    assert_eq!(&room.canonical[..], b"{\"push\":{\"max_inflight\":200}}");
    assert!(!keeper.configs().dry_run(Edit::put(PATH, text(1))).await.unwrap().changed);
    // What the state would refuse is refused.
    let stale = keeper.configs().dry_run(Edit::put(PATH, text(2)).expecting(7)).await.unwrap_err();
    assert_eq!(stale.reason(), "revision-mismatch");
    assert_eq!(keeper.configs().get(PATH).await.unwrap().unwrap().revision, first.revision);
    assert!(keeper.configs().get("a.json").await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn publishes_that_are_judged_by_each_other_all_come_through_one_by_one() {
    let cluster = InProcess::start(3).await;
    let keeper = cluster.keeper().await;
    attach(&keeper).await;
    let layer = |n: usize| format!("push/room.toml@zone=z{n}");
    // Each lies beside all others: what one was judged by moves whenever another one is published.
    let publishing = (0..8).map(|n| {
        let configs = keeper.configs();
        async move { configs.publish(Edit::put(layer(n), text(n as u32))).await }
    });
    for published in futures_util::future::join_all(publishing).await {
        published.unwrap();
    }
    for n in 0..8 {
        assert_eq!(keeper.configs().get(layer(n)).await.unwrap().unwrap().text, text(n as u32));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn below_its_level_what_is_new_is_refused_by_name() {
    let cluster = InProcess::start_with(1, |settings| settings.upgrade.level_max = Some(2)).await;
    let keeper = cluster.keeper().await;
    let new = [
        Publish::of(Edit::put("push/room.toml@zone=eu-1", text(1))),
        Publish::of(Edit::put(PATH, text(1))).forced("why not"),
        Publish::of(Edit::put(PATH, text(1)).secret("push.max_inflight")),
        Publish::of(Edit::put("keeper/history", "versions_max: 3").format(keeper_client_sdk::Format::Yaml)),
    ];
    for publish in new {
        let refused = keeper.configs().publish(publish.clone()).await.unwrap_err();
        let said = "this comes with feature level 3, and the cluster is at 2: once every node runs keeper 0.3.0 or newer, \
                    `keeperctl cluster upgrade` raises it";
        assert!(refused.to_string().contains(said), "{publish:?}: {refused}");
    }
    keeper.configs().publish(Edit::put(PATH, text(1))).await.unwrap();
}
