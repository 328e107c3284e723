//! `presence`: sessions that come, move and go, and subscribers that follow them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::{
    check::{
        Violation,
        fields::{Epoch, epoch, epoch_of, list, number, text, truth},
    },
    nemesis::full,
    operation::{Operation, by_key},
};

/// A fact as it was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Fact<'a> {
    user: &'a str,
    change: &'a str,
    epoch: Epoch,
    revision: u64,
    id: Option<u64>,
    from: Option<Epoch>,
    line: usize,
}

/// What one subscriber was told between two resets: everything of a revision above `after` and below `before`.
#[derive(Debug, Default)]
struct Story<'a> {
    after: u64,
    before: u64,
    facts: Vec<Fact<'a>>,
    last: usize,
}

pub(super) fn check(operations: &[Operation<'_>]) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut stories = Vec::new();
    for frames in by_key(operations, &["follow"]).values() {
        let frames: Vec<_> = frames.iter().copied().filter(|it| it.is_ok()).collect();
        violations.extend(order(&frames));
        stories.extend(stories_of(&frames));
    }
    for story in &stories {
        violations.extend(chain(story));
        violations.extend(untold(operations, story));
        violations.extend(foreign(operations, story));
    }
    for (at, one) in stories.iter().enumerate() {
        violations.extend(stories[at + 1..].iter().filter_map(|other| disagreement(one, other)));
    }
    violations.extend(ends(operations, &stories));
    violations
}

/// P1: everything before a frame's revision was told with it or before.
fn order(frames: &[&Operation<'_>]) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut reached: (u64, usize) = (0, 0);
    for frame in frames {
        let mut told = reached.0;
        for fact in facts(frame) {
            if fact.revision < told {
                let why = format!("a fact of revision {} after {told} was reached", fact.revision);
                violations.push(Violation::new("P1", [reached.1.max(1), frame.ended], why));
            }
            told = told.max(fact.revision);
        }
        let revision = number(frame.answer, "revision").unwrap_or_default();
        // A client that has just come knows its token, and not what the one before was promised.
        let is_heir = truth(frame.answer, "anew");
        if revision < reached.0 && !truth(frame.answer, "reset") && !is_heir {
            let why = format!("a frame at revision {revision} after one at {}", reached.0);
            violations.push(Violation::new("P1", [reached.1, frame.ended], why));
        }
        if revision > reached.0 || truth(frame.answer, "reset") {
            reached = (revision, frame.ended);
        }
    }
    violations
}

fn stories_of<'a>(frames: &[&'a Operation<'a>]) -> Vec<Story<'a>> {
    let mut stories: Vec<Story<'a>> = Vec::new();
    for frame in frames {
        let revision = number(frame.answer, "revision").unwrap_or_default();
        if stories.is_empty() || truth(frame.answer, "reset") {
            stories.push(Story { after: revision, before: revision, facts: Vec::new(), last: frame.ended });
            continue;
        }
        if let Some(story) = stories.last_mut() {
            story.facts.extend(facts(frame));
            story.before = story.before.max(revision);
            story.last = frame.ended;
        }
    }
    stories
}

fn facts<'a>(frame: &'a Operation<'a>) -> impl Iterator<Item = Fact<'a>> {
    let line = frame.ended;
    let fact = move |it: &'a Value| Fact {
        user: text(it, "user"),
        change: text(it, "change"),
        epoch: epoch_of(it).unwrap_or_default(),
        revision: number(it, "revision").unwrap_or_default(),
        id: number(it, "id"),
        from: it.get("from").filter(|from| !from.is_null()).map(epoch),
        line,
    };
    list(frame.answer, "facts").iter().map(fact)
}

/// P2: the facts of one session follow from each other, each told once.
fn chain(story: &Story<'_>) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut live: BTreeMap<&str, (Option<Epoch>, usize)> = BTreeMap::new();
    for fact in &story.facts {
        let before = live.get(fact.user).copied();
        let expected = match fact.change {
            "online" => None,
            "offline" => Some(fact.epoch),
            _ => fact.from,
        };
        if let Some((known, line)) = before.filter(|(known, _)| *known != expected) {
            let why = format!(
                "{} {} {:?} from {expected:?}, but {known:?} was told before",
                fact.user, fact.change, fact.epoch
            );
            violations.push(Violation::new("P2", [line, fact.line], why));
        }
        live.insert(fact.user, ((fact.change != "offline").then_some(fact.epoch), fact.line));
    }
    violations
}

/// P3: every acknowledged registration within the story is told.
fn untold(operations: &[Operation<'_>], story: &Story<'_>) -> Vec<Violation> {
    let told: BTreeSet<Epoch> = story.facts.iter().filter(|it| it.change != "offline").map(|it| it.epoch).collect();
    let registered = operations.iter().filter(|it| it.f == "register" && it.is_ok());
    let within = registered.filter_map(|it| Some((it, epoch_of(it.answer)?)));
    within
        .filter(|(_, epoch)| epoch.0 > story.after && epoch.0 < story.before && !told.contains(epoch))
        .map(|(it, epoch)| {
            let why = format!("{} came at {epoch:?}, and a subscriber was never told", it.key);
            Violation::new("P3", [it.ended, story.last], why)
        })
        .collect()
}

/// P4: whoever is told to have come had asked to.
fn foreign(operations: &[Operation<'_>], story: &Story<'_>) -> Vec<Violation> {
    let asked = operations.iter().filter(|it| it.f == "register").filter_map(|it| number(it.asked, "id"));
    let asked: BTreeSet<u64> = asked.collect();
    let came = story.facts.iter().filter(|it| it.change != "offline" && !it.user.starts_with(full::USERS));
    came.filter(|it| it.id.is_none_or(|id| !asked.contains(&id)))
        .map(|it| Violation::new("P4", [it.line], format!("{} came as {:?}, whom nobody registered", it.user, it.id)))
        .collect()
}

/// P5: two subscribers are told the same.
fn disagreement(one: &Story<'_>, other: &Story<'_>) -> Option<Violation> {
    let (after, before) = (one.after.max(other.after), one.before.min(other.before));
    let within = |it: &&Fact<'_>| it.revision > after && it.revision < before;
    let common = |story: &Story<'_>| story.facts.iter().filter(within).count();
    for (first, second) in one.facts.iter().filter(within).zip(other.facts.iter().filter(within)) {
        if (Fact { line: 0, ..*first }) != (Fact { line: 0, ..*second }) {
            let why = format!(
                "one was told {} {} {:?}, another {} {} {:?}",
                first.user, first.change, first.epoch, second.user, second.change, second.epoch
            );
            return Some(Violation::new("P5", [first.line, second.line], why));
        }
    }
    (common(one) != common(other)).then(|| {
        let why = format!("between revisions {after} and {before} one was told more than the other");
        Violation::new("P5", [one.last, other.last], why)
    })
}

/// P6: at the end subscribers know what lookups find.
fn ends(operations: &[Operation<'_>], stories: &[Story<'_>]) -> Vec<Violation> {
    let mut violations = Vec::new();
    for found in operations.iter().filter(|it| it.f == "final-lookup" && it.is_ok()) {
        let revision = number(found.answer, "revision").unwrap_or_default();
        let looked = found.answer.get("epoch").filter(|it| !it.is_null()).map(epoch);
        for story in stories.iter().filter(|story| story.before > revision) {
            let told = story.facts.iter().rfind(|it| it.user == found.key && it.revision <= revision);
            let Some(last) = told else { continue };
            let told = (last.change != "offline").then_some(last.epoch);
            if told != looked {
                let why = format!("{} ended as {looked:?}, and a subscriber ended with {told:?}", found.key);
                violations.push(Violation::new("P6", [last.line, found.ended], why));
            }
        }
    }
    violations
}
