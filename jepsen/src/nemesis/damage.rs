//! A file of a node is damaged while the node is down: a bit flips, or its end is gone.
//!
//! The same node every time, so that never a majority is damaged: what two of three disks forgot nobody can know. It
//! may refuse to start, or report its log lost and not vote, and is then left down for the rest of the run. It must
//! not serve what is wrong, or help elect a leader that lacks what was acknowledged; the workload tells.

use std::{
    fs::{self, OpenOptions},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Result;
use rand::{RngExt, rngs::StdRng};
use serde_json::json;
use tokio::time::Instant;

use super::one_of;
use crate::{node::Standing, world::World};

/// How long a damaged node may take to say that it does not start.
const REFUSES_WITHIN: Duration = Duration::from_secs(4);
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Whom it always hits: chance is better spent on what is hit.
const VICTIM: usize = 0;

pub(super) async fn strike(world: &World, random: &mut StdRng) -> Result<()> {
    let mut cluster = world.cluster.lock().await;
    if cluster.nodes[VICTIM].standing == Standing::Retired {
        return Ok(());
    }
    if cluster.nodes[VICTIM].standing != Standing::Up {
        return Ok(());
    }
    let node = &mut cluster.nodes[VICTIM];
    node.kill().await?;
    node.is_damaged = true;
    let (data, name) = (node.data(), node.name());
    let how = damage(&data, random)?;
    cluster.launch(VICTIM)?;
    drop(cluster);
    world.history.fault("damage", &name, json!(how))?;
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

/// Damages one file, and says how.
fn damage(folder: &Path, random: &mut StdRng) -> Result<String> {
    let files = files(folder)?;
    let numbers: Vec<usize> = (0..files.len()).collect();
    let Some(file) = one_of(&numbers, random).map(|at| &files[at]) else { return Ok("no file".to_owned()) };
    let length = fs::metadata(file)?.len();
    let told = file.strip_prefix(folder).unwrap_or(file).display().to_string();
    if random.random_bool(0.4) {
        let left = length - random.random_range(1..=length.min(4_096));
        OpenOptions::new().write(true).open(file)?.set_len(left)?;
        return Ok(format!("{told} cut from {length} to {left}"));
    }
    let at = random.random_range(0..length);
    let opened = OpenOptions::new().read(true).write(true).open(file)?;
    let mut byte = [0];
    opened.read_exact_at(&mut byte, at)?;
    byte[0] ^= 1 << random.random_range(0..8);
    opened.write_all_at(&byte, at)?;
    Ok(format!("{told} has a bit flipped at {at} of {length}"))
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
