//! When a snapshot is due, and how much log to keep behind it.
//!
//! Both are counted in bytes, because entries are batches of anything between one operation and thousands. A snapshot
//! is due when the log applied since the last one exceeds a floor and half the last snapshot's size: a state of any
//! size is then written no oftener than it has changed by half. Nodes wait for a little more or less of it, by their
//! number, so that they do not all write at once.
//!
//! openraft counts entries, so its own policies are switched off and this one drives its triggers.

use std::collections::VecDeque;

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::limits::{LOG_MARK_BYTES, LOG_MARKS_MAX};
use super::options::RaftOptions;

/// Nodes of consecutive numbers differ by this share of the threshold, an eighth, up to three eighths.
const STAGGER_STEPS: u64 = 8;

/// Counts the log of one group. Shared by the state machine, which counts, and the driver, which acts.
#[derive(Debug)]
pub(super) struct SnapshotSchedule {
    floor_bytes: u64,
    entries_max: Option<u64>,
    keep_bytes: u64,
    keep_entries: u64,
    stagger: u64,
    account: Mutex<Account>,
    due: Notify,
}

#[derive(Debug, Default)]
struct Account {
    /// Applied since the last snapshot was frozen.
    bytes: u64,
    entries: u64,
    last_snapshot_bytes: u64,
    writing: Writing,
    /// All bytes ever counted here.
    total: u64,
    /// Where in the log how many bytes had passed, oldest first.
    marks: VecDeque<Mark>,
}

/// Whether a snapshot is on its way to the disk.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Writing {
    #[default]
    No,
    Yes,
}

#[derive(Debug, Clone, Copy)]
struct Mark {
    index: u64,
    total: u64,
}

impl SnapshotSchedule {
    pub(super) fn new(options: &RaftOptions, node: u64) -> Self {
        Self {
            floor_bytes: options.snapshot_log_bytes_min,
            entries_max: options.snapshot_log_entries,
            keep_bytes: options.log_keep_bytes,
            keep_entries: options.log_keep_entries,
            stagger: node % 4,
            account: Mutex::new(Account::default()),
            due: Notify::new(),
        }
    }

    /// An entry was applied.
    pub(super) fn applied(&self, index: u64, bytes: u64) {
        let mut account = self.account.lock();
        account.bytes += bytes;
        account.entries += 1;
        account.total += bytes;
        account.mark(index);
        if self.is_due(&account) {
            self.due.notify_one();
        }
    }

    /// The state was frozen for a snapshot: counting begins anew.
    pub(super) fn frozen(&self) {
        let mut account = self.account.lock();
        account.bytes = 0;
        account.entries = 0;
        account.writing = Writing::Yes;
    }

    /// A snapshot of this size is the current one, written here or installed.
    pub(super) fn written(&self, snapshot_bytes: u64) {
        let mut account = self.account.lock();
        account.last_snapshot_bytes = snapshot_bytes;
        account.writing = Writing::No;
    }

    /// About how large the next snapshot is: the last one and a quarter, or what has been applied if there was none.
    /// Nothing while it is being written, since what it takes is gone from the disk already.
    pub(super) fn next_snapshot_bytes(&self) -> u64 {
        let account = self.account.lock();
        let last = account.last_snapshot_bytes;
        match account.writing {
            Writing::Yes => 0,
            Writing::No if last > 0 => last + last / 4,
            Writing::No => account.bytes,
        }
    }

    /// Waits while no snapshot is due. It stays due until the state is frozen for one.
    pub(super) async fn due(&self) {
        while !self.is_due(&self.account.lock()) {
            self.due.notified().await;
        }
    }

    /// Up to which index the log may go, when a snapshot covers it up to `snapshot`.
    pub(super) fn purge_upto(&self, snapshot: u64) -> Option<u64> {
        let mut account = self.account.lock();
        let covered = account.marks.iter().rev().find(|mark| mark.index <= snapshot)?.total;
        let keep_from = snapshot.saturating_sub(self.keep_entries);
        let beyond = |mark: &Mark| mark.index <= keep_from || covered - mark.total.min(covered) >= self.keep_bytes;
        let upto = account.marks.iter().rev().filter(|mark| mark.index <= snapshot).find(|mark| beyond(mark))?.index;
        account.marks.retain(|mark| mark.index >= upto);
        Some(upto)
    }

    fn is_due(&self, account: &Account) -> bool {
        let plain = self.floor_bytes.max(account.last_snapshot_bytes / 2);
        let bytes_max = plain + plain / STAGGER_STEPS * self.stagger;
        account.bytes > bytes_max || self.entries_max.is_some_and(|entries_max| account.entries >= entries_max)
    }
}

impl Account {
    fn mark(&mut self, index: u64) {
        let passed = self.marks.back().is_none_or(|last| self.total - last.total >= LOG_MARK_BYTES);
        // Small entries get a mark now and then too, so that a limit in entries finds one.
        let spread = self.marks.back().is_none_or(|last| index >= last.index + 64);
        if passed || spread {
            if self.marks.len() == LOG_MARKS_MAX {
                self.marks.pop_front();
            }
            self.marks.push_back(Mark { index, total: self.total });
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn schedule(node: u64) -> SnapshotSchedule {
        let options = RaftOptions {
            snapshot_log_bytes_min: 8_000_000,
            log_keep_bytes: 2_000_000,
            log_keep_entries: 100,
            ..RaftOptions::default()
        };
        SnapshotSchedule::new(&options, node)
    }

    fn entries_until_due(schedule: &SnapshotSchedule) -> u64 {
        (1..=1_000)
            .find(|index| {
                schedule.applied(*index, 100_000);
                schedule.due().now_or_never().is_some()
            })
            .unwrap_or(0)
    }

    #[test]
    fn a_snapshot_is_due_after_the_floor_or_half_the_last_one_whichever_is_more() {
        assert_eq!(entries_until_due(&schedule(4)), 81);
        let large = schedule(4);
        large.written(40_000_000);
        assert_eq!(entries_until_due(&large), 201);
    }

    #[test]
    fn nodes_are_staggered() {
        let due: Vec<_> = (1..=3).map(|node| entries_until_due(&schedule(node))).collect();
        assert_eq!(due, [91, 101, 111]);
    }

    #[test]
    fn a_snapshot_stays_due_until_the_state_is_frozen() {
        let schedule = schedule(4);
        assert_eq!(entries_until_due(&schedule), 81);
        assert!(schedule.due().now_or_never().is_some());
        schedule.frozen();
        assert!(schedule.due().now_or_never().is_none());
        assert_eq!(entries_until_due(&schedule), 81);
    }

    #[test]
    fn a_purge_keeps_the_smaller_of_two_measures() {
        let bytes = schedule(4);
        (1..=200).for_each(|index| bytes.applied(index, 300_000));
        assert_eq!(bytes.purge_upto(200), Some(193));
        let entries = schedule(4);
        (1..=1_000).for_each(|index| entries.applied(index, 10));
        let upto = entries.purge_upto(1_000).unwrap_or(0);
        assert!((836..=900).contains(&upto), "{upto}");
        assert_eq!(schedule(4).purge_upto(1_000), None);
    }
}
