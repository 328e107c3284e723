//! Is there an order of the operations on one key, within the time each took, that one copy would have answered alike?
//!
//! The key is a register that holds one value or none. Every value is written at most once, which two things follow
//! from: whoever saw a value saw that one write, so most broken histories are found at sight ([`spans`]); and an
//! unknown write whose value nobody saw or ended explains nothing and is left out. What remains is searched
//! ([`search`]) as Wing and Gong described and Lowe made fast: depth first, never twice at the same set of operations
//! with the same value. A search that is given up is a failure: nobody has shown that the history is sound.
//!
//! Both who make faults judge by it: `keeper-jepsen` real ones, `keeper-sim` simulated ones.

mod search;
mod spans;

use std::collections::HashSet;

pub use search::STEPS_MAX;

/// The end of an operation that may take effect at any time after it began, or not at all.
pub const NEVER: usize = usize::MAX;

/// The same for each try to shorten an explanation: it is worth a second, not an hour.
const SHORTENING_STEPS_MAX: u64 = 20_000;

/// What a register holds: a number that is written once, or nothing.
pub type Held = Option<u64>;

/// What an operation does to a register, and what it saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Saw this.
    Read(Held),
    /// Wrote this, whatever was there.
    Write(u64),
    /// Wrote this, and saw what was there before.
    Swap {
        /// Before.
        was: Held,
        /// Now.
        to: u64,
    },
    /// Wrote this because that was there.
    Replace {
        /// Expected.
        from: Held,
        /// Now.
        to: u64,
    },
    /// Took this away because it was there.
    Remove(u64),
    /// Took this away if it was there.
    End(u64),
}

/// An operation on one key. Times are lines of the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// When it was asked for.
    pub began: usize,
    /// [`NEVER`] when it may take effect at any time after it began, or not at all.
    pub ended: usize,
    /// What it did.
    pub action: Action,
}

/// Why there is no such order: the operations that contradict each other, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contradiction {
    /// Which.
    pub steps: Vec<Step>,
    /// How.
    pub why: String,
}

impl Action {
    /// What the register holds afterwards; none when it would have answered otherwise.
    fn apply(self, held: Held) -> Option<Held> {
        match self {
            Self::Read(seen) => (seen == held).then_some(held),
            Self::Write(to) => Some(Some(to)),
            Self::Swap { was: seen, to } | Self::Replace { from: seen, to } => (seen == held).then_some(Some(to)),
            Self::Remove(seen) => (Some(seen) == held).then_some(None),
            Self::End(value) => Some(held.filter(|it| *it != value)),
        }
    }

    const fn wrote(self) -> Option<u64> {
        match self {
            Self::Write(to) | Self::Swap { to, .. } | Self::Replace { to, .. } => Some(to),
            Self::Read(_) | Self::Remove(_) | Self::End(_) => None,
        }
    }

    /// The value that it depends on: a write that nobody saw still explains why what was there before is gone, if it
    /// was ended itself.
    const fn named(self) -> Option<u64> {
        match self {
            Self::Read(seen) | Self::Swap { was: seen, .. } | Self::Replace { from: seen, .. } => seen,
            Self::Remove(value) | Self::End(value) => Some(value),
            Self::Write(_) => None,
        }
    }

    /// What was there before, as it says.
    const fn saw(self) -> Option<Held> {
        match self {
            Self::Read(seen) | Self::Swap { was: seen, .. } | Self::Replace { from: seen, .. } => Some(seen),
            Self::Remove(seen) => Some(Some(seen)),
            Self::Write(_) | Self::End(_) => None,
        }
    }
}

impl Step {
    const fn is_unknown(&self) -> bool {
        self.ended == NEVER
    }
}

/// Judges all operations on one key, which holds nothing at first.
///
/// # Errors
/// Some contradict each other, or the search was given up.
pub fn check(steps: &[Step], steps_max: u64) -> Result<(), Contradiction> {
    let steps = relevant(steps);
    spans::check(&steps)?;
    match search::search(&steps, steps_max) {
        Some(true) => Ok(()),
        Some(false) => Err(shortest(steps)),
        None => Err(Contradiction {
            why: format!("no order was found within {steps_max} steps of the search, and none was excluded"),
            steps,
        }),
    }
}

/// Leaves out unknown writes whose value nobody saw or ended: whatever they explain is explained without them.
fn relevant(steps: &[Step]) -> Vec<Step> {
    let mut kept: Vec<Step> = steps.to_vec();
    loop {
        let named: HashSet<u64> = kept.iter().filter_map(|step| step.action.named()).collect();
        let before = kept.len();
        kept.retain(|step| !step.is_unknown() || step.action.wrote().is_none_or(|value| named.contains(&value)));
        if kept.len() == before {
            kept.sort_by_key(|step| step.began);
            return kept;
        }
    }
}

/// The fewest operations that still have no order. They are weakened wherever the contradiction survives it, which only
/// permits more, from the first on, so that what is left lies close to where it shows.
fn shortest(mut steps: Vec<Step>) -> Contradiction {
    // Whoever forgets what he saw may leave another unseen, so a second look finds more.
    for _ in 0..2 {
        let mut at = 0;
        while at < steps.len() {
            let weaker = weaker(&steps, at);
            let broken = weaker.into_iter().find(|weaker| search::search(weaker, SHORTENING_STEPS_MAX) == Some(false));
            // In place of one that was left out stands the next.
            at += usize::from(broken.as_ref().is_none_or(|it| it.len() == steps.len()));
            steps = broken.unwrap_or(steps);
        }
        steps = relevant(&steps);
    }
    Contradiction { steps, why: "no order of these operations, each within its time, gives these answers".to_owned() }
}

/// The same operations, with one that claims less: the least first.
fn weaker(steps: &[Step], at: usize) -> Vec<Vec<Step>> {
    let with = |step: Step| [&steps[..at], &[step], &steps[at + 1..]].concat();
    let step = steps[at];
    let unknown = Step { ended: NEVER, ..step };
    match step.action {
        Action::Read(_) => vec![[&steps[..at], &steps[at + 1..]].concat()],
        Action::Write(_) | Action::Remove(_) | Action::End(_) if step.is_unknown() => Vec::new(),
        Action::Write(_) | Action::Remove(_) | Action::End(_) => vec![with(unknown)],
        Action::Swap { to, .. } | Action::Replace { to, .. } => {
            let action = Action::Write(to);
            let mut weaker = vec![with(Step { action, ..unknown })];
            if !step.is_unknown() {
                weaker.extend([with(unknown), with(Step { action, ..step })]);
            }
            weaker
        }
    }
}

#[cfg(test)]
mod tests;
