//! `lease`: instances that are opened, renewed, closed and left alone, and those who look at them.

use std::collections::BTreeMap;

use crate::{
    check::{
        Violation,
        fields::{list, number, text},
        keys::Newest,
    },
    operation::{Operation, by_key},
};

/// One life of an instance, as its holder knows it.
struct Life<'o, 'a> {
    opened: &'o Operation<'a>,
    /// A TTL after the sending of the last renewal that was acknowledged, and the line that says so.
    held_until: u64,
    renewed: usize,
    /// When its end was first asked for, or made possible by another opening of the name.
    end_asked_at: u64,
    /// Closed with an acknowledgement, or left alone.
    ended: Option<&'o Operation<'a>>,
}

/// Somebody saw that an incarnation does not live.
struct Gone {
    incarnation: u64,
    line: usize,
    at: u64,
    /// Told as an expiry by a watch; a list does not say why.
    is_expiry: bool,
}

pub(super) fn check(operations: &[Operation<'_>]) -> Vec<Violation> {
    let lives = lives(operations);
    let mut violations = order(operations);
    let gone = gone(operations, &lives);
    violations.extend(gone.iter().filter_map(|gone| too_early(gone, &lives)));
    violations.extend(back_again(operations, &gone));
    violations.extend(left_over(operations, &lives));
    violations
}

fn lives<'o, 'a>(operations: &'o [Operation<'a>]) -> BTreeMap<u64, Life<'o, 'a>> {
    let mut lives = BTreeMap::new();
    for one in operations.iter().filter(|it| it.f == "open" && it.is_ok()) {
        let Some(incarnation) = number(one.answer, "incarnation") else { continue };
        let ttl = number(one.asked, "ttl_ms").unwrap_or_default() * 1_000_000;
        let held_until = one.began_at + ttl;
        let life = Life { opened: one, held_until, renewed: one.ended, end_asked_at: u64::MAX, ended: None };
        lives.insert(incarnation, life);
    }
    for one in operations {
        let Some(incarnation) = number(one.asked, "incarnation") else { continue };
        let Some(life) = lives.get_mut(&incarnation) else { continue };
        match one.f {
            "held" => {
                let until = number(one.answer, "until").unwrap_or_default();
                if until > life.held_until {
                    (life.held_until, life.renewed) = (until, one.ended);
                }
            }
            "close" | "abandon" => {
                life.end_asked_at = life.end_asked_at.min(one.began_at);
                life.ended = Some(one).filter(|it| it.is_ok());
            }
            _ => {}
        }
    }
    // Another opening of the name may close it as soon as it begins, whether it is acknowledged or not.
    for openings in by_key(operations, &["open"]).values() {
        for life in lives.values_mut().filter(|life| life.opened.key == openings[0].key) {
            let later = openings.iter().filter(|it| it.began > life.opened.began).map(|it| it.began_at);
            life.end_asked_at = later.min().unwrap_or(u64::MAX).min(life.end_asked_at);
        }
    }
    lives
}

/// L2: incarnations of a name grow.
fn order(operations: &[Operation<'_>]) -> Vec<Violation> {
    let mut violations = Vec::new();
    for openings in by_key(operations, &["open"]).values() {
        let told = |it: &&Operation<'_>| Some((it.ended, number(it.answer, "incarnation")?));
        let mut newest = Newest::new(openings.iter().filter(|it| it.is_ok()).filter_map(told));
        for one in openings.iter().filter(|it| it.is_ok()) {
            let incarnation = number(one.answer, "incarnation").unwrap_or_default();
            if let Some((line, before)) = newest.before(one.began).filter(|(_, before)| incarnation <= *before) {
                let why = format!("incarnation {incarnation} of {} after {before}", one.key);
                violations.push(Violation::new("L2", [line, one.ended], why));
            }
        }
    }
    violations
}

fn gone(operations: &[Operation<'_>], lives: &BTreeMap<u64, Life<'_, '_>>) -> Vec<Gone> {
    let mut gone = Vec::new();
    for one in operations.iter().filter(|it| it.is_ok()) {
        if one.f == "changes" {
            let closed = list(one.answer, "closed").iter().filter_map(|it| Some((number(it, "incarnation")?, it)));
            gone.extend(closed.map(|(incarnation, it)| Gone {
                incarnation,
                line: one.ended,
                at: one.ended_at,
                is_expiry: text(it, "reason") == "expired",
            }));
        } else if one.f == "list" {
            let seen = |incarnation: u64| listed(one).any(|it| it == incarnation);
            let known = lives.iter().filter(|(_, life)| life.opened.ended < one.began);
            let missed = known.filter(|(incarnation, _)| !seen(**incarnation));
            gone.extend(missed.map(|(incarnation, _)| Gone {
                incarnation: *incarnation,
                line: one.ended,
                at: one.ended_at,
                is_expiry: false,
            }));
        }
    }
    gone.sort_by_key(|it| it.line);
    gone
}

fn listed<'o>(operation: &'o Operation<'_>) -> impl Iterator<Item = u64> + 'o {
    list(operation.answer, "instances").iter().filter_map(|it| number(it, "incarnation"))
}

/// L1: no lease ends within its TTL of an acknowledged renewal, unless somebody ended it.
fn too_early(gone: &Gone, lives: &BTreeMap<u64, Life<'_, '_>>) -> Option<Violation> {
    let life = lives.get(&gone.incarnation)?;
    let is_allowed = !gone.is_expiry && life.end_asked_at <= gone.at;
    (gone.at < life.held_until && !is_allowed).then(|| {
        let early_ms = (life.held_until - gone.at) / 1_000_000;
        let why = format!("incarnation {} of {} was gone {early_ms} ms early", gone.incarnation, life.opened.key);
        Violation::new("L1", [life.renewed, gone.line], why)
    })
}

/// L3: whoever was seen to be gone stays gone.
fn back_again(operations: &[Operation<'_>], gone: &[Gone]) -> Vec<Violation> {
    let mut first: BTreeMap<u64, usize> = BTreeMap::new();
    for gone in gone {
        first.entry(gone.incarnation).or_insert(gone.line);
    }
    let mut violations = Vec::new();
    for one in operations.iter().filter(|it| it.f == "list" && it.is_ok()) {
        for incarnation in listed(one) {
            if let Some(line) = first.get(&incarnation).filter(|line| **line < one.began) {
                let why = format!("incarnation {incarnation} lives, although it was seen to be gone");
                violations.push(Violation::new("L3", [*line, one.ended], why));
            }
        }
    }
    for one in operations.iter().filter(|it| it.f == "lookup" && it.is_ok()) {
        let Some(incarnation) = number(one.answer, "incarnation") else { continue };
        if let Some(line) = first.get(&incarnation).filter(|line| **line < one.began) {
            let why = format!("a session of incarnation {incarnation} is found, although it was seen to be gone");
            violations.push(Violation::new("L3", [*line, one.ended], why));
        }
    }
    violations
}

/// L4: in the list at the end nobody is left who was closed or left alone.
fn left_over(operations: &[Operation<'_>], lives: &BTreeMap<u64, Life<'_, '_>>) -> Vec<Violation> {
    let Some(last) = operations.iter().rfind(|it| it.f == "final-list" && it.is_ok()) else { return Vec::new() };
    let left = listed(last).filter_map(|incarnation| Some((incarnation, lives.get(&incarnation)?.ended?)));
    left.map(|(incarnation, ended)| {
        let why = format!("incarnation {incarnation} still lives at the end");
        Violation::new("L4", [ended.ended, last.ended], why)
    })
    .collect()
}
