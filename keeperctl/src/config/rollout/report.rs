//! Rollouts as they are printed.

use keeper_client_sdk::{Rollout, RolloutHeard, RolloutStatus, Stage};
use serde::Serialize;

use crate::{
    args::{Share, TypedStage},
    render::{self, Report},
};

/// How the servers begin to say how long a stage is still watched.
const COUNTDOWN: &str = ": another ";

/// A rollout that has begun, or would.
#[derive(Debug, Serialize)]
pub(super) struct Started {
    /// None: it would.
    rollout: Option<u64>,
    stages: Vec<Step>,
}

/// A stage, and how many open instances everything up to it has.
#[derive(Debug, Serialize)]
struct Step {
    stage: String,
    instances: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    opened_at: Option<String>,
}

impl Started {
    /// What to think of before it is too late: a stage that nobody is in, or nobody more, shows nothing.
    pub(super) fn warnings(&self) -> Vec<String> {
        let mut before = 0;
        let warning = |(at, step): (usize, &Step)| {
            let former = std::mem::replace(&mut before, step.instances?);
            match step.instances? {
                0 => Some(format!("stage {} has no instance: nothing can be seen in it", at + 1)),
                now if at > 0 && now == former => {
                    Some(format!("stage {} has no instance more than stage {at}", at + 1))
                }
                _ => None,
            }
        };
        self.stages.iter().enumerate().filter_map(warning).collect()
    }

    pub(super) fn of(rollout: Option<u64>, stages: &[Stage], instances: Vec<u32>) -> Self {
        let mut instances = instances.into_iter();
        let step = |stage: &Stage| Step { stage: words(stage), instances: instances.next(), opened_at: None };
        Self { rollout, stages: stages.iter().map(step).collect() }
    }
}

impl Report for Started {
    fn table(&self) -> String {
        let rollout = self.rollout.map(|number| [number.to_string()]);
        let steps = self.stages.iter().enumerate().map(|(at, step)| {
            let instances = step.instances.map(|instances| instances.to_string()).unwrap_or_default();
            [(at + 1).to_string(), step.stage.clone(), instances]
        });
        render::sections([render::table(["ROLLOUT"], rollout), render::table(["STAGE", "WHOM", "INSTANCES"], steps)])
    }
}

/// Several rollouts, without what instances say.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(super) struct List(Vec<Row>);

#[derive(Debug, Serialize)]
struct Row {
    rollout: u64,
    state: &'static str,
    documents: Vec<String>,
    /// How many stages are open.
    stage: usize,
    stages: Vec<Step>,
    applied: String,
    author: String,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    forced: Option<String>,
    changed_at: String,
    changed_revision: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<String>,
    reason: String,
    #[serde(skip)]
    changed_at_ms: u64,
}

