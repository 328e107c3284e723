//! Over a limit: a clear refusal that names it, and nothing lost.

use keeper_client_sdk::{Edit, Endpoint, InitialMember, Registration, SessionKey};
use keeper_proto::v1 as wire;
use keeper_proto::v1::instances_client::InstancesClient;
use keeper_proto::v1::sessions_client::SessionsClient;
use keeper_tests::InProcess;
use prost::Message;

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

/// The problem that a refusal carries: its field, and what it says.
fn named(status: &tonic::Status) -> (String, String) {
    let problem = wire::Problem::decode(status.details()).expect("a problem");
    (problem.field, problem.message)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_named_by_its_field_with_what_would_be_right() {
    let cluster = InProcess::start(1).await;
    let channel = raw::leader(&cluster).await;
    let (mut sessions, mut instances) = (SessionsClient::new(channel.clone()), InstancesClient::new(channel.clone()));
    let gateway = raw::open(&channel, "a", 60_000).await;

    let count = wire::CountSessionsRequest { topic: vec![b't'; 65].into() };
    let (field, said) = named(&sessions.count(count).await.expect_err("no topic is that long"));
    assert_eq!((field.as_str(), said.as_str()), ("topic", "`topic` has 65 bytes; the limit is 64"));

    let open = |former_state_id, flush_total| wire::OpenInstanceRequest {
        service: "room".to_owned(),
        id: "b".to_owned(),
        former_state_id,
        flush_total,
        ..Default::default()
    };
    let (field, said) = named(&instances.open(open(9, u64::MAX)).await.expect_err("no gateway holds as many"));
    assert_eq!(field, "flush_total");
    assert!(said.ends_with("it lies between 0 and 2147483648"), "{said}");
    let (field, _) = named(&instances.open(open(0, 5)).await.expect_err("of no history"));
    assert_eq!(field, "former_state_id");
    // A gateway that lost its lease names the history it was in, and cannot know that it is still the present one.
    instances.open(open(gateway.state_id, 5)).await.expect("it may");

    let notices = wire::NoticesRequest { incarnation: gateway.incarnation, state_id: 9, ..Default::default() };
    let (field, said) = named(&sessions.notices(notices).await.expect_err("another history"));
    assert_eq!(field, "state_id");
    assert!(said.contains(&format!("the present one is {:016x}", gateway.state_id)), "{said}");

    let garbage = || bytes::Bytes::from_static(b"\xfejunk");
    let scan = wire::ScanRequest { token: garbage(), ..Default::default() };
    let presence = wire::PresenceRequest { token: garbage(), ..Default::default() };
    let refused =
        [sessions.scan(scan).await.expect_err("no token"), sessions.presence(presence).await.expect_err("no token")];
    for status in &refused {
        let (field, said) = named(status);
        assert_eq!(field, "token");
        assert!(said.starts_with("`token` is damaged, or is not one of "), "{said}");
    }

    let selector = Some(wire::SessionSelector { instance: "room/z".to_owned(), ..Default::default() });
    let kick = wire::KickRequest { selector, ..Default::default() };
    let (field, said) = named(&sessions.kick(kick).await.expect_err("nobody"));
    let expected = ("selector.instance", "no instance `room/z` is open: nobody was kicked");
    assert_eq!((field.as_str(), said.as_str()), expected);
    let kick = wire::KickRequest { user: "u".into(), author: "a".repeat(129), ..Default::default() };
    let (field, said) = named(&sessions.kick(kick).await.expect_err("too long"));
    assert_eq!((field.as_str(), said.as_str()), ("author", "`author` has 129 bytes; the limit is 128"));
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
