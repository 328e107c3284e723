//! A file of a node is damaged while the node is down: a bit flips, or its end is gone.
//!
//! The same node every time, so that never a majority is damaged: what two of three disks forgot nobody can know. It
//! may refuse to start, or report its log lost and not vote; it is then started again now and then, and must say so
//! again. It must not serve what is wrong, or help elect a leader that lacks what was acknowledged; the workload tells.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs::{self, OpenOptions},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result};
use rand::{
    RngExt,
    rngs::StdRng,
    seq::{IndexedRandom, IteratorRandom},
};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{node::Standing, world::World};

/// How long a damaged node may take to say that it does not start.
const REFUSES_WITHIN: Duration = Duration::from_secs(4);
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Whom it always hits: chance is better spent on what is hit.
const VICTIM: usize = 0;

pub(super) async fn strike(world: &World, random: &mut StdRng) -> Result<()> {
    let mut cluster = world.cluster.lock().await;
    let node = &mut cluster.nodes[VICTIM];
    let name = node.name();
    let (f, value) = match node.standing {
        Standing::Up => {
            node.kill().await?;
            node.is_damaged = true;
            ("damage", damage(&node.data(), random)?)
        }
        // As whoever watches over it would. It must not change its mind.
        Standing::Retired => ("again", json!(null)),
        Standing::Paused | Standing::Down => return Ok(()),
    };
    cluster.launch(VICTIM)?;
    drop(cluster);
    world.history.fault(f, &name, value)?;
    let deadline = Instant::now() + REFUSES_WITHIN;
    while Instant::now() < deadline && !world.is_over() {
        world.bury().await?;
        let cluster = world.cluster.lock().await;
        let node = &cluster.nodes[VICTIM];
        if node.standing == Standing::Retired {
            return world.history.fault("retired", &name, json!(node.last_words()));
        }
        drop(cluster);
        world.rest(LOOK_AGAIN).await;
    }
    Ok(())
}

/// Damages one file of one kind, and says which and how. Kinds are chosen first: most files are of few kinds.
fn damage(folder: &Path, random: &mut StdRng) -> Result<Value> {
    let mut kinds: BTreeMap<&str, Vec<PathBuf>> = BTreeMap::new();
    for file in files(folder)? {
        kinds.entry(kind(file.strip_prefix(folder)?)).or_default().push(file);
    }
    let Some((kind, files)) = kinds.iter().choose(random) else { return Ok(json!({ "how": "no file" })) };
    let file = files.choose(random).context("a kind has files")?;
    let length = fs::metadata(file)?.len();
    let told = file.strip_prefix(folder)?.display().to_string();
    if random.random_bool(0.5) {
        // By a few bytes, or by most of it.
        let most = if random.random_bool(0.5) { length.min(4_096) } else { length };
        let left = length - random.random_range(1..=most);
        OpenOptions::new().write(true).open(file)?.set_len(left)?;
        return Ok(json!({ "how": format!("{kind}: cut"), "file": told, "length": length, "left": left }));
    }
    let at = random.random_range(0..length);
    let opened = OpenOptions::new().read(true).write(true).open(file)?;
    let mut byte = [0];
    opened.read_exact_at(&mut byte, at)?;
    byte[0] ^= 1 << random.random_range(0..8);
    opened.write_all_at(&byte, at)?;
    Ok(json!({ "how": format!("{kind}: bit flipped"), "file": told, "length": length, "at": at }))
}

/// What a file is for, by its name.
fn kind(path: &Path) -> &'static str {
    let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
    let has_extension = |extension: &str| Path::new(name).extension().is_some_and(|it| it == extension);
    match name {
        "CURRENT" => "log pointer",
        "LOG" => "log journal",
        "LOCK" => "lock",
        "IDENTITY" => "log identity",
        _ if name.starts_with("MANIFEST") => "log manifest",
        _ if name.starts_with("OPTIONS") => "log options",
        _ if name.starts_with("LOG.old") => "log journal",
        _ if has_extension("log") => "log",
        _ if has_extension("sst") => "log table",
        _ if path.parent().is_some_and(|it| it.ends_with("snapshots")) => "snapshot",
        "mark" => "mark",
        "identity" => "identity",
        _ => "other file",
    }
}

/// Every file that holds anything.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)?.filter_map(Result::ok) {
            let metadata = entry.metadata()?;
            if metadata.is_dir() {
                folders.push(entry.path());
            } else if metadata.len() > 0 {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn exactly_one_file_is_damaged() {
        let mut random = StdRng::seed_from_u64(5);
        for _ in 0..50 {
            let folder = tempfile::tempdir().unwrap();
            fs::create_dir(folder.path().join("log")).unwrap();
            let written = ["a", "log/b"].map(|name| (folder.path().join(name), vec![7; 900]));
            written.iter().for_each(|(path, bytes)| fs::write(path, bytes).unwrap());
            let how = damage(folder.path(), &mut random).unwrap();
            let damaged = written.iter().filter(|(path, bytes)| fs::read(path).unwrap() != *bytes).count();
            assert_eq!(damaged, 1, "{how}");
        }
    }
}
