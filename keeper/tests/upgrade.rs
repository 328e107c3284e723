//! What each release left on disk is read for ever, and what a later one will leave is refused in one sentence.
//!
//! `golden/directory_1` is the data directory of a node that was stopped, `golden/backup_1.backup` a backup, both
//! written by the first release: a policy, a document with its history, two sessions of a gateway, a control; and in
//! the directory two more entries behind the snapshot. `golden/directory_2` and `golden/backup_2.backup` hold the same
//! as release 0.2.0 wrote it, of a node that was killed, in a cluster that a second node had joined and left. RocksDB's
//! own log of words is not among the files.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use keeper::backup::BackupFile;
use keeper::batch::Batch;
use keeper::node::{Node, Runtimes};
use keeper::settings::{Listen, Settings};
use keeper_registry::{Command, Level, RaiseLevel};
use tokio::runtime::Handle;

/// The hashes of the states in the backups, as the releases that wrote them printed them.
const HASH_1: u64 = 0xa6dd_9f81_c44f_2652;
const HASH_2: u64 = 0x3e74_5ca9_677a_f833;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("a copy");
        }
    }
}

/// A copy of a directory, and the settings of its node.
fn directory(name: &str, folder: &Path) -> Settings {
    let data = folder.join("data");
    copy(&golden(name), &data);
    let mut settings = Settings::new("golden", 1, data);
    settings.listen = Listen::loopback(0);
    settings
}

