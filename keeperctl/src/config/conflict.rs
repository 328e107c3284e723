//! A change that came too late: who was earlier, and how to go on.

use keeper_client_sdk::{Configs, Detail, Document, Error};

use crate::{failure::Failure, render};

/// Whether a publish was refused because the document had moved.
pub(super) fn is_one(error: &Error) -> bool {
    error.reason() == "revision-mismatch"
}

/// The refusal, with who changed the document; `command` is what to type once that is taken over. If that cannot be
/// learnt the refusal still stands.
pub(super) async fn told(configs: &Configs, path: &str, error: Error, command: &str) -> Failure {
    let failure = Failure::from(error);
    match configs.history(path, 1, Detail::Summary).await.map(|mut history| history.documents.pop()) {
        Ok(Some(newest)) => with_who(failure, &newest, command),
        Ok(None) | Err(_) => failure,
    }
}

fn with_who(failure: Failure, newest: &Document, command: &str) -> Failure {
    let Document { path, revision, author, message, published_at_ms, deleted, .. } = newest;
    let what = if *deleted { "deleted" } else { "changed" };
    let why = if message.is_empty() { String::new() } else { format!(": {message:?}") };
    let who = format!("{author} {what} it at {}, revision {revision}{why}", render::second(*published_at_ms));
    failure
        .remedy(render::printable(&who))
        .remedy(format!("see what that was with `keeperctl config diff {path} --to {revision}`"))
        .remedy(format!("then `keeperctl config {command} --expect {}`", if *deleted { 0 } else { *revision }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::changes::tests::document;

    #[test]
    fn who_was_earlier_is_told() {
        let failure = with_who(Failure::refused("too late"), &document("a.toml", 9, "{}"), "put a.toml FILE");
        let expected = [
            "ann@desk changed it at 2026-11-22T15:36:02Z, revision 9: \"raise limits\"",
            "see what that was with `keeperctl config diff a.toml --to 9`",
            "then `keeperctl config put a.toml FILE --expect 9`",
        ];
        assert_eq!(failure.remedies, expected);
    }

    #[test]
    fn a_deletion_is_a_change_too() {
        let deleted = Document { deleted: true, message: String::new(), ..document("a.toml", 9, "") };
        let failure = with_who(Failure::refused("too late"), &deleted, "put a.toml FILE");
        assert_eq!(failure.remedies[0], "ann@desk deleted it at 2026-11-22T15:36:02Z, revision 9");
        assert_eq!(failure.remedies[2], "then `keeperctl config put a.toml FILE --expect 0`");
    }
}
