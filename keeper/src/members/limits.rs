//! What a change of the membership waits for, and for how long.

use std::time::Duration;

/// How often to look at what a member has.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How long a node that was given a number may take to be back under it: it closes an empty log and opens another.
pub(super) const ARRIVE_MAX: Duration = Duration::from_secs(30);

/// A member that is not heard of for this long is not waited for: many heartbeats, and several elections.
pub(super) const SILENT_MAX: Duration = Duration::from_secs(10);

/// A member that is heard of and gains no entry for this long is not waited for: longer than a snapshot takes to be
/// sent at the slowest and installed, in which no entry is counted.
pub(super) const STALLED_MAX: Duration = Duration::from_secs(300);

/// How long to wait for a sign of life before a voter counts as silent: many heartbeats.
pub(super) const SIGN_MAX: Duration = Duration::from_secs(2);

/// Leadership that is handed over is taken up within an election or two, or not at all.
pub(super) const HAND_OVER_MAX: Duration = Duration::from_secs(10);

/// Between two questions whether the new leader answers: a fraction of an election.
pub(super) const CONFIRM_PAUSE: Duration = Duration::from_millis(20);

/// Reports of progress under way to one client; those it does not take are skipped.
pub(super) const REPORTS_AHEAD: usize = 16;

/// About what a number takes in the log.
pub(super) const NUMBER_BYTES: usize = 16;
