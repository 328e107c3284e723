//! What can be seen without a search, because every value is written once.
//!
//! A register holds a value for one span of time: from its write to the next change. Whoever wrote or saw the value did
//! so within that span, so it reaches at least from the first of their ends to the last of their beginnings. Two spans
//! that must overlap are a contradiction of at most four operations, which is a better explanation than any search
//! gives.

use std::collections::BTreeMap;

use super::{Contradiction, Step};

/// What is known about the time a value was held.
#[derive(Debug, Default)]
struct Span<'a> {
    write: Option<&'a Step>,
    /// Of those who wrote or saw it: who ended first, who began last.
    ended_first: Option<&'a Step>,
    began_last: Option<&'a Step>,
}

pub(super) fn check(steps: &[Step]) -> Result<(), Contradiction> {
    let mut spans: BTreeMap<u64, Span<'_>> = BTreeMap::new();
    for step in steps {
        if let Some(value) = step.action.wrote() {
            let span = spans.entry(value).or_default();
            if let Some(other) = span.write.replace(step) {
                return Err(contradiction([other, step], format!("both wrote {value}")));
            }
            span.touch(step);
        }
        if let Some(Some(value)) = step.action.saw() {
            spans.entry(value).or_default().touch(step);
        }
    }
    for (value, span) in &spans {
        // Whoever is unknown may not have seen it at all.
        let Some(saw) = span.ended_first.filter(|first| !first.is_unknown()) else { continue };
        match span.write {
            None => return Err(contradiction([saw], format!("saw {value}, which nobody wrote"))),
            Some(write) if saw.ended < write.began => {
                return Err(contradiction([saw, write], format!("saw {value} before its write began")));
            }
            Some(_) => {}
        }
    }
    overlapping(&spans)
}

/// Two values that were both held at one time. Spans that certainly last are sorted by their beginning, so that
/// neighbours alone need be compared.
fn overlapping(spans: &BTreeMap<u64, Span<'_>>) -> Result<(), Contradiction> {
    let mut lasting: Vec<(usize, usize, u64, &Span<'_>)> = Vec::new();
    for (value, span) in spans {
        if let (Some(first), Some(last)) = (span.ended_first, span.began_last)
            && first.ended < last.began
        {
            lasting.push((first.ended, last.began, *value, span));
        }
    }
    lasting.sort_unstable_by_key(|(from, to, value, _)| (*from, *to, *value));
    for pair in lasting.windows(2) {
        let [(_, until, value, one), (from, _, other_value, other)] = pair else { continue };
        if from < until {
            let all = [one.ended_first, one.began_last, other.ended_first, other.began_last];
            return Err(contradiction(all.into_iter().flatten(), format!("held {value} and {other_value} at once")));
        }
    }
    Ok(())
}

impl<'a> Span<'a> {
    fn touch(&mut self, step: &'a Step) {
        if self.ended_first.is_none_or(|first| step.ended < first.ended) {
            self.ended_first = Some(step);
        }
        if self.began_last.is_none_or(|last| step.began > last.began) && !step.is_unknown() {
            self.began_last = Some(step);
        }
    }
}

fn contradiction<'a>(steps: impl IntoIterator<Item = &'a Step>, why: String) -> Contradiction {
    let mut steps: Vec<Step> = steps.into_iter().copied().collect();
    steps.sort_by_key(|step| step.began);
    steps.dedup();
    Contradiction { steps, why }
}
