//! The deadlines, pure: every instant is an argument.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use keeper_registry::{Incarnation, planted};
use tokio::time::Instant;

/// The least share of its TTL that a lease is given after the leader's timer stood still.
const SETTLE_SHARE: u32 = 10;

/// One lease.
#[derive(Debug, Clone, Copy)]
struct Lease {
    ttl: Duration,
    deadline: Instant,
    phase: Phase,
    standing: Standing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Running,
    /// Its expiry is proposed, and the outcome is not known yet.
    Closing,
}

/// Whether it has run out before, in this term of office.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It has not, or that was not told yet.
    Fresh,
    /// It has, and its expiry was not decided.
    Undecided,
}

/// What a renewal meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Renewed {
    /// A full TTL runs from the instant given.
    Extended,
    /// Its expiry is under way: ask again when that is decided.
    Closing,
    /// There is no such lease.
    Unknown,
}

/// Every lease of one term of office.
#[derive(Debug, Default)]
pub(super) struct Table {
    leases: HashMap<Incarnation, Lease>,
    /// Running leases, by deadline.
    due: BTreeSet<(Instant, Incarnation)>,
}

impl Table {
    /// Starts a lease with a full TTL. One that runs already is left as it is.
    pub(super) fn open(&mut self, incarnation: Incarnation, ttl: Duration, at: Instant) {
        self.leases.entry(incarnation).or_insert_with(|| {
            let deadline = at + ttl;
            self.due.insert((deadline, incarnation));
            Lease { ttl, deadline, phase: Phase::Running, standing: Standing::Fresh }
        });
    }

    /// Forgets a lease whose incarnation has closed.
    pub(super) fn close(&mut self, incarnation: Incarnation) {
        if let Some(lease) = self.leases.remove(&incarnation) {
            self.due.remove(&(lease.deadline, incarnation));
        }
    }

    /// Starts a full TTL at `at`, unless the lease is closing.
    pub(super) fn renew(&mut self, incarnation: Incarnation, at: Instant) -> Renewed {
        let Some(lease) = self.leases.get_mut(&incarnation) else { return Renewed::Unknown };
        if lease.phase == Phase::Closing {
            return Renewed::Closing;
        }
        self.due.remove(&(lease.deadline, incarnation));
        let ttl = if planted!("lease-quarter") { lease.ttl / 4 } else { lease.ttl };
        lease.deadline = lease.deadline.max(at + ttl);
        self.due.insert((lease.deadline, incarnation));
        Renewed::Extended
    }

    /// Takes the leases that have run out, and marks them closing.
    pub(super) fn expire(&mut self, now: Instant) -> Vec<Incarnation> {
        let mut expired = Vec::new();
        while let Some(&(deadline, incarnation)) = self.due.first() {
            if deadline > now {
                break;
            }
            self.due.pop_first();
            if let Some(lease) = self.leases.get_mut(&incarnation) {
                lease.phase = Phase::Closing;
                expired.push(incarnation);
            }
        }
        expired
    }

    /// An expiry that was proposed certainly did not happen: the lease is due again at once.
    pub(super) fn expiry_failed(&mut self, incarnation: Incarnation, now: Instant) {
        if let Some(lease) = self.leases.get_mut(&incarnation)
            && lease.phase == Phase::Closing
        {
            lease.phase = Phase::Running;
            lease.standing = Standing::Undecided;
            lease.deadline = now;
            self.due.insert((now, incarnation));
        }
    }

    /// Whether an expiry of this lease was tried before.
    pub(super) fn standing(&self, incarnation: Incarnation) -> Standing {
        self.leases.get(&incarnation).map_or(Standing::Fresh, |lease| lease.standing)
    }

    /// The leader's timer stood still for `gap`, until `now`.
    pub(super) fn shift(&mut self, gap: Duration, now: Instant) {
        self.due.clear();
        for (incarnation, lease) in &mut self.leases {
            if lease.phase == Phase::Running {
                lease.deadline = (lease.deadline + gap).max(now + lease.ttl / SETTLE_SHARE);
                self.due.insert((lease.deadline, *incarnation));
            }
        }
    }

    #[cfg(test)]
    fn next_deadline(&self) -> Option<Instant> {
        self.due.first().map(|(deadline, _)| *deadline)
    }

    /// The shortest TTL there is.
    pub(super) fn shortest_ttl(&self) -> Option<Duration> {
        self.leases.values().map(|lease| lease.ttl).min()
    }

    pub(super) fn len(&self) -> usize {
        self.leases.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TTL: Duration = Duration::from_secs(10);
    const A: Incarnation = Incarnation(1);
    const B: Incarnation = Incarnation(2);

    fn second(start: Instant, seconds: u64) -> Instant {
        start + Duration::from_secs(seconds)
    }

    #[test]
    fn a_lease_expires_a_full_ttl_after_its_last_renewal_and_not_before() {
        let start = crate::clock::now();
        let mut table = Table::default();
        table.open(A, TTL, start);
        assert_eq!(table.renew(A, second(start, 7)), Renewed::Extended);
        assert!(table.expire(second(start, 16)).is_empty());
        assert_eq!(table.expire(second(start, 17)), vec![A]);
    }

    #[test]
    fn a_late_confirmation_never_shortens_a_lease() {
        let start = crate::clock::now();
        let mut table = Table::default();
        table.open(A, TTL, second(start, 5));
        assert_eq!(table.renew(A, start), Renewed::Extended);
        assert!(table.expire(second(start, 14)).is_empty());
    }

    #[test]
    fn a_closing_lease_is_not_renewed_until_its_expiry_is_decided() {
        let start = crate::clock::now();
        let mut table = Table::default();
        table.open(A, TTL, start);
        assert_eq!(table.expire(second(start, 10)), vec![A]);
        assert_eq!(table.renew(A, second(start, 10)), Renewed::Closing);
        assert_eq!(table.standing(A), Standing::Fresh);
        table.expiry_failed(A, second(start, 11));
        assert_eq!(table.standing(A), Standing::Undecided);
        assert_eq!(table.renew(A, second(start, 11)), Renewed::Extended);
        assert!(table.expire(second(start, 20)).is_empty());
        table.close(A);
        assert_eq!(table.renew(A, second(start, 20)), Renewed::Unknown);
    }

    #[test]
    fn time_in_which_the_leader_did_not_run_is_nobodys_silence() {
        let start = crate::clock::now();
        let mut table = Table::default();
        table.open(A, TTL, start);
        table.open(B, TTL, second(start, 4));
        // Paused from second 5 to second 65.
        table.shift(Duration::from_secs(60), second(start, 65));
        assert_eq!(table.next_deadline(), Some(second(start, 70)));
        assert!(table.expire(second(start, 69)).is_empty());
        assert_eq!(table.expire(second(start, 70)), vec![A]);
        assert_eq!(table.expire(second(start, 74)), vec![B]);
    }

    #[test]
    fn a_lease_that_was_due_in_the_gap_gets_a_tenth_of_its_ttl_to_be_heard() {
        let start = crate::clock::now();
        let mut table = Table::default();
        table.open(A, TTL, start);
        table.shift(Duration::from_millis(1_500), start + Duration::from_millis(11_400));
        assert_eq!(table.next_deadline(), Some(start + Duration::from_millis(12_400)));
    }
}
