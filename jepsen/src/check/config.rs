//! `config`: what rooms run with, what is rolled out to them, and what is said of them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::{
    check::{
        Violation,
        fields::{list, number, text, truth},
    },
    history::Kind,
    operation::{Operation, by_key},
    workload::config::is_first,
};

const SECOND: u64 = 1_000_000_000;

/// What had been decided when somebody refused may still take effect for so long.
const ON_ITS_WAY: u64 = 2 * SECOND;

/// A room that lives for so long has said what it reads.
const KNOWN_AFTER: u64 = 5 * SECOND;

/// A room's own word may come so much later than what others heard of it.
const WORD_LATER: u64 = SECOND;

/// Everything that could ever be run with, by number.
struct Said<'o, 'a> {
    /// The revision of each publish that was acknowledged.
    published: BTreeMap<u64, u64>,
    /// What may have been published.
    possible: BTreeSet<u64>,
    /// Each rollout that was acknowledged, by its number, and its id.
    rollouts: BTreeMap<u64, u64>,
    /// Looks at rollouts, by id, as they began.
    looks: BTreeMap<u64, Vec<&'o Operation<'a>>>,
}

pub(super) fn check(operations: &[Operation<'_>]) -> Vec<Violation> {
    let said = Said::of(operations);
    let rooms = by_key(operations, &["take"]);
    let mut violations = Vec::new();
    for (room, takes) in &rooms {
        violations.extend(takes.iter().flat_map(|take| said.wrong(room, take)));
        violations.extend(said.backwards(takes));
        violations.extend(unfinished(operations, takes));
    }
    violations.extend(operations.iter().filter(|it| it.f == "refuse").filter_map(|it| said.passed(operations, it)));
    let statuses = operations.iter().filter(|it| it.f == "status" && it.is_ok());
    violations.extend(statuses.flat_map(|status| said.untrue(&rooms, status)));
    violations
}

/// What a room ran with of both documents.
fn pair<'o>(take: &'o Operation<'_>) -> [&'o Value; 2] {
    ["a", "b"].map(|part| take.answer.get(part).unwrap_or(&Value::Null))
}

