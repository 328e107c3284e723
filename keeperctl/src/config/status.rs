//! `keeperctl config status`: who runs with what of a document; and waiting until enough of them do.
//!
//! What instances say is heard by the leader and kept in its memory: after a new one was elected they say it again. Who
//! has said nothing is told apart from who refuses.

use keeper_client_sdk::{Applied, ConfigStatus, InstanceConfig, StatusOf};
use serde::Serialize;

use crate::{
    admin::Admin,
    args::{Share, StatusConfig},
    config::absent,
    failure::Failure,
    limits,
    render::{self, Report},
};

pub(super) async fn show(admin: &mut Admin<'_, '_>, typed: &StatusConfig) -> Result<(), Failure> {
    let configs = admin.keeper.configs();
    let present = absent::present(&configs, &typed.path, "status").await;
    let mut asked = StatusOf::path(&typed.path).limit(typed.limit);
    if let Some(share) = typed.wait {
        asked = asked.wait(share.bps, 0, admin.timeout);
    }
    let status = configs.status(asked).await?;
    if status.readers == 0 {
        // A path that is only mistyped has no readers either.
        present?;
        admin.console.say(format_args!("no open instance has said that it reads {}", typed.path));
    }
    let reached = typed.wait.map(|share| verdict(&typed.path, &status, share));
    admin.console.print(&Status::of(&typed.path, status))?;
    reached.unwrap_or(Ok(()))
}

/// Returns when a share of the readers runs with a revision; names the laggards otherwise.
pub(super) async fn wait(admin: &mut Admin<'_, '_>, key: &str, revision: u64, share: Share) -> Result<(), Failure> {
    let path = key.split('@').next().unwrap_or(key);
    admin.console.say(format_args!("waiting until {share} of its readers run with revision {revision} of {key}"));
    let asked = StatusOf::path(path).limit(limits::READERS_SHOWN).wait(share.bps, revision, admin.timeout);
    let status = admin.keeper.configs().status(asked).await;
    let status = status.map_err(|error| {
        Failure::from(error)
            .remedy(format!("it is published: see who runs with it with `keeperctl config status {path}`"))
    })?;
    match verdict(path, &status, share) {
        Ok(()) => {
            let (applied, readers) = (status.applied, status.readers);
            admin.console.say(format_args!("{applied} of {readers} run with it"));
            Ok(())
        }
        Err(failure) => {
            let lagging = status.instances.iter().filter(|instance| instance.applied != Applied::Yes);
            let lines: Vec<_> = lagging.map(|instance| Row::from(instance.clone()).line()).collect();
            Err(lines.into_iter().fold(failure, Failure::remedy).remedy("it is published all the same"))
        }
    }
}

fn verdict(path: &str, status: &ConfigStatus, share: Share) -> Result<(), Failure> {
    if status.applied_bps() >= share.bps {
        return Ok(());
    }
    let ConfigStatus { readers, applied, refused, needs_restart, waiting, .. } = status;
    let others = [(refused, "refuse it"), (needs_restart, "need a restart for it"), (waiting, "have not said so")];
    let others = others.into_iter().filter(|(count, _)| **count > 0).map(|(count, what)| format!("{count} {what}"));
    let others: Vec<_> = others.collect();
    Err(Failure::refused(format!(
        "{applied} of {readers} run with what {path} says, and {share} were to: {}",
        others.join(", ")
    )))
}

