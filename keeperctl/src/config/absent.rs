//! A document that is not there: whether it was, and which was probably meant.

use keeper_client_sdk::{Configs, Detail, Document};

use crate::{failure::Failure, nearest::nearest, render};

/// The document as it is now; `command` is what to type with another path.
pub(super) async fn present(configs: &Configs, path: &str, command: &str) -> Result<Document, Failure> {
    match configs.get(path).await?.filter(|document| !document.deleted) {
        Some(document) => Ok(document),
        None => Err(absent(configs, path, command).await?),
    }
}

/// The document as it was at a revision.
pub(super) async fn at(configs: &Configs, path: &str, revision: u64, command: &str) -> Result<Document, Failure> {
    if let Some(document) = configs.get_at(path, revision).await? {
        return Ok(document);
    }
    match configs.history(path, 1, Detail::Summary).await?.documents.pop() {
        None => Err(absent(configs, path, command).await?),
        Some(_) => Err(Failure::refused(format!("the history of {path} does not hold revision {revision}"))
            .remedy(format!("see what it holds with `keeperctl config history {path}`"))),
    }
}

/// Why there is no such document.
pub(super) async fn absent(configs: &Configs, path: &str, command: &str) -> Result<Failure, Failure> {
    if let Some(newest) = configs.history(path, 1, Detail::Summary).await?.documents.pop() {
        return Ok(deleted(&newest));
    }
    let paths = configs.list("").await?.documents.into_iter().map(|document| document.path);
    Ok(unknown(path, paths.collect(), command))
}

pub(super) fn deleted(document: &Document) -> Failure {
    let Document { path, revision, author, published_at_ms, .. } = document;
    let (author, at) = (render::printable(author), render::second(*published_at_ms));
    Failure::refused(format!("{path} was deleted at revision {revision} by {author} at {at}"))
        .remedy(format!("see what it was with `keeperctl config get {path} --revision {}`", revision.saturating_sub(1)))
}

fn unknown(path: &str, paths: Vec<String>, command: &str) -> Failure {
    let failure = Failure::refused(format!("there is no document {path:?}"));
    if paths.is_empty() {
        return failure.remedy("there is none at all yet: publish one with `keeperctl config put PATH FILE`");
    }
    let names = nearest(path, paths);
    if names.is_empty() {
        return failure.remedy("see all with `keeperctl config list`");
    }
    names.into_iter().fold(failure, |failure, name| failure.did_you_mean(&format!("keeperctl config {command} {name}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::changes::tests::document;

    #[test]
    fn the_nearest_names_are_offered() {
        let failure = unknown("push/rom.toml", vec!["push/room.toml".into(), "gate.yaml".into()], "get");
        assert_eq!(failure.message, "there is no document \"push/rom.toml\"");
        assert_eq!(failure.remedies, ["did you mean: `keeperctl config get push/room.toml`"]);
        assert_eq!(unknown("x", vec!["gate.yaml".into()], "get").remedies, ["see all with `keeperctl config list`"]);
        assert_eq!(unknown("x", Vec::new(), "get").remedies.len(), 1);
    }

    #[test]
    fn a_deleted_document_says_so() {
        let failure = deleted(&Document { deleted: true, ..document("a.toml", 9, "{}") });
        assert_eq!(failure.message, "a.toml was deleted at revision 9 by ann@desk at 2026-11-22T15:36:02Z");
        assert_eq!(failure.remedies, ["see what it was with `keeperctl config get a.toml --revision 8`"]);
    }
}
