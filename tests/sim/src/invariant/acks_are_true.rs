//! Acknowledgements are true: a reader that is said to run with a revision has run with what it was given then, and
//! when all are said to, each is said to by name.

use serde_json::Value;

use crate::documents::{PATHS, Said, Standing, Truth, Whose};
use crate::history::Records;
use crate::workload::Audit;

pub(super) fn judge(records: &Records, audit: &Audit) -> Vec<String> {
    let statuses = records.heard.statuses.iter();
    let truth = &audit.truth;
    statuses.flat_map(|status| [miscounted(truth, status), untrue(records, truth, status)]).flatten().collect()
}

/// Who has nothing to run with counts among those who do, and need not say so.
fn miscounted(truth: &Truth, status: &Standing) -> Option<String> {
    let applied = status.said.iter().filter(|it| it.is_applied).count() as u64;
    let has_nothing = |it: &&Said| it.is_silent && wanted(truth, status, it).is_none();
    let most = applied + status.said.iter().filter(has_nothing).count() as u64;
    let is_right =
        status.said.len() as u64 == u64::from(status.readers) && (applied..=most).contains(&u64::from(status.applied));
    (!is_right).then(|| format!("acks are true: {status:?} does not say who these are"))
}

fn untrue(records: &Records, truth: &Truth, status: &Standing) -> Option<String> {
    let at = PATHS.iter().position(|path| *path == status.path)?;
    status.said.iter().filter(|it| it.is_applied).find_map(|it| {
        let wanted = wanted(truth, status, it)?;
        let taken = records.heard.taken.get(&it.reader);
        let mut readings = taken.into_iter().flatten().filter(|it| it.at < status.at).flat_map(|it| &it.readings[at]);
        let ran = readings.any(|it| it.value == wanted);
        (!ran).then(|| {
            let (path, at) = (&status.path, status.at);
            format!("acks are true: by {at} {it:?} was said of {path}, and it never ran with {wanted}")
        })
    })
}

/// What somebody is to run with, if that is anything.
fn wanted(truth: &Truth, status: &Standing, said: &Said) -> Option<Value> {
    truth.effective(&status.path, Whose::Reader(&said.reader), said.wanted).0
}

/// Who has yet to say that it runs with what it is to run with.
pub(super) fn unsettled(records: &Records, _: &Audit) -> Vec<String> {
    let last = |path: &str| records.heard.statuses.iter().rev().find(|it| it.path == path);
    let wrong = |path: &&str| last(path).is_none_or(|it| it.applied != it.readers || it.readers == 0);
    let wrong = PATHS.into_iter().filter(|path| wrong(path));
    wrong.map(|path| format!("acks are true: not everybody runs with {path}: {:?}", last(path))).collect()
}