impl<'o, 'a> Said<'o, 'a> {
    fn of(operations: &'o [Operation<'a>]) -> Self {
        let mut said = Self {
            published: BTreeMap::new(),
            possible: BTreeSet::new(),
            rollouts: BTreeMap::new(),
            looks: BTreeMap::new(),
        };
        for it in operations {
            let asked = number(it.asked, "number").unwrap_or_default();
            match it.f {
                "publish" | "final-publish" | "rollout" if it.kind != Kind::Fail => {
                    said.possible.insert(asked);
                    if let Some(id) = number(it.answer, "rollout").filter(|_| it.is_ok()) {
                        said.rollouts.insert(asked, id);
                    }
                    if let Some(revision) = number(it.answer, "revision").filter(|_| it.is_ok()) {
                        said.published.insert(asked, revision);
                    }
                }
                "look" if it.is_ok() => {
                    said.looks.entry(number(it.asked, "rollout").unwrap_or_default()).or_default().push(it);
                }
                _ => {}
            }
        }
        said
    }

    /// C1: what was published together is taken together. C2: what is taken was published, or is a candidate of a
    /// stage that was open.
    fn wrong(&self, room: &str, take: &Operation<'_>) -> Vec<Violation> {
        let [a, b] = pair(take);
        let mut violations = Vec::new();
        // At its start a room has one of them only.
        let is_whole = !a.is_null() && !b.is_null();
        if is_whole && !truth(take.answer, "refusing") && number(a, "number") != number(b, "number") {
            violations.push(Violation::new("C1", [take.ended], format!("{room} runs with {a} and {b}")));
        }
        for number in [a, b].into_iter().filter_map(|it| number(it, "number")) {
            let end = self.rollouts.get(&number).and_then(|id| self.looks.get(id)?.last());
            let is_closed = end.is_some_and(|look| {
                is_over(look) && open(look) < 2 && text(look.answer, "state") != "promoted" && !is_first(room)
            });
            if !self.possible.contains(&number) || is_closed {
                let why = format!("{room} runs with {number}, which nobody gave it");
                violations.push(Violation::new("C2", [take.ended], why));
            }
        }
        violations
    }

    /// C3: what was published is not followed by what was published before it.
    fn backwards(&self, takes: &[&Operation<'_>]) -> Vec<Violation> {
        let mut newest = [0; 2];
        let mut violations = Vec::new();
        for take in takes {
            for (newest, part) in newest.iter_mut().zip(pair(take)) {
                let revision = number(part, "number").and_then(|number| self.published.get(&number));
                let Some(revision) = revision else { continue };
                if revision < newest {
                    let why = format!("{} runs with revision {revision} after {newest}", take.key);
                    violations.push(Violation::new("C3", [take.ended], why));
                }
                *newest = *revision.max(newest);
            }
        }
        violations
    }

    /// C4: a stage does not open, and nothing is published by the cluster itself, after one who lives refused it.
    fn passed(&self, operations: &[Operation<'_>], refusal: &Operation<'_>) -> Option<Violation> {
        let id = self.rollouts.get(&number(refusal.answer, "number")?)?;
        let looks = self.looks.get(id)?;
        let life = |it: &&Operation<'_>| it.key == refusal.key && matches!(it.f, "live" | "lost");
        let began = operations.iter().filter(life).rfind(|it| it.ended < refusal.began)?;
        let ended = operations.iter().filter(life).find(|it| it.began > refusal.ended);
        let until = ended.map_or(u64::MAX, |it| it.began_at.saturating_sub(KNOWN_AFTER));
        if began.f != "live" || refusal.began_at < began.ended_at + KNOWN_AFTER {
            return None;
        }
        let later = |it: &&&Operation<'_>| it.began_at > refusal.ended_at + ON_ITS_WAY && it.ended_at < until;
        let closed = looks.iter().find(|it| later(it) && open(it) < 2 && !is_over(it))?;
        let by_itself = |it: &Operation<'_>| it.answer.get("by").is_none_or(Value::is_null);
        let is_past = |it: &&&Operation<'_>| {
            it.ended > closed.ended && (open(it) > 1 || text(it.answer, "state") == "promoted" && by_itself(it))
        };
        let passed = looks.iter().filter(later).find(is_past)?;
        let why = format!("{} refused what rollout {id} has, and it went on", refusal.key);
        Some(Violation::new("C4", [refusal.ended, closed.ended, passed.ended], why))
    }

    /// C5: who is said to have applied a revision says so too.
    fn untrue(&self, rooms: &BTreeMap<&str, Vec<&Operation<'_>>>, status: &Operation<'_>) -> Vec<Violation> {
        let at = usize::from(status.key.ends_with("b.json"));
        let mut violations = Vec::new();
        for said in list(status.answer, "rooms").iter().filter(|it| truth(it, "applied")) {
            let (room, wanted) = (text(said, "room"), number(said, "wanted").unwrap_or_default());
            let given = self.published.iter().chain(&self.rollouts).find(|(_, revision)| **revision == wanted);
            // It may be of a stage that opened later, or by hand: what it is then is not known here.
            let Some((given, _)) = given else { continue };
            let takes = rooms.get(room).into_iter().flatten();
            let ran = takes.into_iter().filter(|it| it.began_at <= status.ended_at + WORD_LATER);
            if !ran.into_iter().any(|it| number(pair(it)[at], "number") == Some(*given)) {
                let why = format!("{room} is said to run with {given}, of revision {wanted}, and never did");
                violations.push(Violation::new("C5", [status.ended], why));
            }
        }
        violations
    }
}

fn is_over(look: &Operation<'_>) -> bool {
    !matches!(text(look.answer, "state"), "running" | "paused")
}

/// Stages that were open.
fn open(look: &Operation<'_>) -> u64 {
    number(look.answer, "open").unwrap_or_default()
}

/// C6: a room ends with what was published last.
fn unfinished(operations: &[Operation<'_>], takes: &[&Operation<'_>]) -> Option<Violation> {
    let last = operations.iter().rfind(|it| it.f == "final-publish" && it.is_ok())?;
    let end = takes.last()?;
    let wanted = number(last.asked, "number");
    let is_there = pair(end).into_iter().all(|it| number(it, "number") == wanted);
    (!is_there).then(|| {
        let why = format!("{} ends with {}, and not with {wanted:?}", end.key, end.answer);
        Violation::new("C6", [last.ended, end.ended], why)
    })
}
