//! `keeperctl config status`: who runs with what of a document; and waiting until enough of them do.
//!
//! What instances say is heard by the leader and kept in its memory: after a new one was elected they say it again. Who
//! has said nothing is told apart from who refuses.

use keeper_client_sdk::{Applied, ConfigStatus, Gone, InstanceConfig, StatusOf};
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
    if status.all() == 0 {
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
    let lines = |status: ConfigStatus, is_wanted: fn(&InstanceConfig) -> bool| {
        status.instances.into_iter().filter(is_wanted).map(|it| Row::from(it).line()).collect::<Vec<_>>()
    };
    match verdict(path, &status, share) {
        Ok(()) => {
            admin.console.say(format_args!("{} of {} run with it", status.reached, status.all()));
            let left = lines(status, |it| it.gone.is_some());
            left.iter().for_each(|line| admin.console.say(line));
            Ok(())
        }
        Err(failure) => {
            let lagging = lines(status, |it| it.applied != Applied::Yes);
            Err(lagging.into_iter().fold(failure, Failure::remedy).remedy("it is published all the same"))
        }
    }
}

/// Nobody is not everybody: a path that is mistyped has no readers, and a value that all of them die of has none left.
fn verdict(path: &str, status: &ConfigStatus, share: Share) -> Result<(), Failure> {
    let ConfigStatus { reached, refused, needs_restart, waiting, gone, closed, .. } = status;
    match (status.all(), closed) {
        (0, 0) => {
            let failure = Failure::refused(format!("nobody reads {path}, so there was nobody to wait for"));
            return Err(failure.remedy("leave `--wait` out where readers are yet to come"));
        }
        (0, 1) => return Err(Failure::refused(format!("nobody reads {path} any more: the last reader has closed"))),
        (0, more) => {
            return Err(Failure::refused(format!("nobody reads {path} any more: the last {more} readers have closed")));
        }
        _ => {}
    }
    if status.applied_bps() >= share.bps {
        return Ok(());
    }
    let others = [
        (refused, "refuse it"),
        (needs_restart, "need a restart for it"),
        (waiting, "have not said so"),
        (gone, "gone since"),
    ];
    let others = others.into_iter().filter(|(count, _)| **count > 0).map(|(count, what)| format!("{count} {what}"));
    let others: Vec<_> = others.collect();
    let all = status.all();
    Err(Failure::refused(format!(
        "{reached} of {all} run with what {path} says, and {share} were to: {}",
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
    /// What it spoke about last.
    revision: u64,
    running_revision: u64,
    applied: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    gone: Option<&'static str>,
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
            running_revision: instance.running_revision,
            gone: instance.gone.map(|gone| match gone {
                Gone::Closed => "closed",
                Gone::Expired => "expired",
                Gone::Replaced => "replaced",
            }),
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
    /// As a laggard is named: who, what it says or how it went, and what it ran with.
    fn line(&self) -> String {
        let Self { instance, version, applied, gone, reason, running_revision, .. } = self;
        let program = if version.is_empty() { String::new() } else { format!(" ({version})") };
        let why = if reason.is_empty() { String::new() } else { format!(": {reason}") };
        let is = match (*gone, *applied) {
            (Some(gone), "refused") => format!("refused it{why}; gone since: {}", leave(gone)),
            (Some(gone), _) => format!("gone since, without a word of it: {}", leave(gone)),
            (None, "waiting") => "has said nothing of it".to_owned(),
            (None, "refused") => format!("refuses it{why}"),
            (None, "needs restart") => format!("needs a restart for it{why}"),
            (None, applied) => applied.to_owned(),
        };
        let with = match running_revision {
            0 => String::new(),
            revision => format!("; it runs with revision {revision}"),
        };
        render::printable(&format!("{instance}{program} {is}{with}"))
    }

    /// In a word.
    fn is(&self) -> String {
        match self.gone {
            Some(gone) => gone.to_owned(),
            None => self.applied.to_owned(),
        }
    }
}

fn leave(gone: &str) -> &'static str {
    match gone {
        "closed" => "it has closed",
        "replaced" => "the next of its name has not said that it reads it",
        _ => "its lease ran out",
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
        let revisions = render::table(["RUNNING", "INSTANCES"], self.revisions.iter().map(at));
        let cells = |row: &Row| {
            [
                row.instance.clone(),
                row.version.clone(),
                revision(row.wanted_revision),
                revision(row.running_revision),
                row.is(),
                row.rollout.map(|rollout| rollout.to_string()).unwrap_or_default(),
                row.reason.clone(),
            ]
        };
        let headings = ["INSTANCE", "VERSION", "WANTED", "RUNNING", "IS", "ROLLOUT", "REASON"];
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

    fn instance(id: &str, running_revision: u64, applied: Applied, reason: &str) -> InstanceConfig {
        InstanceConfig {
            service: "room".into(),
            id: id.into(),
            incarnation: 7,
            version: "1.4.2".into(),
            wanted_revision: 12,
            revision: 12,
            running_revision,
            applied,
            reason: reason.into(),
            rollout: None,
            gone: None,
        }
    }

    fn status() -> ConfigStatus {
        ConfigStatus {
            revision: 15,
            listening_since_ms: 1_795_361_762_345,
            readers: 3,
            applied: 1,
            refused: 1,
            needs_restart: 0,
            waiting: 1,
            revisions: vec![(12, 1), (9, 1), (0, 1)],
            gone: 0,
            closed: 0,
            reached: 1,
            instances: vec![
                instance("r2", 9, Applied::Refused, "max_inflight: no"),
                instance("r3", 0, Applied::Waiting, ""),
                instance("r1", 12, Applied::Yes, ""),
            ],
        }
    }

    fn gone(id: &str, how: Gone) -> InstanceConfig {
        InstanceConfig { gone: Some(how), wanted_revision: 0, ..instance(id, 0, Applied::Waiting, "") }
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

RUNNING  INSTANCES
12       1
9        1
-        1

INSTANCE  VERSION  WANTED  RUNNING  IS       ROLLOUT  REASON
room/r2   1.4.2    12      9        refused  -        max_inflight: no
room/r3   1.4.2    12      -        waiting  -        -
room/r1   1.4.2    12      12       applied  -        -
";
        assert_eq!(Status::of("a.toml", status()).table(), expected);
    }

    #[test]
    fn too_few_are_counted_by_what_they_say() {
        let failure = verdict("a.toml", &status(), Share { bps: 9_900 }).expect_err("one of three");
        let expected = "1 of 3 run with what a.toml says, and 99% were to: 1 refuse it, 1 have not said so";
        assert_eq!(failure.message, expected);
        assert_eq!(verdict("a.toml", &status(), Share { bps: 3_333 }), Ok(()));
    }

    /// `0 of 0 run with it` was said, with exit code 0, of a value that everybody had died of.
    #[test]
    fn all_of_nobody_is_not_enough() {
        let share = Share { bps: 10_000 };
        let nobody = ConfigStatus {
            readers: 0,
            applied: 0,
            reached: 0,
            refused: 0,
            waiting: 0,
            instances: Vec::new(),
            ..status()
        };
        let refused = |status: &ConfigStatus| verdict("a.toml", status, share).expect_err("nobody").message;
        assert_eq!(refused(&nobody), "nobody reads a.toml, so there was nobody to wait for");
        let closed = ConfigStatus { closed: 2, ..nobody.clone() };
        assert_eq!(refused(&closed), "nobody reads a.toml any more: the last 2 readers have closed");
        let died = ConfigStatus { gone: 2, ..nobody };
        let expected = "0 of 2 run with what a.toml says, and 100% were to: 2 gone since";
        assert_eq!(refused(&died), expected);
        let rest = ConfigStatus { readers: 1, refused: 0, waiting: 0, gone: 1, ..status() };
        assert!(verdict("a.toml", &rest, share).is_err() && verdict("a.toml", &rest, Share { bps: 5_000 }).is_ok());
        let refuser = InstanceConfig { gone: Some(Gone::Closed), ..instance("r4", 0, Applied::Refused, "no") };
        let refused =
            ConfigStatus { readers: 1, refused: 0, waiting: 0, gone: 1, instances: vec![refuser], ..status() };
        assert!(verdict("a.toml", &refused, share).is_err(), "it refused before it closed");
    }

    #[test]
    fn who_was_overtaken_has_applied_it_all_the_same() {
        let overtaken = ConfigStatus { applied: 0, refused: 0, waiting: 3, reached: 3, ..status() };
        assert_eq!(verdict("a.toml", &overtaken, Share { bps: 10_000 }), Ok(()));
    }

    #[test]
    fn a_laggard_is_named_with_what_it_said() {
        let lines: Vec<_> = status().instances.into_iter().map(|it| Row::from(it).line()).collect();
        assert_eq!(lines[0], "room/r2 (1.4.2) refuses it: max_inflight: no; it runs with revision 9");
        assert_eq!(lines[1], "room/r3 (1.4.2) has said nothing of it");
        let line = |it| Row::from(it).line();
        let expected = "room/r3 (1.4.2) has said nothing of it; it runs with revision 11";
        assert_eq!(line(instance("r3", 11, Applied::Waiting, "")), expected);
        let expected = "room/r4 (1.4.2) gone since, without a word of it: its lease ran out";
        assert_eq!(line(gone("r4", Gone::Expired)), expected);
        let refused = InstanceConfig { applied: Applied::Refused, reason: "no".into(), ..gone("r4", Gone::Closed) };
        assert_eq!(line(refused), "room/r4 (1.4.2) refused it: no; gone since: it has closed");
        assert_eq!(Row::from(gone("r4", Gone::Replaced)).is(), "replaced");
    }
}