/// A node lets go of its directory a moment after it has shut down: that is waited for.
async fn start(settings: Settings) -> Result<Node, String> {
    let free = async {
        loop {
            let runtimes = Runtimes { serve: Handle::current(), raft: Handle::current() };
            let started = Node::start(settings.clone(), runtimes).await;
            let started = started.map_err(|error| keeper::problem::chain(&error));
            if !started.as_ref().is_err_and(|error| error.contains(" is in use by process ")) {
                return started;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), free).await.expect("the directory is free in time")
}

/// One that leads its cluster of one.
async fn leading(settings: Settings) -> Node {
    let node = start(settings).await.expect("it is read");
    let mut leadership = node.raft().leadership();
    let leading = leadership.wait_for(|leadership| leadership.own && leadership.ready);
    tokio::time::timeout(Duration::from_secs(30), leading).await.expect("in time").expect("it leads");
    node
}

fn identity(settings: &Settings) -> String {
    fs::read_to_string(settings.data_dir.join("identity")).expect("the identity")
}

/// What both golden directories hold, under the names of their users.
fn holds_everything(node: &Node, level: Level, late: &str, users: [&str; 2]) {
    node.replica().read(|state| {
        let text = |path: &str| state.config(path).map(|document| String::from_utf8_lossy(&document.text).into_owned());
        assert_eq!(text("app/limits.toml").as_deref(), Some("limit = 7\n"));
        assert_eq!(text("app/late.toml").as_deref(), Some(late), "an entry behind the snapshot");
        assert_eq!(state.session_policy().grace_ms, 600_000);
        let holder = |user: &str| state.session(user.as_bytes(), b"").map(|session| session.owner().id.to_string());
        assert_eq!(users.map(holder), [Some("gateway-1".to_owned()), Some("gateway-1".to_owned())]);
        assert_eq!(state.level(), level);
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_of_the_first_release_is_opened_and_can_go_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let settings = directory("directory_1", folder.path());
    let before = identity(&settings);
    let node = leading(settings.clone()).await;
    holds_everything(&node, Level::FIRST, "c = 1\n", ["alice", "bob"]);
    node.shutdown().await;
    assert_eq!(identity(&settings), before, "the release before still opens it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_of_the_second_release_is_opened_and_can_go_back_until_the_level_is_raised() {
    let folder = tempfile::tempdir().expect("a folder");
    let settings = directory("directory_2", folder.path());
    let before = identity(&settings);
    assert!(before.starts_with("keeper data directory\nformat 2\nneeds 0.2.0\nlevel 2\n"), "{before}");
    let node = leading(settings.clone()).await;
    holds_everything(&node, Level::NAMED, "c = 2\n", ["golden-00001", "golden-00002"]);
    node.shutdown().await;
    assert_eq!(identity(&settings), before, "the release before still opens it");

    let node = leading(settings.clone()).await;
    let raise = RaiseLevel { to: Level::CONFIGS, needs: "0.3.0".to_owned(), author: "ann".to_owned() };
    let time = node.replica().read(|state| state.time());
    let batch = Batch::new(time, vec![Command::RaiseLevel(raise)]);
    node.raft().propose(batch).await.expect("it is raised");
    node.shutdown().await;
    let after = identity(&settings);
    assert!(after.starts_with("keeper data directory\nformat 2\nneeds 0.3.0\nlevel 3\n"), "{after}");

    let mut held = settings.clone();
    held.upgrade.level_max = Some(2);
    let expected = "the data directory cannot be used: the cluster is at feature level 3, and upgrade.level_max holds \
                    this node at 2: remove the setting";
    assert_eq!(start(held).await.err().as_deref(), Some(expected));
    let node = leading(settings).await;
    holds_everything(&node, Level::CONFIGS, "c = 2\n", ["golden-00001", "golden-00002"]);
    node.shutdown().await;
}

#[test]
fn a_backup_of_the_first_release_makes_the_state_it_was_taken_of() {
    let backup = BackupFile::open(&golden("backup_1.backup")).expect("a backup");
    assert_eq!((backup.head().program.as_str(), backup.head().level), ("0.1.0", Level::FIRST));
    let contents = backup.contents().expect("a state");
    assert_eq!((contents.hash, contents.sessions_live, contents.configs), (HASH_1, 2, 3));
}

#[test]
fn a_backup_of_the_second_release_makes_the_state_it_was_taken_of() {
    let backup = BackupFile::open(&golden("backup_2.backup")).expect("a backup");
    assert_eq!((backup.head().program.as_str(), backup.head().level), ("0.2.0", Level::NAMED));
    let contents = backup.contents().expect("a state");
    assert_eq!((contents.hash, contents.sessions_live, contents.configs), (HASH_2, 2, 3));
}

#[tokio::test]
async fn a_directory_of_a_later_release_is_refused_with_the_release_that_reads_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let settings = directory("directory_1", folder.path());
    let path = settings.data_dir.display().to_string();
    let version = env!("CARGO_PKG_VERSION");
    let rest = "cluster golden\nnode 1\ncreated_at_ms 1\ndisk 21fa005b34664fbb\n";
    let cases = [
        (
            "format 9\nneeds 9.1.0\nwhatever that will be\n".to_owned(),
            format!(
                "data directory {path} has format 9; this keeper {version} reads 1 to 2: run keeper 9.1.0 or newer"
            ),
        ),
        (
            format!("format 2\nneeds 3.4.5\nlevel 7\n{rest}"),
            format!(
                "the data directory cannot be used: the cluster is at feature level 7, and this keeper {version} \
                 reaches 3: run keeper 3.4.5 or newer"
            ),
        ),
    ];
    for (written, expected) in cases {
        let text = format!("keeper data directory\n{written}");
        let checksum = crc32c::crc32c(text.as_bytes());
        fs::write(settings.data_dir.join("identity"), format!("{text}checksum {checksum:08x}\n")).expect("a write");
        let refused = start(settings.clone()).await.err();
        assert_eq!(refused, Some(expected));
    }
}

#[test]
fn a_backup_of_a_later_release_is_refused_with_the_release_that_reads_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("later.backup");
    fs::write(&path, b"KEEPBACK\x03\x059.1.0whatever that will be").expect("a write");
    let refused = BackupFile::open(&path).map(drop).map_err(|error| error.to_string());
    let (path, version) = (path.display(), env!("CARGO_PKG_VERSION"));
    let expected = format!("{path} has backup format 3; this keeper {version} reads 1 to 2: run keeper 9.1.0 or newer");
    assert_eq!(refused, Err(expected));
}
