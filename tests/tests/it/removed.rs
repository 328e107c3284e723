//! A node that was removed finds out, says so, and serves nobody.

use std::time::Duration;

use keeper_client_sdk::{Consistency, Edit, Rank, Registration, Role, SessionKey};
use keeper_proto::v1 as wire;
use keeper_proto::v1::configs_client::ConfigsClient;
use keeper_tests::{InProcess, until};
use prost::Message as _;
use tokio::time::{Instant, timeout};
use tonic::Status;
use tonic::transport::{Channel, Endpoint};

/// A node that runs is left out at once: a few of the leader's questions do not come, and a member is asked.
const AT_ONCE: Duration = Duration::from_secs(5);

async fn says_so(cluster: &InProcess, at: usize) {
    until("it says that it was removed", async || cluster.status(at).await.role == Role::Removed).await;
}

async fn channel(cluster: &InProcess, at: usize) -> Channel {
    Endpoint::from_shared(cluster.endpoint(at)).expect("a URL").connect().await.expect("it still listens")
}

fn problem(status: &Status) -> wire::Problem {
    wire::Problem::decode(status.details()).expect("a problem")
}

/// Refuses reads, watches and writes, and names a node that does not.
async fn serves_nobody(cluster: &InProcess, at: usize, other: usize) {
    let mut configs = ConfigsClient::new(channel(cluster, at).await);
    let local = wire::get_config_request::Consistency::Local.into();
    let get = wire::GetConfigRequest { path: "a.json".to_owned(), consistency: local, ..Default::default() };
    let delete = Some(wire::publish_request::change::Action::Delete(wire::publish_request::Delete {}));
    let change = wire::publish_request::Change { path: "a.json".to_owned(), action: delete, ..Default::default() };
    let publish = wire::PublishRequest { changes: vec![change], ..Default::default() };
    let watch = wire::WatchConfigsRequest { selectors: vec!["app/".to_owned()], ..Default::default() };
    let newest = wire::GetConfigRequest {
        consistency: wire::get_config_request::Consistency::Linearizable.into(),
        ..get.clone()
    };
    let newest = timeout(Duration::from_secs(2), configs.get(newest)).await.expect("nothing is waited for");
    let told = [
        newest.expect_err("a linearizable read"),
        configs.get(get).await.expect_err("a read"),
        configs.watch(watch).await.expect_err("a watch"),
        configs.publish(publish).await.expect_err("a write"),
    ];
    for (asked, status) in ["linearizable read", "read", "watch", "write"].iter().zip(&told) {
        let problem = problem(status);
        assert_eq!(problem.reason, "removed", "{asked}: {}", problem.message);
        assert!(problem.message.contains(&cluster.endpoint(other)), "{}", problem.message);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_learner_that_is_removed_ends_its_watches_at_once_and_can_be_added_again() {
    let mut cluster = InProcess::start(3).await;
    let keeper = cluster.keeper().await;
    let spare = cluster.spare().await;
    let number = cluster.add(spare, Rank::Learner).await;
    let near = cluster.client(spare).await;
    let mut watch = near.configs().watch(["app/"]);
    assert!(watch.next().await.unwrap().unwrap().reset);
    let room = keeper.instance("room", "a").open().await.unwrap();
    let user = SessionKey::of_user("ada").unwrap();
    room.sessions().register(Registration::new(user.clone())).await.unwrap();

    keeper.cluster().remove(number).done().await.unwrap();
    timeout(AT_ONCE, says_so(&cluster, spare)).await.expect("at once");
    let published = keeper.configs().publish(Edit::put("app/a.json", "{}")).await.unwrap();
    let told = timeout(AT_ONCE, watch.next()).await.expect("the watch goes on elsewhere, at once").unwrap().unwrap();
    assert_eq!(told.documents.iter().map(|it| it.revision).collect::<Vec<_>>(), [published.revision]);
    let local = near.lookup().consistency(Consistency::Local).session(&user).await.unwrap();
    assert!(local.found.is_some(), "another node answers");
    let leads = |at: &usize| cluster.node(*at).raft().leads().is_ok();
    let leader = (0..3).find(leads).expect("a leader");
    serves_nobody(&cluster, spare, leader).await;
    let members: Vec<_> = cluster.status(spare).await.members.iter().map(|it| it.node_id).collect();
    assert_eq!(members, [1, 2, 3], "it shows the way to the others");

    // Nothing is written down: started again it finds out again.
    cluster.stop(spare).await;
    cluster.restart(spare).await;
    says_so(&cluster, spare).await;

    // Its data is as good as it was.
    let again = keeper.cluster().add(cluster.peer_endpoint(spare), Rank::Voter).done().await.unwrap();
    assert_eq!(again.node_id, number);
    until("it is a member again", async || cluster.status(spare).await.role == Role::Follower).await;
    let mut watch = cluster.client(spare).await.configs().watch(["app/"]);
    assert!(watch.next().await.unwrap().unwrap().reset);
    cluster.converge().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_voter_that_was_removed_while_it_was_away_finds_out_and_stands_for_no_election() {
    let mut cluster = InProcess::start(3).await;
    let leader = cluster.leader().await;
    let away = (leader + 1) % 3;
    cluster.crash(away);
    let keeper = cluster.client(leader).await;
    keeper.cluster().remove(away as u64 + 1).done().await.unwrap();
    cluster.restart(away).await;
    says_so(&cluster, away).await;
    serves_nobody(&cluster, away, leader).await;
    // It still takes itself for a voter by its log; whoever leads is left in peace.
    let term = cluster.status(leader).await.term;
    let found_at = Instant::now();
    until("it has had time for several elections", async || {
        let role = cluster.node(away).raft().status().role;
        assert_ne!(role, keeper::raft::Role::Leader);
        found_at.elapsed() > Duration::from_secs(3)
    })
    .await;
    assert_eq!(cluster.status(leader).await.term, term);
    assert!(cluster.node(away).raft().status().term <= term, "it has begun no term of its own");
    keeper.configs().publish(Edit::put("a.json", "{}")).await.expect("the others go on");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_cut_off_takes_itself_for_no_less_than_a_member() {
    let mut cluster = InProcess::start(3).await;
    let follower = cluster.follower().await;
    let others: Vec<_> = (0..3).filter(|at| *at != follower).collect();
    let removed = cluster.node(follower).raft().watch_removed();
    for at in &others {
        cluster.crash(*at);
    }
    let alone_since = Instant::now();
    until("it has doubted for long", async || alone_since.elapsed() > Duration::from_secs(3)).await;
    assert_ne!(cluster.status(follower).await.role, Role::Removed);
    cluster.restart(others[0]).await;
    cluster.leader().await;
    cluster.restart(others[1]).await;
    cluster.leader().await;
    cluster.converge().await;
    assert!(!removed.has_changed().expect("the node runs"), "it never believed it");
}
