//! Push is gapless and ends right: a follower that was told up to a revision has been told what is so at it, of every
//! document; none of what it was told goes back or comes twice; and in the end processes and followers have what the
//! state gives them.

use std::collections::BTreeMap;

use serde_json::Value;

use super::publish_is_atomic::or_empty;
use crate::documents::{Frame, PATHS, READERS, Reading, Truth, Whose};
use crate::history::Records;
use crate::workload::{Audit, whose};

pub(super) fn judge(records: &Records, audit: &Audit) -> Vec<String> {
    let followers = records.heard.frames.iter();
    followers.filter_map(|(follower, frames)| of_follower(&audit.truth, follower, frames)).collect()
}

/// What has not reached its end.
pub(super) fn unsettled(records: &Records, audit: &Audit) -> Vec<String> {
    let end = audit.truth.revisions().last().copied().unwrap_or_default();
    let mut violations = Vec::new();
    for reader in READERS {
        let last = records.heard.taken.get(reader).and_then(|taken| taken.last());
        let value = |it: &Option<Reading>| it.as_ref().map(|it| it.value.clone());
        let shown = last.map(|it| it.readings.each_ref().map(value));
        let given = PATHS.map(|path| Some(or_empty(audit.truth.effective(path, Whose::Reader(reader), end))));
        if shown.as_ref() != Some(&given) {
            violations.push(format!("push is gapless: {reader} ends with {shown:?}, and not with {given:?}"));
        }
    }
    for (follower, frames) in &records.heard.frames {
        let stream = frames.last().map_or(0, |it| it.stream);
        let mut picture = Picture { stream, ..Picture::default() };
        frames.iter().filter(|it| it.stream == stream).for_each(|it| picture.take(it));
        violations.extend(picture.wrong(&audit.truth, follower, end));
    }
    violations
}

fn of_follower(truth: &Truth, follower: &str, frames: &[Frame]) -> Option<String> {
    let mut picture = Picture::default();
    for frame in frames {
        if frame.stream != picture.stream || frame.is_reset {
            picture = Picture { stream: frame.stream, ..Picture::default() };
        }
        if !frame.is_reset && picture.revision == 0 {
            return Some(format!("push is gapless: {follower} was not told everything first: {frame:?}"));
        }
        for (path, revision, value, rollout) in &frame.documents {
            let before = picture.documents.get(path.as_str());
            if before.is_some_and(|(before, ..)| before >= revision) {
                return Some(format!("push is gapless: {follower} was told {frame:?} after {before:?}"));
            }
            if before.is_some_and(|(_, had, _)| had == value) {
                return Some(format!(
                    "push is gapless: {follower} was told {path} twice, the second time as {frame:?}"
                ));
            }
            let given = truth.effective(path, whose(follower), *revision);
            if *revision > frame.revision || given != (value.clone(), *rollout) {
                return Some(format!(
                    "push is gapless: {follower} was told {frame:?}, but at {revision} was {given:?}"
                ));
            }
        }
        picture.take(frame);
        if let Some(wrong) = picture.wrong(truth, follower, frame.revision) {
            return Some(wrong);
        }
    }
    None
}

/// What a stream has said so far.
#[derive(Default)]
struct Picture<'a> {
    stream: u64,
    revision: u64,
    /// By path: when it changed, what it says, and whose candidates it has.
    documents: BTreeMap<&'a str, (u64, Option<Value>, Option<u64>)>,
}

impl<'a> Picture<'a> {
    fn take(&mut self, frame: &'a Frame) {
        if frame.is_reset {
            self.documents.clear();
        }
        self.revision = frame.revision;
        for (path, revision, value, rollout) in &frame.documents {
            self.documents.insert(path, (*revision, value.clone(), *rollout));
        }
    }

    /// What is so otherwise at a revision. Whose candidates a value has may change without a word if the value does
    /// not.
    fn wrong(&self, truth: &Truth, follower: &str, at: u64) -> Option<String> {
        PATHS.iter().find_map(|path| {
            let shown = self.documents.get(path).and_then(|(_, value, _)| value.clone());
            let (given, _) = truth.effective(path, whose(follower), at);
            let stream = self.stream;
            (shown != given).then(|| {
                format!(
                    "push is gapless: {follower}, stream {stream}, has {shown:?} of {path} at {at}, which is {given:?}"
                )
            })
        })
    }
}
