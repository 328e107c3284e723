//! What one node knows by itself, and how old that may be: for a cluster that has lost its majority.

use std::time::Duration;

use crate::{
    failure::{Failure, Kind},
    limits,
};

/// How the server says that a node never knew since it was started.
const NEVER: Duration = Duration::from_millis(u32::MAX as u64);

/// Since when a node does not know that its state is up to date; none: it never knew since it was started.
pub(crate) fn known_ms(age: Duration) -> Option<u64> {
    (age < NEVER).then(|| u64::try_from(age.as_millis()).ok()).flatten()
}

/// A node that has served nobody yet finds out how old its state is when it is asked, a moment too late for the answer.
pub(crate) async fn rest() {
    tokio::time::sleep(limits::LOOK_INTERVAL).await;
}

/// From which state an answer is that nobody confirmed.
pub(crate) fn words(revision: u64, age_ms: Option<u64>) -> String {
    match age_ms {
        Some(ms) => {
            let age = humantime::format_duration(Duration::from_millis(ms));
            format!("as one node knows it: revision {revision}, up to date {age} ago")
        }
        None => format!(
            "as one node knows it: revision {revision}, of unknown age: no leader has confirmed it since that node started"
        ),
    }
}

/// A read that nobody served may be asked of one node.
pub(crate) fn instead(failure: Failure, local: bool) -> Failure {
    if local || failure.kind != Kind::Unserved {
        return failure;
    }
    failure.remedy("what one node knows by itself, and how old that is, `--local` shows without a majority")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_told_or_that_there_is_none() {
        let known = words(52, known_ms(Duration::from_millis(90_500)));
        assert_eq!(known, "as one node knows it: revision 52, up to date 1m 30s 500ms ago");
        assert_eq!(known_ms(NEVER), None);
        assert!(words(52, None).contains("of unknown age"));
    }

    #[test]
    fn only_what_nobody_served_is_asked_of_one_node() {
        let unserved = || Failure::unserved("no answer within 3s");
        assert_eq!(instead(unserved(), false).remedies.len(), 1);
        assert_eq!(instead(unserved(), true).remedies.len(), 0);
        assert_eq!(instead(Failure::refused("no"), false).remedies.len(), 0);
    }
}
