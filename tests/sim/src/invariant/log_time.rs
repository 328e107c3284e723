//! Log time never runs backwards, and whatever wall clocks do, hardly faster than the world's.

use std::collections::BTreeMap;

use crate::fault::DRIFT_PPM;

/// By how much log time may gain on the world's time: what it may steer, and what a node's clock may drift.
const GAIN_PER_MILLE: u64 = 10 + DRIFT_PPM as u64 / 1_000 + 1;

/// Log time is seen a few steps after it was stamped.
const SLACK_MS: u64 = 400;

#[derive(Debug, Default)]
pub(super) struct LogTime {
    /// By revision.
    stamps: BTreeMap<u64, u64>,
    /// When log time was seen first, and what it was.
    first: Option<(u64, u64)>,
}

impl LogTime {
    pub(super) fn see(&mut self, now_ms: u64, revision: u64, stamp_ms: u64) -> Option<String> {
        if revision == 0 || stamp_ms == 0 {
            return None;
        }
        let earlier = self.stamps.range(..=revision).next_back().filter(|(_, it)| **it > stamp_ms);
        let later = self.stamps.range(revision..).next().filter(|(_, it)| **it < stamp_ms);
        if let Some((other, at_ms)) = earlier.or(later) {
            return Some(format!("log time: {at_ms} at revision {other} and {stamp_ms} at {revision}"));
        }
        self.stamps.insert(revision, stamp_ms);
        let (since_ms, began_ms) = *self.first.get_or_insert((now_ms, stamp_ms));
        let passed_ms = now_ms - since_ms;
        let most_ms = began_ms + passed_ms + passed_ms * GAIN_PER_MILLE / 1_000 + SLACK_MS;
        (stamp_ms > most_ms).then(|| format!("log time: {stamp_ms} at revision {revision}, at most {most_ms} is due"))
    }
}
