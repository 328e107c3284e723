//! Disks that fill up: growth is refused while there is still room for everything that ends something, and comes back
//! by itself.
//!
//! Each node has a file system of its own, in memory, which only root can mount; without it these tests say so and end.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use keeper_client_sdk::{Edit, Error, Keeper, Kick, Registration, SessionKey, Sessions};
use keeper_tests::{InProcess, until, until_some};
use rustix::fs::{FallocateFlags, fallocate, statvfs};
use tempfile::TempDir;

/// Large enough for a log and its recycled files.
const DISK_MIB: u64 = 96;
const RESERVE_BYTES: u64 = 24 << 20;
/// Within the reserve, and enough for everything that goes on.
const WITHIN_BYTES: u64 = (16 << 20) - (1 << 19);

const SKIPPED: &str = "SKIPPED: disks are not filled without the right to mount one";

/// A file system in memory.
struct Disk {
    folder: TempDir,
}

impl Disk {
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let size = format!("size={DISK_MIB}m");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder.path()).status();
        mounted.is_ok_and(|status| status.success()).then_some(Self { folder })
    }

    fn ballast(&self) -> PathBuf {
        self.folder.path().join("ballast")
    }

    fn free_bytes(&self) -> u64 {
        let disk = statvfs(self.folder.path()).expect("a file system");
        disk.f_bavail * disk.f_frsize
    }

    /// Leaves this much.
    fn fill(&self, left_bytes: u64) {
        let file = File::options().create(true).append(true).open(self.ballast()).expect("a file");
        let held = file.metadata().expect("its size").len();
        let more = self.free_bytes().saturating_sub(left_bytes);
        fallocate(&file, FallocateFlags::empty(), held, more).expect("what is free can be taken");
    }

    fn relieve(&self) {
        fs::remove_file(self.ballast()).expect("what was taken is given back");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: a node may hold a file for a moment more.
        drop(Command::new("umount").arg("-l").arg(self.folder.path()).status());
    }
}

/// A cluster whose nodes have a disk each. The disks outlive the nodes.
struct Full {
    cluster: InProcess,
    disks: Vec<Disk>,
}

impl Full {
    async fn start(nodes: usize) -> Option<Self> {
        let disks: Vec<_> = (0..nodes).map(|_| Disk::mount()).collect::<Option<_>>()?;
        let cluster = InProcess::start_with(nodes, |settings| {
            let at = usize::try_from(settings.node_id.expect("a founder is numbered")).expect("a small number") - 1;
            settings.data_dir = disks[at].folder.path().join("data");
            settings.storage.disk_reserve_bytes = RESERVE_BYTES;
            settings.storage.memtable_bytes_max = 4 << 20;
        })
        .await;
        Some(Self { cluster, disks })
    }

    async fn until_short(&self, at: usize) {
        until("the node says that it is short", async || {
            self.cluster.status(at).await.disk.is_some_and(|disk| disk.is_short)
        })
        .await;
    }
}

fn user(name: &str) -> SessionKey {
    SessionKey::of_user(name.to_owned()).expect("a user")
}

async fn register(sessions: &Sessions, name: &str) -> Result<keeper_client_sdk::Registered, Error> {
    sessions.register(Registration::new(user(name))).await
}

async fn put(keeper: &Keeper, path: &str) -> Result<(), Error> {
    keeper.configs().publish(Edit::put(path, "a = 1\n")).await.map(drop)
}

