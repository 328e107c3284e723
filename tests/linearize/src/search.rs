//! The search for an order.
//!
//! Beginnings and ends stand in one list in the order of the history. Any operation whose beginning stands before the
//! first end may come next: it is tried, and taken out of the list. When an end is met, the operation it belongs to
//! should have come earlier: the last choice was wrong, is put back, and the next one tried. Unknown operations have no
//! end, so nothing ever forces them.

use std::collections::HashSet;

use super::{Held, Step};

/// How many operations may be tried for one key. A minute at the most, and some gigabytes less than forever.
pub const STEPS_MAX: u64 = 20_000_000;

/// The front of the list.
const FRONT: usize = 0;

#[derive(Debug, Clone, Copy)]
struct Place {
    step: usize,
    is_end: bool,
    before: usize,
    after: usize,
}

/// Beginnings and ends, linked so that a pair can be taken out and put back. The first and the last place are guards.
struct List {
    places: Vec<Place>,
    /// Where each operation begins and ends.
    of: Vec<(usize, Option<usize>)>,
}

/// Whether there is an order; none when the search was given up.
pub(super) fn search(steps: &[Step], steps_max: u64) -> Option<bool> {
    let mut list = List::new(steps);
    let mut left = steps.iter().filter(|step| !step.is_unknown()).count();
    let mut taken = Taken::none(steps.len());
    let mut held: Held = None;
    let mut path: Vec<(usize, Held)> = Vec::new();
    let mut seen: HashSet<(Taken, Held)> = HashSet::new();
    let mut tried = 0u64;
    let mut at = list.places[FRONT].after;
    while left > 0 {
        let place = list.places[at];
        let next = (!place.is_end && at != list.end()).then(|| steps[place.step].action.apply(held)).flatten();
        if let Some(next) = next
            && seen.insert((taken.with(place.step), next))
        {
            tried += 1;
            if tried > steps_max {
                return None;
            }
            path.push((place.step, held));
            held = next;
            taken.add(place.step);
            left -= usize::from(!steps[place.step].is_unknown());
            list.take(place.step);
            at = list.places[FRONT].after;
        } else if place.is_end || at == list.end() {
            let Some((step, before)) = path.pop() else { return Some(false) };
            held = before;
            taken.remove(step);
            left += usize::from(!steps[step].is_unknown());
            list.put_back(step);
            at = list.places[list.of[step].0].after;
        } else {
            at = place.after;
        }
    }
    Some(true)
}

impl List {
    fn new(steps: &[Step]) -> Self {
        let begins = steps.iter().enumerate().map(|(step, it)| (it.began, step, false));
        let known = steps.iter().enumerate().filter(|(_, it)| !it.is_unknown());
        let mut order: Vec<_> = begins.chain(known.map(|(step, it)| (it.ended, step, true))).collect();
        order.sort_unstable_by_key(|(line, step, is_end)| (*line, *is_end, *step));
        let guard = Place { step: usize::MAX, is_end: false, before: FRONT, after: 1 };
        let mut places = vec![guard];
        let mut of = vec![(0, None); steps.len()];
        for (_, step, is_end) in order {
            let at = places.len();
            if is_end {
                of[step].1 = Some(at);
            } else {
                of[step].0 = at;
            }
            places.push(Place { step, is_end, before: at - 1, after: at + 1 });
        }
        places.push(Place { before: places.len() - 1, ..guard });
        Self { places, of }
    }

    const fn end(&self) -> usize {
        self.places.len() - 1
    }

    fn take(&mut self, step: usize) {
        let (begin, end) = self.of[step];
        self.unlink(begin);
        if let Some(end) = end {
            self.unlink(end);
        }
    }

    /// In the reverse order, so that neighbours find each other again.
    fn put_back(&mut self, step: usize) {
        let (begin, end) = self.of[step];
        if let Some(end) = end {
            self.link(end);
        }
        self.link(begin);
    }

    fn unlink(&mut self, at: usize) {
        let Place { before, after, .. } = self.places[at];
        self.places[before].after = after;
        self.places[after].before = before;
    }

    fn link(&mut self, at: usize) {
        let Place { before, after, .. } = self.places[at];
        self.places[before].after = at;
        self.places[after].before = at;
    }
}

/// A set of operations.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Taken(Vec<u64>);

impl Taken {
    fn none(steps: usize) -> Self {
        Self(vec![0; steps.div_ceil(64)])
    }

    fn add(&mut self, step: usize) {
        self.0[step / 64] |= 1 << (step % 64);
    }

    fn remove(&mut self, step: usize) {
        self.0[step / 64] &= !(1 << (step % 64));
    }

    fn with(&self, step: usize) -> Self {
        let mut more = self.clone();
        more.add(step);
        more
    }
}
