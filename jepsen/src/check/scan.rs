//! `scan`: walks over sessions, some of which stay while others come and go.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{
    check::{
        Violation,
        fields::{Epoch, epoch_of, list, number, text},
    },
    history::Kind,
    nemesis::full,
    operation::{NEVER, Operation, by_key},
};

/// What happened to one key.
#[derive(Default)]
struct Key<'o, 'a> {
    /// Acknowledged, by epoch.
    registered: Vec<(Epoch, &'o Operation<'a>)>,
    changes: Vec<&'o Operation<'a>>,
    is_unknown: bool,
}

pub(super) fn check(operations: &[Operation<'_>]) -> Vec<Violation> {
    let mut keys: BTreeMap<&str, Key<'_, '_>> = BTreeMap::new();
    for (key, changes) in by_key(operations, &["register", "unregister"]) {
        let acknowledged = changes.iter().filter(|it| it.f == "register" && it.is_ok());
        let mut registered: Vec<_> = acknowledged.filter_map(|it| Some((epoch_of(it.answer)?, *it))).collect();
        registered.sort_unstable_by_key(|(epoch, _)| *epoch);
        let is_unknown = changes.iter().any(|it| it.f == "register" && it.kind == Kind::Info);
        keys.insert(key, Key { registered, changes, is_unknown });
    }
    let walks = operations.iter().filter(|it| matches!(it.f, "scan" | "tail") && it.is_ok());
    walks.flat_map(|walk| of_walk(walk, &keys)).collect()
}

fn of_walk(walk: &Operation<'_>, keys: &BTreeMap<&str, Key<'_, '_>>) -> Vec<Violation> {
    let mut violations = Vec::new();
    let at = number(walk.answer, "at").unwrap_or_default();
    let since = number(walk.answer, "since").unwrap_or_default();
    let mut found: BTreeMap<&str, Epoch> = BTreeMap::new();
    for (key, epoch) in list(walk.answer, "found").iter().filter_map(session) {
        if found.insert(key, epoch).is_some() {
            violations.push(Violation::new("S1", [walk.ended], format!("{key} came twice")));
        }
        if epoch.0 > at || epoch.0 <= since {
            let why = format!("{key} came with {epoch:?}, in a walk over what was registered from {since} to {at}");
            violations.push(Violation::new("S3", [walk.ended], why));
        }
        let known = keys.get(key);
        let is_ours = known.is_some_and(|it| it.is_unknown || it.registered.iter().any(|(one, _)| *one == epoch));
        if !is_ours && !key.starts_with(full::USERS) {
            let why = format!("{key} came with {epoch:?}, which nobody registered");
            violations.push(Violation::new("S4", [walk.ended], why));
        }
    }
    for (name, key) in keys {
        violations.extend(key.missing(name, walk, (since, at), found.get(name).copied()));
        violations.extend(key.dead(name, walk, found.get(name).copied()));
    }
    violations
}

fn session(value: &Value) -> Option<(&str, Epoch)> {
    Some((text(value, "key"), epoch_of(value)?))
}

impl Key<'_, '_> {
    /// S2: whoever was registered within the walk's bounds, and left alone until its end, came.
    fn missing(
        &self,
        name: &str,
        walk: &Operation<'_>,
        (since, at): (u64, u64),
        found: Option<Epoch>,
    ) -> Option<Violation> {
        let (epoch, register) = self.registered.last()?;
        let is_due = epoch.0 > since && epoch.0 <= at && register.ended < walk.ended;
        let others = self.changes.iter().filter(|it| it.began != register.began && it.kind != Kind::Fail);
        // One that ended before this began is behind it; an unknown one may come at any time.
        let is_left_alone = others.into_iter().all(|it| it.began > walk.ended || it.ended < register.began);
        (is_due && is_left_alone && found != Some(*epoch)).then(|| {
            let why = format!("{name} was live all the time with {epoch:?}, and came as {found:?}");
            Violation::new("S2", [register.ended, walk.ended], why)
        })
    }

    /// S5: whoever was gone before the walk began did not come.
    fn dead(&self, name: &str, walk: &Operation<'_>, found: Option<Epoch>) -> Option<Violation> {
        let found = found?;
        let left = self.changes.iter().filter(|it| it.f == "unregister" && it.is_ok() && it.ended < walk.began);
        let left = left.filter(|it| epoch_of(it.asked) == Some(found)).map(|it| it.ended).min().unwrap_or(NEVER);
        (left != NEVER).then(|| {
            let why = format!("{name} came with {found:?}, which had left before the walk began");
            Violation::new("S5", [left, walk.ended], why)
        })
    }
}
