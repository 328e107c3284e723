//! What becomes of a rollout next: a decision about what is known, without a clock, a task or a lock.

use std::sync::Arc;

use keeper_registry::{LogTime, Rollout, RolloutState, limits};

use super::{Evidence, Member};
use crate::acks::{Failure, Health, Verdict};

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Nobody is to have the candidates any more.
    Stop(String),
    /// The next stage opens.
    Advance,
    /// The last stage has passed: the candidates are for everybody.
    Promote,
    /// Nothing yet.
    Wait {
        /// What for: a sentence.
        why: String,
        /// When time alone may have changed it.
        until: Option<LogTime>,
    },
}

/// Instances that are named in a sentence.
const NAMED_MAX: usize = 3;

/// The whole, in basis points.
const WHOLE_BPS: u64 = 10_000;

/// Decides about a rollout that is not finished.
#[must_use]
pub fn decide(rollout: &Rollout, evidence: &Evidence, now: LogTime) -> Decision {
    let heard = || evidence.failure.clone();
    if let Some(failure) = heard().or_else(|| evidence.members.iter().find_map(failure)) {
        return Decision::Stop(shortened(failure.to_string()));
    }
    if rollout.state == RolloutState::Paused {
        return wait("somebody to resume it".to_owned());
    }
    let stage = rollout.stage();
    let open = rollout.opened.last().zip(rollout.stages.get(stage as usize));
    let Some((opened, Some(hold_ms))) = open.map(|(opened, stage)| (opened, stage.hold_ms)) else {
        return wait(format!("somebody to advance it: stage {} has no time of its own", counted(stage)));
    };
    if let Some(why) = lacking(rollout, evidence) {
        return wait(why);
    }
    let until = LogTime(opened.time.0.saturating_add(hold_ms));
    if now < until {
        let left_s = (until.0 - now.0).div_ceil(1_000);
        let why = format!("the time of stage {}: another {left_s} s", counted(stage));
        return Decision::Wait { why, until: Some(until) };
    }
    if rollout.opened.len() < rollout.stages.len() { Decision::Advance } else { Decision::Promote }
}

/// The number of a stage as people count: the first is 1.
pub(super) const fn counted(stage: u32) -> u32 {
    stage + 1
}

const fn wait(why: String) -> Decision {
    Decision::Wait { why, until: None }
}

/// Why the rollout fails because of one instance, as it stands now.
fn failure(member: &Member) -> Option<Failure> {
    let name = || member.name.clone();
    if let Some((path, reason)) = &member.refused {
        return Some(Failure::Refused { name: name(), path: path.to_string(), reason: Arc::clone(reason) });
    }
    match &member.health {
        Some(Health::Unwell(reason)) => Some(Failure::Unwell { name: name(), reason: Arc::clone(reason) }),
        Some(Health::Healthy) | None => None,
    }
}

/// What is missing beside time.
fn lacking(rollout: &Rollout, evidence: &Evidence) -> Option<String> {
    let members = &evidence.members;
    let behind: Vec<_> = members.iter().filter(|member| member.verdict != Verdict::Applied).collect();
    let applied = (members.len() - behind.len()) as u64;
    if applied * WHOLE_BPS < members.len() as u64 * u64::from(rollout.gates.applied_bps) {
        let restart = behind.iter().filter(|member| member.verdict == Verdict::NeedsRestart).count();
        let restart = if restart == 0 { String::new() } else { format!(" ({restart} need a restart for it)") };
        let names = named(behind.iter().map(|member| &*member.name));
        return Some(format!("{} of {} instances to apply it{restart}: {names}", behind.len(), members.len()));
    }
    if evidence.gone.is_empty() {
        return None;
    }
    let names = named(evidence.gone.iter().map(String::as_str));
    let gone = evidence.gone.len();
    let (count, verb) =
        if gone == 1 { ("1 instance".to_owned(), "was") } else { (format!("{gone} instances"), "were") };
    Some(format!("{count} that {verb} in it to come back: {names}"))
}

fn named<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let all: Vec<_> = names.collect();
    let told = all.iter().take(NAMED_MAX).copied().collect::<Vec<_>>().join(", ");
    if all.len() > NAMED_MAX { format!("{told} and {} more", all.len() - NAMED_MAX) } else { told }
}

