//! What the checks on registers share: linearizability by key, and the newest value known at a line.

use keeper_linearize::{self as linearize, Action, STEPS_MAX, Step};

use crate::{check::Violation, operation::Operation};

/// Whether one copy could have given these answers.
pub(super) fn linearizable<'a: 'o, 'o>(
    name: &'static str,
    operations: impl Iterator<Item = &'o Operation<'a>>,
    action: impl Fn(&Operation<'_>) -> Option<Action>,
) -> Option<Violation> {
    let step = |it: &'o Operation<'a>| Some(Step { began: it.began, ended: it.ended, action: action(it)? });
    let steps: Vec<Step> = operations.filter_map(step).collect();
    let contradiction = linearize::check(&steps, STEPS_MAX).err()?;
    let lines = contradiction.steps.iter().map(|it| if it.ended == usize::MAX { it.began } else { it.ended });
    Some(Violation::new(name, lines, contradiction.why))
}

/// The highest value among those that ended before a line; asked with lines that only grow.
pub(super) struct Newest<T> {
    ends: Vec<(usize, T)>,
    passed: usize,
    highest: Option<(usize, T)>,
}

impl<T: Copy + Ord> Newest<T> {
    pub(super) fn new(ends: impl IntoIterator<Item = (usize, T)>) -> Self {
        let mut ends: Vec<_> = ends.into_iter().collect();
        ends.sort_unstable();
        Self { ends, passed: 0, highest: None }
    }

    pub(super) fn before(&mut self, line: usize) -> Option<(usize, T)> {
        while let Some((ended, value)) = self.ends.get(self.passed).filter(|(ended, _)| *ended < line) {
            if self.highest.is_none_or(|(_, highest)| *value > highest) {
                self.highest = Some((*ended, *value));
            }
            self.passed += 1;
        }
        self.highest
    }
}
