//! Damage to every kind of file of a node that is down: a byte flipped, the end cut off. When the node starts, all is
//! as it was, or it refuses, names the file and the cure. Never wrong data, never less of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use keeper_client_sdk::{Consistency, Edit, Instance, Registration, SessionKey};
use keeper_tests::InProcess;

/// Users registered.
const USERS: usize = 40;

/// Places of one file where a byte is flipped, its first one and its last one among them. It is cut at every other.
const PLACES: usize = 7;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Damage {
    Flipped(usize),
    CutTo(usize),
}

/// What came of a start.
#[derive(Debug, Default, Clone, Copy)]
struct Tally {
    whole: usize,
    refused: usize,
}

fn user(n: usize) -> SessionKey {
    SessionKey::of_user(format!("user-{n}")).expect("a user")
}

/// Every file below a folder that holds anything, by its path within.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let entry = entry.expect("an entry");
        let metadata = entry.metadata().expect("its size");
        if metadata.is_dir() {
            found.extend(files(&entry.path()));
        } else if metadata.len() > 0 {
            found.push(entry.path());
        }
    }
    found.sort();
    found
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("its type").is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("a copy");
        }
    }
}

/// What a file is, whatever its number.
fn kind(path: &Path) -> String {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let letters: String = name.chars().filter(|letter| !letter.is_ascii_digit()).collect();
    let folder = path.parent().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
    format!("{}/{letters}", folder.unwrap_or_default())
}

/// Spread over the part of a file that was written: recycled files end in what was there before.
fn damages(kind: &str, bytes: &[u8]) -> Vec<Damage> {
    // Written for people, and never read.
    if ["/LOG", "/OPTIONS", "/IDENTITY", "/LOCK"].iter().any(|name| kind.contains(name)) {
        return vec![Damage::Flipped(0), Damage::CutTo(0)];
    }
    let written = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let place = |number: usize| number * written.saturating_sub(1) / (PLACES - 1);
    let flips = (0..PLACES).map(|number| Damage::Flipped(place(number)));
    let cuts = (0..PLACES).step_by(2).map(|number| Damage::CutTo(place(number)));
    flips.chain(cuts).collect()
}

fn apply(path: &Path, damage: Damage) {
    let mut bytes = fs::read(path).expect("its bytes");
    match damage {
        Damage::Flipped(at) => bytes[at] ^= 1 << (at % 8),
        Damage::CutTo(length) => bytes.truncate(length),
    }
    fs::write(path, bytes).expect("a write");
}

/// A node that has a snapshot, a log behind it, and files of the log that were flushed.
async fn written() -> (InProcess, Instance) {
    let mut cluster = InProcess::start_with(1, |settings| {
        settings.raft.snapshot_log_entries = Some(30);
        settings.raft.log_keep_entries = 8;
        settings.raft.heartbeat_ms = 20;
        settings.raft.election_min_ms = 50;
        settings.raft.election_max_ms = 80;
    })
    .await;
    let keeper = cluster.keeper().await;
    let room = keeper.instance("room", "a").ttl(Duration::from_secs(600)).open().await.unwrap();
    for n in 0..USERS {
        room.sessions().register(Registration::new(user(n))).await.unwrap();
        if n == USERS / 2 {
            keeper.configs().publish(Edit::put("app/a.toml", "a = 1\n")).await.unwrap();
        }
    }
    // Each start flushes what the log before it left.
    for path in ["app/b.toml", "app/c.toml"] {
        cluster.stop(0).await;
        cluster.restart(0).await;
        cluster.leader().await;
        keeper.configs().publish(Edit::put(path, "a = 1\n")).await.unwrap();
    }
    cluster.stop(0).await;
    // Kept open: what it holds is to be there each time.
    (cluster, room)
}

/// Whether everything that was acknowledged is there, and as it was.
async fn check(cluster: &InProcess, how: &str) {
    cluster.leader().await;
    let keeper = cluster.keeper().await;
    for n in 0..USERS {
        let found = keeper.lookup().consistency(Consistency::Linearizable).session(&user(n)).await;
        assert!(found.is_ok_and(|it| it.found.is_some()), "{how}: user {n} is gone, and nobody said so");
    }
    for path in ["app/a.toml", "app/b.toml", "app/c.toml"] {
        let document = keeper.configs().get(path).await.unwrap();
        assert_eq!(document.map(|it| it.text).as_deref(), Some("a = 1\n"), "{how}: {path}");
    }
    assert_eq!(keeper.sessions().count(None).await.unwrap().total, USERS as u64, "{how}");
}

/// A refusal names the file, or where the database itself cannot say, the folder; and what to do.
fn judge(said: &str, file: &Path, how: &str) {
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let folder = file.parent().map(|folder| folder.display().to_string()).unwrap_or_default();
    // A file of the log that the others do not name any more is missed by what was in it.
    let is_missed = said.contains("the log is damaged: record");
    let is_named = is_missed || said.contains(&name) || said.contains(&folder);
    assert!(is_named, "{how}: the file is not named: {said}");
    let is_newer = said.contains("run a newer keeper");
    assert!(is_newer || said.contains("`keeper forget --config FILE`"), "{how}: no cure: {said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_file_is_harmless_or_refused_by_its_name() {
    let (mut cluster, _room) = written().await;
    let pristine = cluster.settings(0).data_dir.clone();
    let mut tallies: BTreeMap<String, Tally> = BTreeMap::new();
    for path in files(&pristine) {
        let file = path.strip_prefix(&pristine).expect("a file of it").to_owned();
        let kind = kind(&path);
        for damage in damages(&kind, &fs::read(&path).expect("its bytes")) {
            let how = format!("{} {damage:?}", file.display());
            // A folder of its own: a node that was stopped may still remove files of the one before.
            let folder = tempfile::tempdir().expect("a folder");
            let data = folder.path().join("data");
            copy(&pristine, &data);
            apply(&data.join(&file), damage);
            cluster.change(0, |settings| settings.data_dir.clone_from(&data));
            let tally = tallies.entry(kind.clone()).or_default();
            match cluster.try_start(0).await {
                Ok(()) => {
                    // What is read only when it is needed may stop a node that runs, with the same words.
                    let stopped = tokio::select! {
                        stopped = cluster.node(0).stopped() => Some(stopped),
                        () = check(&cluster, &how) => None,
                    };
                    cluster.stop(0).await;
                    match &stopped {
                        Some(stopped) => judge(&stopped.reason, &data.join(&file), &how),
                        None => tally.whole += 1,
                    }
                    tally.refused += usize::from(stopped.is_some());
                }
                Err(said) => {
                    judge(&said, &data.join(&file), &how);
                    tally.refused += 1;
                }
            }
        }
    }
    for (kind, Tally { whole, refused }) in &tallies {
        println!("{kind}: {whole} harmless, {refused} refused");
    }
    let refused =
        |kind: &str| tallies.iter().filter(|(it, _)| it.contains(kind)).map(|(_, it)| it.refused).sum::<usize>();
    for kind in ["identity", "mark", ".log", ".sst", "MANIFEST", "CURRENT", ".snapshot"] {
        assert!(refused(kind) > 0, "no damage to {kind} was noticed");
    }
}
