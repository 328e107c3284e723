//! What judging comes to, and how long it takes: whoever runs the cluster sees that publishes are refused before
//! anybody complains.

use keeper_registry::Rejection;
use tokio::time::Instant;

use super::Publisher;
use crate::clock;
use crate::config::judge::Objections;
use crate::metrics::Judgement;
use crate::problem::Problem;

impl Publisher {
    /// Counts a judgement that began at a moment.
    pub(super) fn count(&self, began: Instant, judged: Result<&Objections, &Problem>) {
        self.metrics.judge_seconds.observe(clock::now().duration_since(began).as_secs_f64());
        self.metrics.publishes_judged.of(judgement(judged)).inc();
    }
}

fn judgement(judged: Result<&Objections, &Problem>) -> Judgement {
    let problem = match judged {
        Ok(overruled) if overruled.is_empty() => return Judgement::Sound,
        Ok(_) => return Judgement::Overruled,
        Err(problem) => problem,
    };
    let is_too_large = |rejection: &Rejection| matches!(rejection, Rejection::TooLarge { .. } | Rejection::Full { .. });
    if matches!(problem, Problem::Objected(_)) {
        Judgement::Objected
    } else if matches!(problem, Problem::Invalid { .. }) {
        Judgement::Invalid
    } else if matches!(problem, Problem::Declined { reason: "too-large", .. })
        || matches!(problem, Problem::Rejected(rejection) if is_too_large(rejection))
    {
        Judgement::TooLarge
    } else {
        Judgement::Failed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_counts_by_its_reason() {
        let none = Objections::default();
        let invalid = Problem::Invalid { field: "changes".to_owned(), message: "no".to_owned() };
        let declined = |reason| Problem::Declined { reason, message: "no".to_owned() };
        let rejected = Problem::Rejected(Rejection::TooLarge { field: "changes", actual: 65, limit: 64 });
        let objected = Problem::Objected(none.clone());
        let problems = [&objected, &invalid, &declined("too-large"), &rejected, &declined("unreadable")];
        let counted = problems.map(|problem| judgement(Err(problem)));
        use Judgement::{Failed, Invalid, Objected, Sound, TooLarge};
        assert_eq!(counted, [Objected, Invalid, TooLarge, TooLarge, Failed]);
        assert_eq!(judgement(Ok(&none)), Sound);
    }
}
