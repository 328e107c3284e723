//! The state of a cluster in a file, and a cluster begun with it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use keeper_client_sdk::{
    BackupOf, Connection, Edit, Endpoint, FormerState, Gateway, GatewayEvent, GatewayEvents, GiveUp, Keeper,
    RebuildProgress, Registration, SessionKey,
};
use keeper_tests::{InProcess, Processes, binary, until};
use serde_json::Value;

/// Held by a gateway that comes back, by one that comes back slowly, and by one that does not.
const QUICK: std::ops::Range<usize> = 0..400;
const SLOW: std::ops::Range<usize> = 400..600;
const GONE: std::ops::Range<usize> = 600..620;

fn user(n: usize) -> SessionKey {
    SessionKey::of_user(format!("user-{n}")).expect("a user")
}

async fn connect(gateway: &Gateway, users: std::ops::Range<usize>) -> Vec<Connection> {
    let connecting = users.map(|n| gateway.connect(Registration::new(user(n)).connection(n.to_string())));
    futures_util::future::try_join_all(connecting).await.unwrap()
}

async fn run(name: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(binary(name));
    command.args(arguments);
    tokio::task::spawn_blocking(move || command.output().expect("it runs")).await.expect("it ends")
}

async fn ctl(cluster: &Processes, arguments: &[&str]) -> Output {
    run("keeperctl", &[&["--endpoints", &cluster.endpoints().join(",")], arguments].concat()).await
}