impl List {
    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<Vec<Rollout>> for List {
    fn from(rollouts: Vec<Rollout>) -> Self {
        Self(rollouts.into_iter().map(Row::from).collect())
    }
}

impl From<Rollout> for Row {
    fn from(rollout: Rollout) -> Self {
        let mut opened = rollout.opened_at_ms.iter();
        let step = |stage: &Stage| Step {
            stage: words(stage),
            instances: None,
            opened_at: opened.next().map(|at| render::millisecond(*at)),
        };
        Self {
            rollout: rollout.rollout,
            state: rollout.state.as_str(),
            stage: rollout.opened_at_ms.len(),
            stages: rollout.stages.iter().map(step).collect(),
            documents: rollout.paths,
            applied: Share { bps: rollout.applied_bps }.to_string(),
            author: rollout.author,
            message: rollout.message,
            forced: rollout.forced,
            changed_at: render::millisecond(rollout.changed_at_ms),
            changed_revision: rollout.changed_revision,
            by: rollout.by,
            reason: rollout.reason,
            changed_at_ms: rollout.changed_at_ms,
        }
    }
}

impl Report for List {
    fn table(&self) -> String {
        let cells = |row: &Row| {
            [
                row.rollout.to_string(),
                row.state.to_owned(),
                format!("{} of {}", row.stage, row.stages.len()),
                render::list(&row.documents),
                render::second(row.changed_at_ms),
                row.author.clone(),
                row.message.clone(),
            ]
        };
        let headings = ["ROLLOUT", "STATE", "STAGE", "DOCUMENTS", "SINCE", "AUTHOR", "MESSAGE"];
        render::table(headings, self.0.iter().map(cells))
    }
}

/// One rollout with what its instances say.
#[derive(Debug, Serialize)]
pub(super) struct Shown {
    #[serde(flatten)]
    rollout: Row,
    #[serde(flatten)]
    heard: Heard,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Heard {
    instances: u32,
    applied_instances: u32,
    refused: u32,
    needs_restart: u32,
    unwell: u32,
    waiting: u32,
    waits_for: String,
}

impl From<RolloutHeard> for Heard {
    fn from(heard: RolloutHeard) -> Self {
        let RolloutHeard { instances, applied, refused, needs_restart, unwell, waiting, waits_for, .. } = heard;
        Self { instances, applied_instances: applied, refused, needs_restart, unwell, waiting, waits_for }
    }
}

impl From<RolloutStatus> for Shown {
    fn from(status: RolloutStatus) -> Self {
        Self { rollout: status.rollout.into(), heard: status.heard.into() }
    }
}

impl Shown {
    /// It has ended, and nobody was in it, or the present leader has not seen who was.
    fn is_unseen(&self) -> bool {
        let is_under_way = ["running", "paused"].contains(&self.rollout.state);
        !is_under_way && self.heard.instances == 0
    }
}

impl Report for Shown {
    fn table(&self) -> String {
        let Self { rollout, heard } = self;
        let count = |count: u32| if self.is_unseen() { String::new() } else { count.to_string() };
        let head = render::fields([
            ("rollout", rollout.rollout.to_string()),
            ("documents", render::list(&rollout.documents)),
            ("author", rollout.author.clone()),
            ("message", rollout.message.clone()),
            ("forced", rollout.forced.clone().unwrap_or_default()),
            ("state", rollout.state.to_owned()),
            ("since", render::second(rollout.changed_at_ms)),
            ("by", rollout.by.clone().unwrap_or_default()),
            ("why", rollout.reason.clone()),
            ("instances", count(heard.instances)),
            ("applied", count(heard.applied_instances)),
            ("refused", count(heard.refused)),
            ("needs restart", count(heard.needs_restart)),
            ("unwell", count(heard.unwell)),
            ("waiting", count(heard.waiting)),
            ("waits for", heard.waits_for.clone()),
        ]);
        let steps =
            rollout.stages.iter().enumerate().map(|(at, step)| {
                [(at + 1).to_string(), step.stage.clone(), step.opened_at.clone().unwrap_or_default()]
            });
        render::sections([head, render::table(["STAGE", "WHOM", "OPENED"], steps)])
    }
}

/// A look at a rollout, in one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Line {
    rollout: u64,
    state: &'static str,
    stage: usize,
    stages: usize,
    #[serde(flatten)]
    heard: Heard,
    reason: String,
    #[serde(skip)]
    is_finished: bool,
}

impl Line {
    pub(super) fn of(status: &RolloutStatus) -> Self {
        Self {
            rollout: status.rollout.rollout,
            state: status.rollout.state.as_str(),
            stage: status.rollout.opened_at_ms.len(),
            stages: status.rollout.stages.len(),
            heard: status.heard.clone().into(),
            reason: status.rollout.reason.clone(),
            is_finished: status.rollout.state.is_finished(),
        }
    }

    /// Whether whoever read the other one learns nothing from this one: only a time has gone on that it waits for.
    pub(super) fn is_as_told_by(&self, other: &Self) -> bool {
        let timeless = |line: &Self| {
            let mut line = line.clone();
            if let Some(at) = line.heard.waits_for.find(COUNTDOWN) {
                line.heard.waits_for.truncate(at);
            }
            line
        };
        timeless(self) == timeless(other)
    }
}

impl Report for Line {
    fn table(&self) -> String {
        let Self { rollout, state, stage, stages, heard, reason, .. } = self;
        let said = [
            (heard.refused, "refuse it"),
            (heard.needs_restart, "need a restart"),
            (heard.unwell, "unwell"),
            (heard.waiting, "silent"),
        ];
        let said = said.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!(", {count} {what}"));
        let said: String = said.collect();
        let next = match (heard.waits_for.as_str(), reason.as_str()) {
            ("", "") => String::new(),
            (waits_for, "") => format!("; waits for {waits_for}"),
            (_, reason) => format!("; {reason}"),
        };
        let (applied, instances) = (heard.applied_instances, heard.instances);
        let whom = match (instances, self.is_finished) {
            (0, false) => ": nobody is in it".to_owned(),
            // Nobody was, or this leader has not seen who was.
            (0, true) => String::new(),
            (_, false) => format!(": {applied} of {instances} run with it"),
            (_, true) => format!(": {applied} of {instances} ran with it"),
        };
        let line = format!("rollout {rollout} {state}, stage {stage} of {stages}{whom}{said}{next}");
        render::printable(&line) + "\n"
    }
}

fn words(stage: &Stage) -> String {
    TypedStage(stage.clone()).to_string()
}

#[cfg(test)]
mod tests {
    use keeper_client_sdk::RolloutState;

    use super::*;

    fn status() -> RolloutStatus {
        let stages = ["zone=eu-1 5% 10m", "100%"].map(|stage| stage.parse::<TypedStage>().expect("a stage").0);
        let rollout = Rollout {
            rollout: 41,
            author: "ann@desk".into(),
            message: "raise limits".into(),
            forced: None,
            paths: vec!["push/room.toml".into()],
            stages: stages.to_vec(),
            applied_bps: 10_000,
            opened_at_ms: vec![1_795_361_762_345],
            state: RolloutState::Running,
            changed_at_ms: 1_795_361_762_345,
            changed_revision: 41,
            by: None,
            reason: String::new(),
        };
        let heard = RolloutHeard {
            instances: 3,
            applied: 2,
            waiting: 1,
            waits_for: "1 of 3 instances to apply it: room/r3".into(),
            ..RolloutHeard::default()
        };
        RolloutStatus { rollout, heard }
    }

