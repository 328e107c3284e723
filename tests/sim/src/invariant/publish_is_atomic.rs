//! Publishes are atomic: what a process runs with, all its documents together, is what was so at one revision, and
//! these revisions do not go back.
//!
//! A process that has refused something runs with one document as it was and perhaps with others as they are: of those
//! moments nothing is said, and neither of those at which it reads one of them only.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::documents::{PATHS, Taken, Truth, Whose};
use crate::history::Records;
use crate::workload::Audit;

pub(super) fn judge(records: &Records, audit: &Audit) -> Vec<String> {
    let readers = &records.heard.taken;
    readers.iter().filter_map(|(reader, taken)| of_reader(&audit.truth, reader, taken)).collect()
}

/// The first moment of a reader that never was.
fn of_reader(truth: &Truth, reader: &str, taken: &[Taken]) -> Option<String> {
    let sets = Sets::of(truth, reader);
    let mut boots: BTreeMap<u64, u64> = BTreeMap::new();
    for it in taken.iter().filter(|it| !it.is_refusing) {
        let [Some(a), Some(b)] = &it.readings else { continue };
        let known = boots.entry(it.boot).or_default();
        let held = |set: &Set| set[0] == a.value && set[1] == b.value;
        let Some(revision) = sets.first(*known, held) else {
            let is_old = sets.first(0, held);
            return Some(format!(
                "publish is atomic: {reader} ran with {a:?} and {b:?}, which was so {}",
                is_old.map_or_else(
                    || "at no revision".to_owned(),
                    |old| format!("at {old}, after what was so at {known} only")
                ),
            ));
        };
        *known = revision;
    }
    None
}

/// What all documents are at once.
type Set = [Value; PATHS.len()];

/// What a reader may have run with at each revision: as the instance it is, or while it is none.
struct Sets(Vec<(u64, [Set; 2])>);

impl Sets {
    fn of(truth: &Truth, reader: &str) -> Self {
        let set = |whose, at| PATHS.map(|path| or_empty(truth.effective(path, whose, at)));
        let both = |at| [set(Whose::Reader(reader), at), set(Whose::LikeReader(reader), at)];
        Self(truth.revisions().iter().map(|at| (*at, both(*at))).collect())
    }

    /// The first revision, from one on, at which it held.
    fn first(&self, from: u64, held: impl Fn(&Set) -> bool) -> Option<u64> {
        let later = self.0.iter().skip_while(|(at, _)| *at < from);
        later.into_iter().find(|(_, sets)| sets.iter().any(&held)).map(|(at, _)| *at)
    }
}

/// As a process sees it for which no document is an empty one.
pub(super) fn or_empty((value, _): (Option<Value>, Option<u64>)) -> Value {
    value.unwrap_or_else(|| Value::Object(Map::new()))
}
