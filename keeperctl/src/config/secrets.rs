//! `keeperctl config secrets`: which fields are sealed, and sealing them with the newest key.

use keeper_client_sdk::Edit;
use serde::Serialize;

use crate::{
    admin::Admin,
    args::{Reason, SecretsVerb},
    config::{
        batch::{self, Sized},
        snapshot::{self, Snapshot},
    },
    failure::Failure,
    render::{self, Report},
};

pub(super) async fn run(admin: &mut Admin<'_, '_>, verb: SecretsVerb) -> Result<(), Failure> {
    match verb {
        SecretsVerb::List { prefix } => list(admin, &prefix).await,
        SecretsVerb::Rotate { prefix } => rotate(admin, &prefix).await,
    }
}

async fn list(admin: &mut Admin<'_, '_>, prefix: &str) -> Result<(), Failure> {
    let sealed = Sealed::of(&snapshot::of(admin, prefix).await?);
    if sealed.documents.is_empty() {
        admin.console.say("no document has a sealed field");
    }
    admin.console.print(&sealed)
}

/// Publishes each document with secrets anew. Masked, a secret is the one that is published, which the servers open and
/// seal with their newest key; that somebody changes a document meanwhile refuses its publish.
async fn rotate(admin: &mut Admin<'_, '_>, prefix: &str) -> Result<(), Failure> {
    let snapshot = snapshot::of(admin, prefix).await?;
    let mut sealed = Sealed::of(&snapshot);
    if sealed.documents.is_empty() {
        admin.console.say("no document has a sealed field");
        return admin.console.print(&sealed);
    }
    let secret = snapshot.documents.into_values().filter(|document| !document.secrets.is_empty());
    let changes = secret.map(|document| {
        let mut edit = Edit::put(document.path.clone(), document.text.clone()).expecting(document.revision);
        if let Some(format) = document.format {
            edit = edit.format(format);
        }
        Sized { edit, path: document.path, text_bytes: document.text.len() }
    });
    let reason = Reason { message: "secrets sealed with the newest key".to_owned() };
    let batches = batch::batches(changes.collect());
    batch::publish(admin, batches, &reason, |paths, revision| sealed.stands(paths, revision)).await?;
    admin.console.print(&sealed)
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Sealed {
    documents: Vec<Row>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Row {
    path: String,
    revision: u64,
    secrets: Vec<String>,
}

impl Sealed {
    fn of(snapshot: &Snapshot) -> Self {
        let sealed = snapshot.documents.values().filter(|document| !document.secrets.is_empty());
        let row = sealed.map(|document| Row {
            path: document.path.clone(),
            revision: document.revision,
            secrets: document.secrets.clone(),
        });
        Self { documents: row.collect() }
    }

    fn stands(&mut self, paths: &[String], revision: u64) {
        for row in self.documents.iter_mut().filter(|row| paths.contains(&row.path)) {
            row.revision = revision;
        }
    }
}

impl Report for Sealed {
    fn table(&self) -> String {
        let cells = |row: &Row| [row.path.clone(), row.revision.to_string(), render::list(&row.secrets)];
        render::table(["DOCUMENT", "REVISION", "SECRETS"], self.documents.iter().map(cells))
    }
}

#[cfg(test)]
mod tests {
    use keeper_client_sdk::Document;

    use super::*;
    use crate::config::changes::tests::document;

    #[test]
    fn only_documents_with_secrets_are_told() {
        let secret =
            Document { secrets: vec!["push.token".into(), "db.password".into()], ..document("a.toml", 9, "{}") };
        let documents = [secret, document("b.toml", 8, "{}")].map(|it| (it.path.clone(), it)).into();
        let mut sealed = Sealed::of(&Snapshot { revision: 20, documents });
        sealed.stands(&["a.toml".into()], 21);
        let expected = "DOCUMENT  REVISION  SECRETS\na.toml    21        push.token,db.password\n";
        assert_eq!(sealed.table(), expected);
    }
}
