//! Real processes: killed, paused, started wrongly.

use std::process::Command;
use std::time::Duration;

use keeper_client_sdk::{Keeper, Registration, Route, SessionKey};
use keeper_tests::{Processes, binary, until};
use tokio::time::Instant;

fn user(n: usize) -> SessionKey {
    SessionKey::of_user(format!("user-{n}")).expect("a user")
}

#[tokio::test(flavor = "multi_thread")]
async fn no_acknowledged_session_is_lost_when_processes_are_killed() {
    let mut cluster = Processes::start(3).await;
    let keeper = cluster.keeper().await;
    let room = keeper.instance("room", "a").ttl(Duration::from_secs(30)).open().await.unwrap();
    let sessions = room.sessions();
    let mut acknowledged = 0;
    for round in 0..3 {
        let leader = cluster.leader().await;
        let writing = async {
            for n in 0..200 {
                sessions.register(Registration::new(user(round * 200 + n))).await.unwrap();
            }
        };
        let killing = async {
            until("some are acknowledged", async || {
                keeper.sessions().count(None).await.is_ok_and(|it| it.total > acknowledged)
            })
            .await;
            cluster.kill(leader);
        };
        tokio::join!(writing, killing);
        acknowledged += 200;
        cluster.launch(leader);
    }
    // All at once.
    for at in 0..3 {
        cluster.kill(at);
    }
    for at in 0..3 {
        cluster.launch(at);
    }
    cluster.leader().await;
    let counted = keeper.sessions().count(None).await.unwrap();
    assert_eq!(counted.total, acknowledged);
    for n in 0..600 {
        assert!(keeper.lookup().session(&user(n)).await.unwrap().found.is_some(), "user {n}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_was_paused_expires_nothing_when_it_wakes_up() {
    let cluster = Processes::start(3).await;
    let leader = cluster.leader().await;
    let others: Vec<_> = (0..3).filter(|at| *at != leader).collect();
    let keeper = Keeper::connect(cluster.endpoints()).await.unwrap();
    let ttl = Duration::from_secs(4);
    let room = keeper.instance("room", "a").ttl(ttl).open().await.unwrap();
    room.sessions().register(Registration::new(user(1))).await.unwrap();
    cluster.signal(leader, "STOP");
    let paused_at = Instant::now();
    cluster.leader_among(&others).await;
    until("the pause is longer than the TTL", async || paused_at.elapsed() > ttl * 2).await;
    cluster.signal(leader, "CONT");
    let woken_at = Instant::now();
    until("the old leader has had time to do harm", async || woken_at.elapsed() > ttl).await;
    assert!(room.is_held(), "the gateway renewed all along");
    assert!(keeper.lookup().session(&user(1)).await.unwrap().found.is_some());
    assert_eq!(keeper.instances().get("room", "a").await.unwrap().map(|it| it.incarnation), Some(room.incarnation()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_start_says_why_in_one_sentence() {
    let cluster = Processes::start(1).await;
    let said = |arguments: &[&str]| {
        let output = Command::new(binary("keeper")).args(arguments).output().expect("keeper runs");
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), words.lines().last().unwrap_or_default().to_owned())
    };
    let settings = cluster.settings(0).display().to_string();
    let (code, words) = said(&["start", "--config", &settings]);
    assert_eq!(code, Some(2), "{words}");
    assert!(words.contains("listen.client") && words.contains("in use"), "{words}");

    // A second process on the same directory, on other ports.
    let text = std::fs::read_to_string(cluster.settings(0)).unwrap();
    let change = |edit: &dyn Fn(&str) -> String| {
        let moved = text.lines().map(|line| {
            if line.contains("127.0.0.1:") {
                format!("{} = \"127.0.0.1:0\"\n", line.split(' ').next().unwrap_or_default())
            } else {
                format!("{line}\n")
            }
        });
        let path = cluster.data(0).with_extension("other.toml");
        std::fs::write(&path, edit(&moved.collect::<String>())).unwrap();
        path.display().to_string()
    };
    let same = change(&|text| text.to_owned());
    let (code, words) = said(&["start", "--config", &same]);
    assert_eq!(code, Some(2), "{words}");
    assert!(words.contains("node-1"), "{words}");

    let unknown = change(&|text| text.replace("node_id", "node_ip"));
    let (code, words) = said(&["start", "--config", &unknown]);
    assert_eq!(code, Some(2), "{words}");
    assert!(words.contains("node_ip") && words.contains("node_id"), "{words}");

    let again = cluster.found();
    assert_eq!(again.status.code(), Some(1), "{}", String::from_utf8_lossy(&again.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_of_another_cluster_is_refused_and_knows_its_own_number() {
    let mut cluster = Processes::start(1).await;
    cluster.kill(0);
    let text = std::fs::read_to_string(cluster.settings(0)).unwrap();
    std::fs::write(cluster.settings(0), text.replace("\"test\"", "\"prod\"")).unwrap();
    let output = Command::new(binary("keeper")).args(["start", "--config"]).arg(cluster.settings(0)).output().unwrap();
    let words = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{words}");
    assert!(words.contains("`test`"), "{words}");

    // A node that got another number once must not lose it to what its settings say.
    std::fs::write(cluster.settings(0), text.replace("node_id = 1", "node_id = 7")).unwrap();
    cluster.launch(0);
    cluster.leader().await;
    let status = cluster.keeper().await.cluster().status().await;
    let ids: Vec<u64> = status.into_iter().filter_map(|(_, status)| Some(status.ok()?.node_id)).collect();
    assert_eq!(ids, [1]);
}

/// EMQX EIP-0042, emqx#17382: after a partition the nodes delete each other's sessions.
#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_was_cut_off_takes_no_session_away_when_it_comes_back() {
    let cluster = Processes::start(3).await;
    let leader = cluster.leader().await;
    let others: Vec<_> = (0..3).filter(|at| *at != leader).collect();
    let keeper = cluster.keeper().await;
    let a = keeper.instance("room", "a").ttl(Duration::from_secs(30)).open().await.unwrap();
    let b = keeper.instance("room", "b").ttl(Duration::from_secs(30)).open().await.unwrap();
    let mut old = Vec::new();
    for n in 0..50 {
        old.push(a.sessions().register(Registration::new(user(n))).await.unwrap().epoch);
    }
    cluster.signal(leader, "STOP");
    cluster.leader_among(&others).await;
    // The other side goes on: half of the users move.
    for n in 0..25 {
        b.sessions().register(Registration::new(user(n))).await.unwrap();
    }
    cluster.signal(leader, "CONT");
    // And the gateway they left says good-bye for all of them, late.
    for (n, epoch) in old.into_iter().enumerate().take(25) {
        let late = a.sessions().unregister(&user(n), epoch).await.expect_err("it is another's by now");
        assert_eq!(late.reason(), "stale-epoch");
    }
    for at in 0..3 {
        let lookup = Keeper::connect([cluster.endpoint(at)]).await.unwrap().lookup().route(Route::AnyNode);
        for n in 0..50 {
            let found = lookup.session(&user(n)).await.unwrap().found.expect("nobody was lost");
            assert_eq!(found.owner.instance, if n < 25 { "b" } else { "a" }, "user {n} on node {at}");
        }
    }
}

/// The others go on sending to a node until it has closed its ports; that is no error.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_told_to_stop_has_no_error_to_tell() {
    let mut cluster = Processes::start(3).await;
    for at in 0..3 {
        cluster.leader().await;
        cluster.signal(at, "TERM");
        let log = || std::fs::read_to_string(cluster.log(at)).expect("a log");
        until("the node has stopped", async || log().contains("the node has stopped")).await;
        let errors: Vec<_> = log().lines().filter(|line| line.contains(" ERROR ")).map(str::to_owned).collect();
        assert_eq!(errors, [""; 0]);
        cluster.kill(at);
        cluster.launch(at);
    }
}

/// It was said 90 times a second for each lease, for as long as no majority answered.
#[tokio::test(flavor = "multi_thread")]
async fn a_leader_without_a_majority_says_once_that_a_lease_ran_out() {
    let mut cluster = Processes::start(3).await;
    let leader = cluster.leader().await;
    let keeper = cluster.keeper().await;
    // By the end of the longer one the shorter one has been due for seconds.
    let short = keeper.instance("room", "a").ttl(Duration::from_secs(2)).open().await.unwrap();
    let long = keeper.instance("room", "b").ttl(Duration::from_secs(6)).open().await.unwrap();
    for at in (0..3).filter(|at| *at != leader) {
        cluster.kill(at);
    }
    let log = cluster.log(leader);
    let lines = |what: &str| std::fs::read_to_string(&log).unwrap().lines().filter(|line| line.contains(what)).count();
    until("both have run out", async || lines("the expiry was not decided") >= 2).await;
    assert_eq!((lines("lease ran out"), lines("the expiry was not decided")), (2, 2));
    drop((short, long));
}