    #[test]
    fn a_look_is_a_line() {
        let expected = "rollout 41 running, stage 1 of 2: 2 of 3 run with it, 1 silent; waits for 1 of 3 instances to \
                        apply it: room/r3\n";
        assert_eq!(Line::of(&status()).table(), expected);
        let mut stopped = status();
        stopped.rollout.state = RolloutState::Stopped;
        stopped.rollout.reason = "room/r1 refuses it: no".into();
        let expected = "rollout 41 stopped, stage 1 of 2: 2 of 3 ran with it, 1 silent; room/r1 refuses it: no\n";
        assert_eq!(Line::of(&stopped).table(), expected);
        let mut nobody = status();
        nobody.heard = RolloutHeard { waits_for: "somebody to resume it".into(), ..RolloutHeard::default() };
        let expected = "rollout 41 running, stage 1 of 2: nobody is in it; waits for somebody to resume it\n";
        assert_eq!(Line::of(&nobody).table(), expected);
    }

    /// `0 of 0 run with it` were the last words of a rollout that everybody had.
    #[test]
    fn the_last_words_of_a_rollout_are_not_of_nobody() {
        let mut promoted = status();
        promoted.rollout.state = RolloutState::Promoted;
        promoted.heard = RolloutHeard { instances: 3, applied: 3, ..RolloutHeard::default() };
        assert_eq!(Line::of(&promoted).table(), "rollout 41 promoted, stage 1 of 2: 3 of 3 ran with it\n");
        promoted.heard = RolloutHeard::default();
        assert_eq!(Line::of(&promoted).table(), "rollout 41 promoted, stage 1 of 2\n");
    }

    #[test]
    fn a_stage_of_nobody_is_said() {
        let stages = ["zone=mars 50% 1s", "50%", "20%", "100%"].map(|it| it.parse::<TypedStage>().expect("a stage").0);
        let warnings = |instances: &[u32]| Started::of(None, &stages, instances.to_vec()).warnings();
        let expected =
            ["stage 1 has no instance: nothing can be seen in it", "stage 3 has no instance more than stage 2"];
        assert_eq!(warnings(&[0, 2, 2, 4]), expected);
        assert_eq!(warnings(&[1, 2, 3, 4]), [""; 0]);
        assert_eq!(warnings(&[]), [""; 0], "an older node does not say");
    }

    #[test]
    fn a_rollout_in_columns() {
        let shown = Shown::from(status()).table();
        assert!(shown.contains("\nwaits for      1 of 3 instances to apply it: room/r3\n"), "{shown}");
        let expected = "\
STAGE  WHOM              OPENED
1      zone=eu-1 5% 10m  2026-11-22T15:36:02.345Z
2      100%              -
";
        assert!(shown.ends_with(expected), "{shown}");
        let expected = "\
ROLLOUT  STATE    STAGE   DOCUMENTS       SINCE                 AUTHOR    MESSAGE
41       running  1 of 2  push/room.toml  2026-11-22T15:36:02Z  ann@desk  raise limits
";
        assert_eq!(List::from(vec![status().rollout]).table(), expected);
    }

    /// Neither `start --force` nor `promote --force` was to be seen in it.
    #[test]
    fn what_was_forced_says_why() {
        let mut forced = status();
        assert!(Shown::from(forced.clone()).table().contains("\nforced         -\n"));
        forced.rollout.forced = Some("tested by hand".into());
        assert!(Shown::from(forced).table().contains("\nforced         tested by hand\n"));
    }

    /// A stage of half an hour was a line a second.
    #[test]
    fn a_countdown_is_nothing_new() {
        let line = |waits_for: &str| {
            let mut status = status();
            status.heard.waits_for = waits_for.into();
            Line::of(&status)
        };
        let told = line("the time of stage 1: another 179 s");
        assert!(told.is_as_told_by(&line("the time of stage 1: another 178 s")));
        assert!(!told.is_as_told_by(&line("the time of stage 2: another 179 s")));
        assert!(!told.is_as_told_by(&line("1 of 3 instances to apply it: room/r3")));
        let mut applied = status();
        (applied.heard.waits_for, applied.heard.applied) = ("the time of stage 1: another 178 s".into(), 3);
        assert!(!told.is_as_told_by(&Line::of(&applied)));
    }

    #[test]
    fn stages_show_whom_they_have() {
        let expected = "\
ROLLOUT
41

STAGE  WHOM              INSTANCES
1      zone=eu-1 5% 10m  1
2      100%              20
";
        assert_eq!(Started::of(Some(41), &status().rollout.stages, vec![1, 20]).table(), expected);
    }
}
