//! `keeperctl cluster backup`: the state of a node, in a file that is whole or is not there.

use std::{
    fs::File,
    io::{self, Write},
    path::{Path, PathBuf},
};

use keeper_client_sdk::{Backup, BackupOf, Cluster, Endpoint, Error, NodeStatus, Role};
use serde::Serialize;
use tempfile::NamedTempFile;

use crate::{
    admin::Admin,
    args::BackupCluster,
    cluster::{self, survey::Survey},
    failure::Failure,
    interrupt::Interrupt,
    render::{self, Report},
};

pub(crate) async fn backup(
    admin: &mut Admin<'_, '_>,
    endpoints: &[Endpoint],
    typed: &BackupCluster,
) -> Result<(), Failure> {
    let file = Target::new(&typed.file)?;
    let mut interrupt = Interrupt::listen();
    let taken = tokio::select! {
        taken = take(admin.keeper.cluster(), endpoints, typed, file) => taken?,
        () = interrupt.came() => {
            return Err(Failure::failed(format!("stopped; {} was not written", typed.file.display())));
        }
    };
    admin.console.print(&taken)
}

async fn take(
    cluster: Cluster,
    endpoints: &[Endpoint],
    typed: &BackupCluster,
    mut file: Target,
) -> Result<Taken, Failure> {
    let survey = cluster::survey(&cluster, endpoints).await;
    let endpoint = source(&survey, typed.from)?;
    let of = if typed.local { BackupOf::Node } else { BackupOf::Cluster };
    let mut backup = cluster.backup(&endpoint, of).await.map_err(meant)?;
    while let Some(piece) = backup.next().await? {
        file.write(&piece)?;
    }
    file.publish()?;
    Ok(Taken::of(&typed.file, &backup))
}

/// Without a majority nothing is confirmed, and what this node has may be all that is left.
fn meant(error: Error) -> Failure {
    let is_unconfirmed = error.reason() == "unconfirmed";
    let failure = Failure::from(error);
    if !is_unconfirmed {
        return failure;
    }
    failure.remedy("when a majority of the nodes is lost, `--local` takes what one node has")
}

/// Whom to ask: a follower unless somebody else was named, and of several the one that has most of the log.
fn source(survey: &Survey, from: Option<u64>) -> Result<Endpoint, Failure> {
    let mut nodes: Vec<&(Endpoint, NodeStatus)> = survey.answers.values().collect();
    if let Some(id) = from {
        let named = nodes.iter().find(|(_, status)| status.node_id == id);
        return named.map(|(endpoint, _)| endpoint.clone()).ok_or_else(|| nobody(survey, id));
    }
    nodes.sort_by_key(|(_, status)| (rank(&status.role), u64::MAX - status.applied_index));
    match nodes.first() {
        Some((endpoint, _)) => Ok(endpoint.clone()),
        None => Err(survey.silences().fold(Failure::unreachable("no node answers"), Failure::remedy)),
    }
}

fn rank(role: &Role) -> u8 {
    match role {
        Role::Follower => 0,
        Role::Learner => 1,
        Role::Leader | Role::NoQuorum => 2,
        Role::Candidate | Role::Uninitialized | Role::Removed | Role::Other(_) | _ => 3,
    }
}

fn nobody(survey: &Survey, id: u64) -> Failure {
    let answering = render::list(survey.statuses().map(|status| status.node_id));
    let members = survey.members();
    if survey.statuses().next().is_some() && !members.contains_key(&id) {
        let known = render::list(members.keys());
        return Failure::refused(format!("there is no node {id}: the members are {known}"));
    }
    let failure = Failure::failed(format!("node {id} does not answer; nodes that do: {answering}"));
    survey.silences().fold(failure, Failure::remedy)
}

/// A file beside the one that is meant, until everything is in it.
struct Target {
    unfinished: NamedTempFile,
    path: PathBuf,
}

impl Target {
    fn new(path: &Path) -> Result<Self, Failure> {
        if path.symlink_metadata().is_ok() {
            let name = path.display();
            return Err(Failure::failed(format!("{name} exists: name another file, or remove that one")));
        }
        if !folder(path).exists() {
            let (name, folder) = (path.display(), folder(path).display());
            return Err(Failure::failed(format!("cannot write {name}: there is no directory {folder}; make it first")));
        }
        let unfinished = NamedTempFile::new_in(folder(path)).map_err(|error| unwritable(path, &error))?;
        Ok(Self { unfinished, path: path.to_owned() })
    }

    fn write(&mut self, piece: &[u8]) -> Result<(), Failure> {
        self.unfinished.write_all(piece).map_err(|error| unwritable(&self.path, &error))
    }

