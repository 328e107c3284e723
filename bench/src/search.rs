//! The largest load that holds, found by trying.

/// A search under way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Search {
    next: u64,
    held: Option<u64>,
    failed: Option<u64>,
    least: u64,
    tolerance_percent: u64,
}

/// What trying a load came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It held.
    Held,
    /// It did not.
    Failed,
}

impl Search {
    /// Begins with `first`, never tries less than `least`, and ends when what held and what failed are close.
    pub(crate) const fn new(first: u64, least: u64, tolerance_percent: u64) -> Self {
        Self { next: first, held: None, failed: None, least, tolerance_percent }
    }

    /// What to try next; none when it is known.
    pub(crate) fn next(&self) -> Option<u64> {
        let is_known = match (self.held, self.failed) {
            (Some(held), Some(failed)) => failed - held <= held * self.tolerance_percent / 100,
            (None, Some(failed)) => failed <= self.least,
            (_, None) => false,
        };
        (!is_known).then_some(self.next)
    }

    /// What came of the last one.
    pub(crate) fn tell(&mut self, verdict: Verdict) {
        match verdict {
            Verdict::Held => self.held = Some(self.next),
            Verdict::Failed => self.failed = Some(self.next),
        }
        self.next = match (self.held, self.failed) {
            (Some(held), None) => held * 2,
            (Some(held), Some(failed)) => held + (failed - held) / 2,
            (None, Some(failed)) => (failed / 2).max(self.least),
            (None, None) => self.next,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is tried until the most that `limit` allows is known.
    fn tried(mut search: Search, limit: u64) -> Vec<u64> {
        let mut all = Vec::new();
        while let Some(load) = search.next() {
            all.push(load);
            search.tell(if load <= limit { Verdict::Held } else { Verdict::Failed });
        }
        all
    }

    #[test]
    fn it_doubles_and_then_halves_the_distance() {
        assert_eq!(tried(Search::new(10, 1, 10), 65), [10, 20, 40, 80, 60, 70, 65]);
        assert_eq!(tried(Search::new(10, 1, 10), 10), [10, 20, 15, 12, 11]);
    }

    #[test]
    fn it_goes_down_to_the_least_and_no_further() {
        assert_eq!(tried(Search::new(40, 8, 10), 0), [40, 20, 10, 8]);
        assert_eq!(tried(Search::new(40, 8, 50), 12), [40, 20, 10, 15]);
    }
}
