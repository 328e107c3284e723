//! A subscriber that compares every fact it is told with what was written.

use std::{sync::Arc, time::Duration};

use keeper_client_sdk::{PresenceChange, PresenceFact};

use crate::ledger::{Ledger, Step};

/// What one subscriber knows.
#[derive(Debug, Clone)]
pub(crate) struct Witness {
    ledger: Arc<Ledger>,
    /// The last step of each user it was told of.
    steps: Vec<u32>,
    revision: u64,
    heard: u64,
    missed: u64,
    duplicates: u64,
}

impl Witness {
    /// One that knows everything up to now.
    pub(crate) fn new(ledger: Arc<Ledger>) -> Self {
        Self { steps: ledger.steps(), ledger, revision: 0, heard: 0, missed: 0, duplicates: 0 }
    }

    /// Takes a fact, and says how long ago what it tells was acknowledged. None for facts about others.
    pub(crate) fn hear(&mut self, fact: &PresenceFact) -> Option<Duration> {
        let online = Step::of_connection(&fact.connection)?;
        let step = match &fact.change {
            PresenceChange::Online | PresenceChange::Moved(_) | PresenceChange::Reconnected(_) => online,
            PresenceChange::Offline(_) | PresenceChange::Dropped(_) => online.next(),
        };
        self.take(step, fact.revision)
    }

    fn take(&mut self, step: Step, revision: u64) -> Option<Duration> {
        let last = self.steps.get_mut(usize::try_from(step.user).ok()?)?;
        self.heard += 1;
        if step.number <= *last || revision < self.revision {
            self.duplicates += 1;
            return None;
        }
        self.missed += u64::from(step.number - *last - 1);
        *last = step.number;
        self.revision = revision;
        Some(self.ledger.age(step))
    }

    /// How many facts it was told, duplicates too.
    pub(crate) const fn heard(&self) -> u64 {
        self.heard
    }

    /// How many facts it was told twice, or after a later one.
    pub(crate) const fn duplicates(&self) -> u64 {
        self.duplicates
    }

    /// How many steps it was not told of, whether it knows or not.
    pub(crate) fn missed(&self) -> u64 {
        let behind = |(written, told): (u32, &u32)| u64::from(written.saturating_sub(*told));
        self.missed + self.ledger.steps().into_iter().zip(&self.steps).map(behind).sum::<u64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn witness(steps: u32) -> Witness {
        let ledger = Arc::new(Ledger::new(1));
        let witness = Witness::new(ledger.clone());
        let mut step = Step::never(0);
        for _ in 0..steps {
            step = step.next();
            ledger.acknowledged(step);
        }
        witness
    }

    fn tell(witness: &mut Witness, told: &[(u32, u64)]) -> (u64, u64, u64) {
        for (number, revision) in told {
            witness.take(Step { user: 0, number: *number }, *revision);
        }
        (witness.heard(), witness.missed(), witness.duplicates())
    }

    #[test]
    fn every_step_once_is_perfect() {
        assert_eq!(tell(&mut witness(3), &[(2, 10), (3, 11), (4, 11)]), (3, 0, 0));
    }

    #[test]
    fn gaps_repetitions_and_steps_back_are_counted() {
        assert_eq!(tell(&mut witness(3), &[(2, 10), (4, 12)]), (2, 1, 0));
        assert_eq!(tell(&mut witness(3), &[(2, 10), (2, 10), (3, 11), (4, 12)]), (4, 0, 1));
        assert_eq!(tell(&mut witness(3), &[(2, 10), (3, 9)]), (2, 2, 1));
        assert_eq!(tell(&mut witness(3), &[]), (0, 3, 0));
    }

    #[test]
    fn others_are_no_business_of_it() {
        let mut witness = witness(0);
        assert_eq!(witness.take(Step { user: 5, number: 2 }, 1), None);
        assert_eq!(witness.heard(), 0);
    }
}