/// The refusal of something new, once it is refused in these words: a disk is seen while it fills.
async fn refusal(sessions: &Sessions, words: &str) -> Error {
    let mut number = 0;
    until_some("a new session is refused", async || {
        number += 1;
        let refused = register(sessions, &format!("another-{number}")).await.err();
        refused.filter(|refused| refused.to_string().contains(words))
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn within_the_reserve_nothing_grows_everything_ends_and_it_recovers_by_itself() {
    let Some(mut full) = Full::start(3).await else { return println!("{SKIPPED}") };
    let keeper = full.cluster.keeper().await;
    let room = keeper.instance("room", "a").ttl(Duration::from_secs(5)).open().await.unwrap();
    let sessions = room.sessions();
    let first = register(&sessions, "first").await.unwrap();
    register(&sessions, "second").await.unwrap();
    register(&sessions, "third").await.unwrap();
    put(&keeper, "app/a.toml").await.unwrap();

    let leader = full.cluster.leader().await;
    full.disks[leader].fill(WITHIN_BYTES);
    full.until_short(leader).await;
    let expected =
        format!("node {} has 15 MiB of disk free, and takes nothing new below 24 MiB: make room", leader + 1);
    let refused = refusal(&sessions, &expected).await;
    assert_eq!(refused.reason(), "disk-full", "{refused}");
    let refused = put(&keeper, "app/b.toml").await.expect_err("documents take room");
    assert_eq!(refused.reason(), "disk-full", "{refused}");

    sessions.unregister(&user("first"), first.epoch).await.expect("what ends goes on");
    keeper.sessions().kick(Kick { user: "second".into(), ..Kick::default() }).await.expect("what ends goes on");
    keeper.configs().publish(Edit::delete("app/a.toml")).await.expect("what is deleted goes on");
    let other = keeper.instance("room", "b").open().await.expect("leases go on");
    register(&other.sessions(), "third").await.expect("who changes gateways goes on");
    let found = keeper.lookup().session(&user("third")).await.unwrap().found.expect("lookups go on");
    assert_eq!(found.owner.instance, "b");
    assert!(keeper.lookup().session(&user("first")).await.unwrap().found.is_none());

    // It starts as it is, and serves.
    full.cluster.stop(leader).await;
    full.cluster.restart(leader).await;
    full.cluster.leader().await;
    full.cluster.converge().await;
    full.until_short(leader).await;

    full.disks[leader].relieve();
    until("there is room again", async || register(&sessions, "fourth").await.is_ok()).await;
    put(&keeper, "app/b.toml").await.unwrap();
    full.cluster.converge().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_follower_without_room_follows_and_a_quorum_without_room_takes_nothing_new() {
    let Some(full) = Full::start(3).await else { return println!("{SKIPPED}") };
    let keeper = full.cluster.keeper().await;
    let room = keeper.instance("room", "a").open().await.unwrap();
    let sessions = room.sessions();
    let leader = full.cluster.leader().await;
    let followers: Vec<_> = (0..3).filter(|at| *at != leader).collect();

    full.disks[followers[0]].fill(WITHIN_BYTES);
    full.until_short(followers[0]).await;
    until("the leader knows", async || {
        let status = full.cluster.status(leader).await;
        status.members.iter().any(|member| member.disk.is_some_and(|disk| disk.is_short))
    })
    .await;
    register(&sessions, "first").await.expect("two of three have room");
    full.cluster.converge().await;

    full.disks[followers[1]].fill(WITHIN_BYTES / 2);
    refusal(&sessions, &format!("node {} has 7 MiB", followers[1] + 1)).await;
    full.disks[followers[0]].relieve();
    until("there is room again", async || register(&sessions, "second").await.is_ok()).await;
    full.cluster.converge().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_without_a_byte_left_stops_its_node_and_the_others_go_on() {
    let Some(mut full) = Full::start(3).await else { return println!("{SKIPPED}") };
    let keeper = full.cluster.keeper().await;
    let follower = full.cluster.follower().await;
    full.disks[follower].fill(0);
    // A log writes over its old files first; what is large uses them up soon.
    let large = async |number: usize| {
        let text = format!("a = \"{}\"\n", number.to_string().repeat(300_000));
        keeper.configs().publish(Edit::put("app/large.toml", text)).await.expect("two of three have room");
    };
    let writing = async {
        for number in 1..100 {
            large(number).await;
        }
    };
    let stopped = tokio::select! {
        stopped = full.cluster.node(follower).stopped() => stopped,
        () = writing => panic!("the node goes on with a full disk"),
    };
    assert!(stopped.reason.contains("No space left on device"), "{stopped}");
    full.cluster.crash(follower);
    large(100).await;
    full.disks[follower].relieve();
    full.cluster.restart(follower).await;
    full.cluster.leader().await;
    full.cluster.converge().await;
}
