//! Over a limit: a clear refusal that names it, and nothing lost.

use keeper_client_sdk::{Edit, Endpoint, InitialMember, Registration, SessionKey};
use keeper_proto::v1 as wire;
use keeper_tests::InProcess;

use crate::wire as raw;

fn refusal(reply: &wire::WriteFrameReply) -> &str {
    reply.problem.as_ref().map_or("", |it| &it.message)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_over_the_limit_is_refused_whole_and_a_bad_operation_alone() {
    let cluster = InProcess::start(1).await;
    let channel = raw::leader(&cluster).await;
    let gateway = raw::open(&channel, "a", 60_000).await;
    let register = |user: String| {
        let key = Some(wire::SessionKey { user: user.into(), ..Default::default() });
        wire::session_operation::Operation::Register(wire::session_operation::Register { key, ..Default::default() })
    };
    let huge = raw::frame(&gateway, 1, (0..1_025).map(|n| register(format!("u{n}"))).collect());
    let refused = raw::frames(&channel, vec![huge]).await;
    assert!(refusal(&refused[0]).contains("1025 operations; the limit is 1024"), "{:?}", refused[0]);

    let mixed =
        raw::frame(&gateway, 1, vec![register("x".repeat(129)), register("ok".to_owned()), register(String::new())]);
    let reply = &raw::frames(&channel, vec![mixed]).await[0];
    let said = reply.results.iter().map(|it| match &it.result {
        Some(wire::operation_result::Result::Refused(refused)) => refused.reason.clone(),
        Some(wire::operation_result::Result::Registered(_)) => "registered".to_owned(),
        Some(wire::operation_result::Result::Done(_)) | None => "?".to_owned(),
    });
    assert_eq!(said.collect::<Vec<_>>(), ["too-large", "registered", "bad-name"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn over_long_names_and_documents_are_refused_with_the_limit() {
    let cluster = InProcess::start(1).await;
    let keeper = cluster.keeper().await;
    let name = "n".repeat(65);
    let refused = keeper.instance("room", name).open().await.expect_err("too long");
    assert!(refused.to_string().contains("64"), "{refused}");
    let user = SessionKey::of_user("u".repeat(129)).expect_err("too long");
    assert!(user.to_string().contains("128"), "{user}");
    let big = format!("x = \"{}\"\n", "a".repeat(1 << 20));
    let refused = keeper.configs().publish(Edit::put("big.toml", big)).await.expect_err("too large");
    assert!(refused.to_string().contains("1048576"), "{refused}");
    let refused = keeper.configs().publish(Edit::put("no-ending", "x")).await.expect_err("no format");
    assert!(refused.to_string().contains("name the format"), "{refused}");
    let refused = keeper.configs().publish(Edit::put("../up.toml", "x = 1")).await.expect_err("no path");
    assert!(!refused.is_retryable(), "{refused}");

    // The cluster is as well as before.
    let room = keeper.instance("room", "a").open().await.unwrap();
    room.sessions().register(Registration::new(SessionKey::of_user("u").unwrap())).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_is_founded_once_by_its_own_name_and_with_members_that_answer() {
    let cluster = InProcess::start(1).await;
    let keeper = cluster.keeper().await;
    let endpoint = Endpoint::parse(&cluster.endpoint(0)).unwrap();
    let member = InitialMember {
        node_id: 1,
        peer_endpoint: cluster.settings(0).listen.peer.to_string(),
        client_endpoint: cluster.endpoint(0),
    };
    let again = keeper.cluster().initialize(&endpoint, "test", vec![member.clone()]).await.expect_err("founded");
    assert!(again.to_string().contains("already"), "{again}");
    let other = keeper.cluster().initialize(&endpoint, "prod", vec![member]).await.expect_err("another cluster");
    assert!(other.to_string().contains("`test`, not to `prod`"), "{other}");
}