/// As long as the state takes.
fn shortened(mut reason: String) -> String {
    let mut end = reason.len().min(limits::MESSAGE_BYTES_MAX);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    reason.truncate(end);
    reason
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use keeper_registry::{
        Candidate, DocumentAction, DocumentChange, Format, Gates, InstanceSelector, Revision, Stage, Stamp,
    };

    use super::*;

    fn rollout(holds: &[Option<u64>], opened: usize, applied_bps: u32) -> Rollout {
        let (text, value) = (Bytes::from_static(b"1"), Bytes::from_static(b"1"));
        let action = DocumentAction::Put { format: Format::Json, text, value, policy: None };
        let change = DocumentChange { path: "a.json".to_owned(), expected: None, action };
        let stage =
            |hold_ms: &Option<u64>| Stage { selector: InstanceSelector::default(), share_bps: 500, hold_ms: *hold_ms };
        let stamp = |n: usize| Stamp { revision: Revision(n as u64), time: LogTime(1_000 * n as u64) };
        Rollout {
            id: 7,
            author: "ann".into(),
            message: "".into(),
            forced: None,
            candidates: [Candidate::of(&change).expect("a key")].into(),
            stages: holds.iter().map(stage).collect(),
            gates: Gates { applied_bps },
            opened: (1..=opened).map(stamp).collect(),
            state: RolloutState::Running,
            changed: stamp(opened),
            by: "ann".into(),
            reason: "".into(),
        }
    }

    fn member(id: usize, verdict: Verdict) -> Member {
        Member { name: format!("room/{id}"), verdict, refused: None, health: None }
    }

    fn members(verdicts: &[Verdict]) -> Evidence {
        let members = verdicts.iter().enumerate().map(|(id, verdict)| member(id, *verdict)).collect();
        Evidence { members, gone: Vec::new(), failure: None }
    }

    fn why(decision: Decision) -> String {
        let Decision::Wait { why, .. } = decision else { panic!("{decision:?}") };
        why
    }

    use Verdict::{Applied, NeedsRestart, Waiting};

    #[test]
    fn a_stage_passes_when_everybody_applied_it_and_its_time_is_over() {
        let rollout = rollout(&[Some(500), Some(0)], 1, 10_000);
        let all = members(&[Applied, Applied]);
        assert_eq!(why(decide(&rollout, &all, LogTime(1_499))), "the time of stage 1: another 1 s");
        assert_eq!(decide(&rollout, &all, LogTime(1_500)), Decision::Advance);
        let one = members(&[Applied, Waiting]);
        assert_eq!(why(decide(&rollout, &one, LogTime(9_000))), "1 of 2 instances to apply it: room/1");
        let restart = members(&[NeedsRestart; 5]);
        let expected = "5 of 5 instances to apply it (5 need a restart for it): room/0, room/1, room/2 and 2 more";
        assert_eq!(why(decide(&rollout, &restart, LogTime(9_000))), expected);
        assert_eq!(decide(&rollout, &members(&[]), LogTime(1_500)), Decision::Advance);
    }

    #[test]
    fn the_last_stage_promotes_and_one_without_a_time_waits_for_an_admin() {
        let all = members(&[Applied]);
        assert_eq!(decide(&rollout(&[Some(0), Some(9)], 2, 10_000), &all, LogTime(2_009)), Decision::Promote);
        let by_hand = decide(&rollout(&[Some(0), None], 2, 10_000), &all, LogTime(900_000));
        assert_eq!(why(by_hand), "somebody to advance it: stage 2 has no time of its own");
    }

    #[test]
    fn a_share_is_enough_where_a_share_is_asked_for() {
        let rollout = rollout(&[Some(0), Some(0)], 1, 5_000);
        assert_eq!(decide(&rollout, &members(&[Applied, Waiting]), LogTime(1_000)), Decision::Advance);
        assert!(matches!(
            decide(&rollout, &members(&[Applied, Waiting, Waiting]), LogTime(1_000)),
            Decision::Wait { .. }
        ));
    }

    #[test]
    fn a_refusal_or_an_instance_that_is_not_well_stops_it_at_once_even_paused() {
        for state in [RolloutState::Running, RolloutState::Paused] {
            let rollout = Rollout { state, ..rollout(&[None, None], 1, 100) };
            let mut evidence = members(&[Applied, Applied, Waiting]);
            evidence.members[1].refused = Some(("a.json".into(), "port is in use".into()));
            let refused = decide(&rollout, &evidence, LogTime(0));
            assert_eq!(refused, Decision::Stop("room/1 refuses a.json: port is in use".to_owned()));
            evidence.members[1].refused = None;
            let (name, path, reason) = ("room/9".to_owned(), "a.json".to_owned(), "no".into());
            evidence.failure = Some(Failure::Refused { name, path, reason });
            let refused = decide(&rollout, &evidence, LogTime(0));
            assert_eq!(refused, Decision::Stop("room/9 refuses a.json: no".to_owned()), "it is gone by now");
            evidence.failure = None;
            evidence.members[2].health = Some(Health::Unwell("é".repeat(600).into()));
            let Decision::Stop(reason) = decide(&rollout, &evidence, LogTime(0)) else { panic!("it goes on") };
            assert!(reason.starts_with("room/2 is not well: é") && reason.len() <= limits::MESSAGE_BYTES_MAX);
        }
        let paused = Rollout { state: RolloutState::Paused, ..rollout(&[Some(0)], 1, 10_000) };
        assert_eq!(why(decide(&paused, &members(&[Applied]), LogTime(9_000))), "somebody to resume it");
    }

    #[test]
    fn who_was_in_a_stage_and_is_gone_is_waited_for() {
        let mut evidence = members(&[Applied]);
        evidence.gone = vec!["room/9".to_owned()];
        let waited = decide(&rollout(&[Some(0), Some(0)], 1, 10_000), &evidence, LogTime(9_000));
        assert_eq!(why(waited), "1 instance that was in it to come back: room/9");
        evidence.gone.push("room/8".to_owned());
        let waited = decide(&rollout(&[Some(0), Some(0)], 1, 10_000), &evidence, LogTime(9_000));
        assert_eq!(why(waited), "2 instances that were in it to come back: room/9, room/8");
    }
}