/// Who runs with what, as it is printed.
#[derive(Debug, Serialize)]
struct Status {
    path: String,
    revision: u64,
    readers: u32,
    applied: u32,
    refused: u32,
    needs_restart: u32,
    waiting: u32,
    /// None: since before there was log time.
    listening_since: Option<String>,
    revisions: Vec<At>,
    instances: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct At {
    revision: u64,
    instances: u32,
}

#[derive(Debug, Serialize)]
struct Row {
    instance: String,
    incarnation: u64,
    version: String,
    wanted_revision: u64,
    revision: u64,
    applied: &'static str,
    reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    rollout: Option<u64>,
}

impl Status {
    fn of(path: &str, status: ConfigStatus) -> Self {
        Self {
            path: path.to_owned(),
            revision: status.revision,
            readers: status.readers,
            applied: status.applied,
            refused: status.refused,
            needs_restart: status.needs_restart,
            waiting: status.waiting,
            listening_since: (status.listening_since_ms > 0).then(|| render::millisecond(status.listening_since_ms)),
            revisions: status.revisions.into_iter().map(|(revision, instances)| At { revision, instances }).collect(),
            instances: status.instances.into_iter().map(Row::from).collect(),
        }
    }
}

impl From<InstanceConfig> for Row {
    fn from(instance: InstanceConfig) -> Self {
        Self {
            instance: format!("{}/{}", instance.service, instance.id),
            incarnation: instance.incarnation,
            version: instance.version,
            wanted_revision: instance.wanted_revision,
            revision: instance.revision,
            applied: match instance.applied {
                Applied::Waiting => "waiting",
                Applied::Yes => "applied",
                Applied::Refused => "refused",
                Applied::NeedsRestart => "needs restart",
            },
            reason: instance.reason,
            rollout: instance.rollout,
        }
    }
}

impl Row {
    /// As a laggard is named.
    fn line(&self) -> String {
        let Self { instance, version, applied, reason, revision, .. } = self;
        let program = if version.is_empty() { String::new() } else { format!(" ({version})") };
        let why = if reason.is_empty() { String::new() } else { format!(": {reason}") };
        let at = if *revision == 0 { String::new() } else { format!(", last heard of at revision {revision}") };
        render::printable(&format!("{instance}{program} {applied}{why}{at}"))
    }
}

impl Report for Status {
    fn table(&self) -> String {
        let head = render::fields([
            ("document", self.path.clone()),
            ("readers", self.readers.to_string()),
            ("applied", self.applied.to_string()),
            ("refused", self.refused.to_string()),
            ("needs restart", self.needs_restart.to_string()),
            ("waiting", self.waiting.to_string()),
            ("listening since", self.listening_since.clone().unwrap_or_default()),
        ]);
        let at = |at: &At| [revision(at.revision), at.instances.to_string()];
        let revisions = render::table(["REVISION", "INSTANCES"], self.revisions.iter().map(at));
        let cells = |row: &Row| {
            [
                row.instance.clone(),
                row.version.clone(),
                revision(row.wanted_revision),
                revision(row.revision),
                row.applied.to_owned(),
                row.rollout.map(|rollout| rollout.to_string()).unwrap_or_default(),
                row.reason.clone(),
            ]
        };
        let headings = ["INSTANCE", "VERSION", "WANTED", "REVISION", "IS", "ROLLOUT", "REASON"];
        let instances = render::table(headings, self.instances.iter().map(cells));
        render::sections([head, revisions, instances])
    }
}

/// Revision 0 is none.
fn revision(revision: u64) -> String {
    if revision == 0 { String::new() } else { revision.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status() -> ConfigStatus {
        let instance = |id: &str, revision, applied, reason: &str| InstanceConfig {
            service: "room".into(),
            id: id.into(),
            incarnation: 7,
            version: "1.4.2".into(),
            wanted_revision: 12,
            revision,
            applied,
            reason: reason.into(),
            rollout: None,
        };
        ConfigStatus {
            revision: 15,
            listening_since_ms: 1_795_361_762_345,
            readers: 3,
            applied: 1,
            refused: 1,
            needs_restart: 0,
            waiting: 1,
            revisions: vec![(12, 2), (0, 1)],
            instances: vec![
                instance("r2", 12, Applied::Refused, "max_inflight: no"),
                instance("r3", 0, Applied::Waiting, ""),
                instance("r1", 12, Applied::Yes, ""),
            ],
        }
    }

    #[test]
    fn readers_in_columns() {
        let expected = "\
FIELD            VALUE
document         a.toml
readers          3
applied          1
refused          1
needs restart    0
waiting          1
listening since  2026-11-22T15:36:02.345Z

REVISION  INSTANCES
12        2
-         1

INSTANCE  VERSION  WANTED  REVISION  IS       ROLLOUT  REASON
room/r2   1.4.2    12      12        refused  -        max_inflight: no
room/r3   1.4.2    12      -         waiting  -        -
room/r1   1.4.2    12      12        applied  -        -
";
        assert_eq!(Status::of("a.toml", status()).table(), expected);
    }

    #[test]
    fn too_few_are_counted_by_what_they_say() {
        let failure = verdict("a.toml", &status(), Share { bps: 9_900 }).expect_err("one of three");
        let expected = "1 of 3 run with what a.toml says, and 99% were to: 1 refuse it, 1 have not said so";
        assert_eq!(failure.message, expected);
        assert_eq!(verdict("a.toml", &status(), Share { bps: 3_333 }), Ok(()));
        let nobody = ConfigStatus { readers: 0, applied: 0, ..status() };
        assert_eq!(verdict("a.toml", &nobody, Share { bps: 10_000 }), Ok(()));
    }

    #[test]
    fn a_laggard_is_named_with_what_it_said() {
        let lines: Vec<_> = status().instances.into_iter().map(|it| Row::from(it).line()).collect();
        assert_eq!(lines[0], "room/r2 (1.4.2) refused: max_inflight: no, last heard of at revision 12");
        assert_eq!(lines[1], "room/r3 (1.4.2) waiting");
    }
}