fn words(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// What a command says that does what it was asked.
fn said(output: &Output) -> String {
    assert!(output.status.success(), "{}", words(output));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Its words, when it refuses.
fn refused(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{}", words(output));
    words(output)
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path of text")
}

/// Takes a backup while documents are published and sessions registered, none of which fails or waits for it.
async fn taken_under_writes(cluster: &Processes, keeper: &Keeper, file: &Path) -> Value {
    let done = AtomicBool::new(false);
    let instance = keeper.instance("room", "busy").open().await.unwrap();
    let writing = async {
        let mut written = 0_usize;
        while !done.load(Ordering::Relaxed) || written == 0 {
            keeper.configs().publish(Edit::put(format!("busy/{written}.json"), "1")).await.unwrap();
            instance.sessions().register(Registration::new(user(10_000 + written))).await.unwrap();
            written += 1;
        }
        instance.close().await.unwrap();
    };
    let taking = async {
        let taken = ctl(cluster, &["--output", "json", "cluster", "backup", text(file)]).await;
        done.store(true, Ordering::Relaxed);
        taken
    };
    let ((), taken) = tokio::join!(writing, taking);
    serde_json::from_str(&said(&taken)).expect("one JSON value")
}

/// One node begins with the backup; the others with nothing.
async fn restore(cluster: &mut Processes, file: &Path) {
    let (file, settings) = (text(file).to_owned(), cluster.settings(0));
    let restore = ["restore", "--from", &file, "--config", text(&settings)];
    let refusal = refused(&run("keeper", &restore).await);
    assert!(refusal.contains("is in use by process"), "{refusal}");
    for at in 0..3 {
        cluster.kill(at);
    }
    let refusal = refused(&run("keeper", &restore).await);
    assert!(refusal.contains("is not empty, it holds"), "{refusal}");
    for at in 0..3 {
        cluster.wipe(at);
    }
    let restored = said(&run("keeper", &restore).await);
    assert!(restored.contains("cluster test, restored at revision"), "{restored}");
    for at in 0..3 {
        cluster.launch(at);
    }
    until("the restored cluster is founded", async || cluster.init(&[]).status.success()).await;
    let again = refused(&cluster.init(&[]));
    assert!(again.contains("already belongs to a cluster"), "{again}");
}

/// The first session that a gateway is told to let go of, and who holds it now.
async fn displaced(events: &mut GatewayEvents) -> (SessionKey, String) {
    let told = async {
        loop {
            if let GatewayEvent::Displaced { key, by, .. } = events.next().await.expect("the gateway lives") {
                return (key, by.instance);
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(30), told).await.expect("it is told")
}

async fn is_found(keeper: &Keeper, n: usize) -> bool {
    keeper.lookup().session(&user(n)).await.is_ok_and(|it| it.found.is_some())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_is_backed_up_under_writes_and_restored_with_its_gateways() {
    let mut cluster = Processes::start(3).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("test.backup");
    let keeper = cluster.keeper().await;
    let gateway = |id: &str| keeper.instance("room", id).ttl(Duration::from_secs(3)).gateway();
    let (quick, _events) = gateway("quick").start();
    let (slow, mut slow_events) = gateway("slow").reregister_rate(40).start();
    let other = cluster.keeper().await;
    let (gone, gone_events) = other.instance("room", "gone").ttl(Duration::from_secs(3)).gateway().start();
    let held = [connect(&quick, QUICK).await, connect(&slow, SLOW).await];
    let held_by_gone = connect(&gone, GONE).await;
    keeper.configs().publish(Edit::put("app/a.toml", "# why\nx = 1\n")).await.unwrap();
    let before = keeper.sessions().rebuild_status().await.unwrap();

    let taken = taken_under_writes(&cluster, &keeper, &file).await;
    let leader = cluster.leader().await as u64 + 1;
    assert_ne!(taken["node"], leader, "{taken}");
    assert!(taken["sessions"].as_u64() >= Some(GONE.end as u64), "{taken}");
    assert_eq!(taken["bytes"], std::fs::metadata(&file).unwrap().len(), "{taken}");
    let whole = said(&run("keeper", &["backup-verify", text(&file)]).await);
    assert!(whole.contains(&format!("revision    {}\n", taken["revision"])), "{whole}");
    keeper.configs().publish(Edit::put("app/later.toml", "x = 2\n")).await.unwrap();
    drop((held_by_gone, gone, gone_events, other));

    restore(&mut cluster, &file).await;
    // A device is back before its slow gateway has come to it.
    let (fast, _fast_events) = gateway("fast").start();
    let roaming = fast.connect(Registration::new(user(SLOW.end - 1)).connection("new")).await.unwrap();
    let looked = keeper.lookup().session(&user(GONE.start)).await.unwrap();
    assert!(looked.found.is_none(), "{looked:?}");
    assert_eq!(looked.formerly.first().map(|it| it.state), Some(FormerState::Unconfirmed), "{looked:?}");
    assert!(looked.rebuilding.is_some_and(|it| it.done_permille < 1_000), "{looked:?}");

    for n in QUICK.chain(SLOW) {
        until("a session is found again", async || is_found(&keeper, n).await).await;
    }
    let (key, by) = displaced(&mut slow_events).await;
    assert_eq!((key, by.as_str()), (user(SLOW.end - 1), "fast"));
    let found = keeper.lookup().session(&user(SLOW.end - 1)).await.unwrap().found.expect("held by the fast one");
    assert_eq!(found.owner.instance, "fast");

    let after = keeper.sessions().rebuild_status().await.unwrap();
    assert_ne!(after.state_id, before.state_id);
    assert!(after.revision > before.revision + (1 << 32), "{after:?}");
    let waited_for: Vec<_> = after.rebuild.expect("one gateway has not come back").gateways;
    let progress = |id: &str| waited_for.iter().find(|it| it.instance == id).map(|it| it.progress);
    assert_eq!(progress("gone"), Some(RebuildProgress::Awaited), "{waited_for:?}");
    keeper.sessions().give_up(GiveUp::Everybody, "ops").await.unwrap();
    until("a gateway that was given up has no sessions", async || {
        let looked = keeper.lookup().session(&user(GONE.start)).await;
        looked.is_ok_and(|it| it.found.is_none() && it.formerly.is_empty() && it.rebuilding.is_none())
    })
    .await;
    let document = keeper.configs().get("app/a.toml").await.unwrap().expect("as in the backup");
    assert_eq!(&document.text[..], "# why\nx = 1\n");
    assert!(keeper.configs().get("app/later.toml").await.unwrap().is_none());

    // It is a cluster like any other: it does without the node that it began with.
    cluster.kill(0);
    cluster.leader_among(&[1, 2]).await;
    until("a session is found without the first node", async || is_found(&keeper, 0).await).await;
    drop((held, roaming));
}

/// Every refusal has its exit code and names what is wrong.
#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_cannot_be_taken_or_used_is_refused_by_name() {
    let mut cluster = Processes::start(3).await;
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| -> PathBuf { folder.path().join(name) };
    let file = path("a.backup");
    said(&ctl(&cluster, &["cluster", "backup", "--from", "2", text(&file)]).await);

    let object: Value =
        serde_json::from_str(&said(&run("keeper", &["backup-verify", "--json", text(&file)]).await)).unwrap();
    assert_eq!((&object["cluster"], &object["node"]), (&"test".into(), &2.into()), "{object}");
    assert_eq!((&object["sessions_live"], &object["configs"]), (&0.into(), &0.into()), "{object}");
    assert_eq!(object["bytes"], std::fs::metadata(&file).unwrap().len(), "{object}");
    assert_eq!(object["taken_at"].as_str().map(str::len), Some("2026-11-22T22:22:06.000Z".len()), "{object}");

    let there = ctl(&cluster, &["cluster", "backup", text(&file)]).await;
    assert_eq!(there.status.code(), Some(2));
    assert!(words(&there).contains("exists: name another file"), "{}", words(&there));
    let nobody = ctl(&cluster, &["cluster", "backup", "--from", "9", text(&path("b.backup"))]).await;
    assert_eq!(nobody.status.code(), Some(1));
    assert!(words(&nobody).contains("there is no node 9: the members are 1,2,3"), "{}", words(&nobody));

    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(path("damaged"), bytes).unwrap();
    let damaged = refused(&run("keeper", &["backup-verify", text(&path("damaged"))]).await);
    assert!(damaged.contains("damaged is damaged at byte "), "{damaged}");
    let missing = run("keeper", &["backup-verify", text(&path("none"))]).await;
    assert_eq!(missing.status.code(), Some(2), "{}", words(&missing));

    let settings = path("other.toml");
    let data = path("data");
    std::fs::write(&settings, format!("cluster = \"other\"\nnode_id = 7\ndata_dir = {data:?}\n")).unwrap();
    let restore = ["restore", "--config", text(&settings), "--from"];
    for from in ["damaged", "a.backup"] {
        refused(&run("keeper", &[&restore[..], &[text(&path(from))]].concat()).await);
        assert!(!data.exists(), "nothing is begun with {from}");
    }
    said(&run("keeper", &[&restore[..], &[text(&file), "--backup-of", "test"]].concat()).await);
    assert!(data.join("identity").exists());

    // What one node has is all there is when a majority is lost.
    for at in [0, 1] {
        cluster.kill(at);
    }
    let endpoint = cluster.endpoint(2);
    let rest = path("rest.backup");
    let unconfirmed = run("keeperctl", &["--endpoints", &endpoint, "cluster", "backup", text(&rest)]).await;
    assert_eq!(unconfirmed.status.code(), Some(2), "{}", words(&unconfirmed));
    assert!(words(&unconfirmed).contains("--local") && !rest.exists(), "{}", words(&unconfirmed));
    said(&run("keeperctl", &["--endpoints", &endpoint, "cluster", "backup", "--local", text(&rest)]).await);
    said(&run("keeper", &["backup-verify", text(&rest)]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_backup_is_taken_at_a_time_and_a_reader_that_takes_nothing_loses_its_turn() {
    let cluster = InProcess::start(1).await;
    let keeper = cluster.keeper().await;
    // More than the connection takes ahead of its reader.
    for n in 0..8 {
        let text = format!("\"{}\"", "x".repeat(900 << 10));
        keeper.configs().publish(Edit::put(format!("large/{n}.json"), text)).await.unwrap();
    }
    let endpoint = Endpoint::parse(&cluster.endpoint(0)).unwrap();
    let mut idle = keeper.cluster().backup(&endpoint, BackupOf::Cluster).await.unwrap();
    let second = keeper.cluster().backup(&endpoint, BackupOf::Cluster).await.unwrap_err();
    assert_eq!(second.reason(), "full");
    assert_eq!(second.to_string(), "the number of backups taken from this node at once has reached its limit of 1");
    let mut later = None;
    until("the turn of a reader that takes nothing is over", async || {
        later = keeper.cluster().backup(&endpoint, BackupOf::Cluster).await.ok();
        later.is_some()
    })
    .await;
    let mut later = later.unwrap();
    let mut bytes = 0;
    while let Some(piece) = later.next().await.unwrap() {
        bytes += piece.len() as u64;
    }
    assert_eq!(bytes, later.head().bytes);
    let cut_off = loop {
        match idle.next().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("a backup that was cut off is not whole"),
            Err(error) => break error,
        }
    };
    assert_eq!(cut_off.reason(), "given-up", "{cut_off}");
}