    /// Gives it its name once it is on the disk, and makes the name durable.
    fn publish(self) -> Result<(), Failure> {
        let Self { unfinished, path } = self;
        let published = unfinished
            .as_file()
            .sync_all()
            .and_then(|()| unfinished.persist_noclobber(&path).map_err(|error| error.error))
            .and_then(|_| File::open(folder(&path))?.sync_all());
        published.map_err(|error| unwritable(&path, &error))
    }
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."))
}

/// In the words of the system: those of others name the unfinished file, which nobody has heard of.
fn unwritable(path: &Path, error: &io::Error) -> Failure {
    let why = if error.raw_os_error().is_some() { error.to_string() } else { error.kind().to_string() };
    Failure::failed(format!("cannot write {}: {why}", path.display()))
}

/// A backup that was taken.
#[derive(Debug, Serialize)]
struct Taken {
    file: String,
    cluster: String,
    node: u64,
    revision: u64,
    state_id: String,
    sessions: u64,
    bytes: u64,
    log_time: String,
    taken_at: String,
}

impl Taken {
    fn of(file: &Path, backup: &Backup) -> Self {
        let head = backup.head();
        Self {
            file: file.display().to_string(),
            cluster: head.cluster.clone(),
            node: head.node_id,
            revision: head.revision,
            state_id: render::hex(head.state_id),
            sessions: head.sessions,
            bytes: head.bytes,
            log_time: render::millisecond(head.log_time_ms),
            taken_at: render::millisecond(head.taken_at_ms),
        }
    }
}

impl Report for Taken {
    fn table(&self) -> String {
        let headings = ["FILE", "CLUSTER", "NODE", "REVISION", "SESSIONS", "BYTES", "STATE ID"];
        let row = [
            self.file.clone(),
            self.cluster.clone(),
            self.node.to_string(),
            self.revision.to_string(),
            self.sessions.to_string(),
            self.bytes.to_string(),
            self.state_id.clone(),
        ];
        render::table(headings, [row])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cluster::report::tests::{status, survey},
        failure::Kind,
    };

    fn entries(folder: &Path) -> usize {
        std::fs::read_dir(folder).expect("a folder").count()
    }

    #[test]
    fn a_file_is_there_when_it_is_whole() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("prod.backup");
        let mut target = Target::new(&path).expect("a file");
        target.write(b"the state").expect("a write");
        assert!(!path.exists());
        target.publish().expect("its name");
        assert_eq!(std::fs::read(&path).expect("its bytes"), b"the state");
        assert_eq!(entries(folder.path()), 1);
    }

    #[test]
    fn one_that_was_given_up_leaves_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut target = Target::new(&folder.path().join("prod.backup")).expect("a file");
        target.write(b"the st").expect("a write");
        drop(target);
        assert_eq!(entries(folder.path()), 0);
    }

    #[test]
    fn a_file_that_is_there_is_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("prod.backup");
        let target = Target::new(&path).expect("a file");
        std::fs::write(&path, "yesterday").expect("a write");
        let refused = Target::new(&path).err().expect("it exists").message;
        assert_eq!(refused, format!("{} exists: name another file, or remove that one", path.display()));
        // It came to be there while the backup was taken.
        assert!(target.publish().is_err());
        assert_eq!(std::fs::read(&path).expect("its bytes"), b"yesterday");
        assert_eq!(entries(folder.path()), 1);
    }

    #[test]
    fn a_place_that_cannot_be_written_is_named() {
        let refused = Target::new(Path::new("/dev/null/prod.backup")).err().expect("no folder").message;
        assert_eq!(refused, "cannot write /dev/null/prod.backup: not a directory");
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("gone/prod.backup");
        let refused = Target::new(&path).err().expect("no folder").message;
        let gone = folder.path().join("gone");
        let expected =
            format!("cannot write {}: there is no directory {}; make it first", path.display(), gone.display());
        assert_eq!(refused, expected);
    }

    #[test]
    fn a_node_that_is_none_is_told_from_one_that_is_silent() {
        let survey = survey(vec![status(1, Role::Leader), status(2, Role::Follower)], &[3]);
        let told = source(&survey, Some(9)).expect_err("there is none");
        assert_eq!((told.kind, told.message.as_str()), (Kind::Refused, "there is no node 9: the members are 1,2,3"));
        let told = source(&survey, Some(3)).expect_err("it is silent");
        assert_eq!((told.kind, told.message.as_str()), (Kind::Failed, "node 3 does not answer; nodes that do: 1,2"));
    }
}
