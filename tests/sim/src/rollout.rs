//! An upgrade of the nodes, one after the other, while everything else goes wrong: they begin at the release before,
//! one is taken forward and back again, then all go forward. The operator raises the cluster's level when all can.
//!
//! The founder that is taken back is so while another one has still to go forward. So nobody can have heard that every
//! member reads the newest level, and the one race that is left to an admin's own hands is left out.

use keeper_registry::Level;
use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

/// Pause between two steps.
const PAUSE_MS: std::ops::RangeInclusive<u64> = 500..=2_000;

/// One run of so many has an upgrade.
const ONE_OF: u32 = 3;

/// Which nodes run which release, and which goes next.
#[derive(Debug)]
pub struct Rollout {
    steps: Vec<Step>,
    due_ms: u64,
    /// Nodes that were taken forward.
    pub forward: u64,
    /// Nodes that were taken back.
    pub back: u64,
}

/// A node is started again, under a release that reads levels up to this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Which node.
    pub at: usize,
    /// The newest level of its next release.
    pub level_max: Level,
}

impl Rollout {
    /// Of a run that has one: the nodes of `all` that begin at the release before, and what is done about it. Of the
    /// first `founders` one at most begins at the newest.
    #[must_use]
    pub fn draw(rng: &mut StdRng, founders: usize, all: usize) -> Option<(Vec<usize>, Self)> {
        if rng.random_range(0..ONE_OF) > 0 {
            return None;
        }
        let ahead = rng.random_range(0..=founders);
        let others = (founders..all).filter(|_| rng.random_range(0..2) == 0).collect::<Vec<_>>();
        let mut order: Vec<usize> = (0..founders).filter(|at| *at != ahead).collect();
        order.shuffle(rng);
        let (tried, before) = (order[0], order.clone());
        order.extend(others.iter().copied());
        let to = |level_max| move |at| Step { at, level_max };
        let mut steps = vec![to(Level::NEWEST)(tried), to(Level::FIRST)(tried)];
        // Last of the founders, so that nobody can hear too early that all read the newest.
        order.rotate_left(1);
        steps.extend(order.into_iter().map(to(Level::NEWEST)));
        let behind = before.into_iter().chain(others).collect();
        Some((behind, Self { steps, due_ms: 0, forward: 0, back: 0 }))
    }

    /// Begins after this moment.
    pub fn begin(&mut self, rng: &mut StdRng, now_ms: u64) {
        self.due_ms = now_ms + rng.random_range(PAUSE_MS);
    }

    /// What is to be done now.
    #[must_use]
    pub fn due(&self, now_ms: u64) -> Option<Step> {
        self.steps.first().copied().filter(|_| self.due_ms > 0 && self.due_ms <= now_ms)
    }

    /// It is done.
    pub fn took(&mut self, step: Step, rng: &mut StdRng, now_ms: u64) {
        self.steps.remove(0);
        let count = if step.level_max == Level::FIRST { &mut self.back } else { &mut self.forward };
        *count += 1;
        self.due_ms = now_ms + rng.random_range(PAUSE_MS);
    }

    /// Whether every node runs the newest release, and one was taken back on the way there.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.steps.is_empty() && self.back > 0
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn who_is_taken_back_is_not_the_last_to_go_forward() {
        let drawn = (0..200).filter_map(|seed| Rollout::draw(&mut StdRng::seed_from_u64(seed), 3, 4));
        let mut count = 0;
        for (mut behind, rollout) in drawn {
            count += 1;
            let [first, second, third, .., _] = rollout.steps[..] else { panic!("{rollout:?}") };
            assert_eq!((first.at, first.level_max, second.level_max), (second.at, Level::NEWEST, Level::FIRST));
            assert!(third.at < 3 && third.at != first.at, "another founder holds the level meanwhile: {rollout:?}");
            let mut forward: Vec<_> = rollout.steps[2..].iter().map(|step| step.at).collect();
            behind.sort_unstable();
            forward.sort_unstable();
            assert_eq!(behind, forward, "everybody goes forward in the end");
        }
        assert!((40..100).contains(&count), "{count} of 200 runs have an upgrade");
    }
}
