//! What processes say they read.

use keeper_proto::v1 as wire;
use keeper_registry::{Incarnation, SchemaHash};
use keeper_tests::InProcess;
use tonic::Status;

use crate::follow_raw::{Along, Process, Raw, announcement, problem};

const PATH: &str = "push/room.toml";
const SCHEMA: &str = r#"{"properties":{"max_clients":{"maximum":100,"type":"integer"}},"type":"object"}"#;

async fn announce(node: &Raw, request: wire::AnnounceRequest) -> Result<wire::AnnounceReply, Status> {
    Ok(node.follows().announce(request).await?.into_inner())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_of_a_fleet_sends_the_schema_and_the_others_name_it() {
    let cluster = InProcess::start(3).await;
    let leader = Raw::leader(&cluster).await;
    let [first, second] = [leader.open("1", "eu", &[]).await, leader.open("2", "eu", &[]).await];
    let missing = announce(&leader, announcement(&first, &[(PATH, SCHEMA)], Along::Nothing)).await.unwrap();
    let hash = SchemaHash::of(SCHEMA.as_bytes());
    assert_eq!(missing, wire::AnnounceReply { revision: 0, missing: vec![hash.0.to_vec().into()] });
    leader.announce(&first, &[(PATH, SCHEMA), ("other.json", "")]).await;
    let known = announce(&leader, announcement(&second, &[(PATH, SCHEMA)], Along::Nothing)).await.unwrap();
    assert!(known.missing.is_empty() && known.revision > 0);

    cluster.converge().await;
    for at in 0..3 {
        cluster.node(at).replica().read(|state| {
            let read: Vec<_> = state.consumers(PATH).map(|it| (it.group().schema, it.count())).collect();
            assert_eq!(read, [(Some(hash), 2)]);
            assert_eq!(state.schema(hash).map(|bytes| &bytes[..]), Some(SCHEMA.as_bytes()));
            assert_eq!(state.consumed_by(Incarnation(first.incarnation)).len(), 2);
        });
    }
    for process in [first, second] {
        leader.close(&process).await;
    }
    cluster.converge().await;
    assert!(cluster.node(0).replica().read(|state| state.schema(hash).is_none()), "nobody reads by it any more");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_announced_can_be_used_or_is_refused_by_its_place() {
    let cluster = InProcess::start(1).await;
    let node = Raw::leader(&cluster).await;
    let process = node.open("1", "eu", &[]).await;
    let refused = async |read: &[(&str, &str)]| {
        let refused = announce(&node, announcement(&process, read, Along::Schemas)).await.unwrap_err();
        let (_, field, message) = problem(&refused);
        (field, message)
    };
    let (field, message) = refused(&[(PATH, r#"{"type":7}"#)]).await;
    assert!(field == "schemas[0]" && message.contains("type"), "{field}: {message}");
    let remote = refused(&[("a.json", SCHEMA), (PATH, r#"{"$ref":"https://example.org/x.json"}"#)]).await;
    assert_eq!(remote.0, "schemas[1]");
    assert!(remote.1.contains("a schema is self-contained"), "{}", remote.1);
    let large = format!(r#"{{"title":"{}"}}"#, "x".repeat(65_536));
    assert!(refused(&[(PATH, &large)]).await.1.contains("the limit is 65536"));
    let layered = refused(&[("a.json@zone=eu", "")]).await;
    assert!(layered.0 == "documents[0].path" && layered.1.contains("names a layer"), "{layered:?}");
    let many: Vec<_> = (0..257).map(|n| format!("{n}.json")).collect();
    let many: Vec<_> = many.iter().map(|path| (path.as_str(), "")).collect();
    assert_eq!(refused(&many).await.1, "257 documents; an instance reads at most 256");

    let mut unnamed = announcement(&process, &[(PATH, "")], Along::Schemas);
    unnamed.schemas = vec![SCHEMA.as_bytes().to_vec().into()];
    let refused = problem(&announce(&node, unnamed).await.unwrap_err());
    assert!(refused.2.starts_with("no document names the schema"), "{refused:?}");

    node.close(&process).await;
    let closed = announce(&node, announcement(&process, &[(PATH, "")], Along::Schemas)).await.unwrap_err();
    assert_eq!(problem(&closed).0, "incarnation-closed");
    assert!(cluster.node(0).replica().read(|state| state.consumers(PATH).next().is_none()));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_leader_is_told_and_only_from_the_third_level_on() {
    let cluster = InProcess::start(3).await;
    let leader = Raw::leader(&cluster).await;
    let process = leader.open("1", "eu", &[]).await;
    let follower = Raw::node(&cluster, cluster.follower().await).await;
    let elsewhere = announce(&follower, announcement(&process, &[(PATH, "")], Along::Schemas)).await.unwrap_err();
    assert_eq!(problem(&elsewhere).0, "not-leader");

    let held = InProcess::start_with(1, |settings| settings.upgrade.level_max = Some(2)).await;
    let node = Raw::leader(&held).await;
    let process: Process = node.open("1", "eu", &[]).await;
    let refused = announce(&node, announcement(&process, &[(PATH, "")], Along::Schemas)).await.unwrap_err();
    let (reason, _, message) = problem(&refused);
    assert_eq!(reason, "level-too-low");
    assert!(message.contains("`keeperctl cluster upgrade` raises it"), "{message}");
}
