//! A run in which nothing happened proves nothing.

use crate::{
    history::{Event, Kind, NEMESIS},
    nemesis::Fault,
    workload::Workload,
};

/// Fewer acknowledged operations prove nothing.
const ACKNOWLEDGED_MIN: usize = 100;

/// What the run promised and did not do.
pub(crate) fn vacuous(workload: Workload, faults: &[Fault], events: &[Event]) -> Vec<String> {
    let mut missing = Vec::new();
    let count = |f: &str| events.iter().filter(|it| it.process >= 0 && it.kind == Kind::Ok && it.f == f).count();
    let acknowledged: usize = events.iter().filter(|it| it.process >= 0 && it.kind == Kind::Ok).count();
    if acknowledged < ACKNOWLEDGED_MIN {
        missing.push(format!("{acknowledged} operations were acknowledged; {ACKNOWLEDGED_MIN} is the least"));
    }
    let never = workload.operations().iter().filter(|f| count(f) == 0);
    missing.extend(never.map(|f| format!("no `{f}` was acknowledged")));
    // What the cluster refused was asked for: whether it may refuse is for others to judge.
    let is_of = |it: &Event, name: &str| it.f == name || it.f == "refused" && it.key == name;
    let made = |fault: &&Fault| events.iter().any(|it| it.process == NEMESIS && is_of(it, fault.name()));
    missing.extend(faults.iter().filter(|fault| !made(fault)).map(|it| format!("no `{}` was made", it.name())));
    if faults.contains(&Fault::Upgrade) && !events.iter().any(|it| it.process == NEMESIS && it.f == "raised") {
        missing.push("the feature level was not raised".to_owned());
    }
    missing
}
