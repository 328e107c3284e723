//! `keeperctl config secrets`: which fields are sealed, and sealing them with the newest key.

use std::collections::{BTreeMap, BTreeSet};

use keeper_client_sdk::{Edit, SecretKey};
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
    let sealed = stands(admin, prefix, &snapshot::of(admin, prefix).await?).await?;
    if sealed.documents.is_empty() {
        admin.console.say("no document has a sealed field");
    }
    admin.console.print(&sealed)
}

/// Publishes each document with secrets anew. Masked, a secret is the one that is published, which the servers open and
/// seal with their newest key; that somebody changes a document meanwhile refuses its publish.
async fn rotate(admin: &mut Admin<'_, '_>, prefix: &str) -> Result<(), Failure> {
    let before = snapshot::of(admin, prefix).await?;
    let secret = before.documents.values().filter(|document| !document.secrets.is_empty());
    let changes = secret.map(|document| {
        let mut edit = Edit::put(document.path.clone(), document.text.clone()).expecting(document.revision);
        if let Some(format) = document.format {
            edit = edit.format(format);
        }
        Sized { edit, path: document.path.clone(), text_bytes: document.text.len() }
    });
    let batches = batch::batches(changes.collect());
    if batches.is_empty() {
        admin.console.say("nothing to do: no document has a sealed field");
        return admin.console.print(&stands(admin, prefix, &before).await?);
    }
    let reason = Reason { message: "secrets sealed with the newest key".to_owned() };
    batch::publish(admin, batches, &reason, |_, _| {}).await?;
    let after = snapshot::of(admin, prefix).await?;
    let sealed = stands(admin, prefix, &after).await?;
    admin.console.say(rotated(&before, &after));
    for key in sealed.keys.iter().filter(|key| key.fields == 0) {
        let versions = render::counted(key.past_versions as usize, "past version", "past versions");
        admin.console.say(format_args!("key {} is still needed for {versions} in the history", key.id));
    }
    admin.console.print(&sealed)
}

async fn stands(admin: &Admin<'_, '_>, prefix: &str, snapshot: &Snapshot) -> Result<Sealed, Failure> {
    let keys = admin.keeper.configs().secret_keys(prefix).await?;
    let key = |it: SecretKey| Key { id: it.id, fields: it.fields, past_versions: it.past_versions };
    Ok(Sealed { keys: keys.into_iter().map(key).collect(), ..Sealed::of(snapshot) })
}

/// What a rotation did.
fn rotated(before: &Snapshot, after: &Snapshot) -> String {
    let keys_of = |snapshot: &Snapshot| {
        let documents = snapshot.documents.values();
        let keys = documents.flat_map(|it| {
            let keys = it.secrets.iter().zip(&it.secret_keys);
            keys.map(|(field, key)| ((it.path.clone(), field.clone()), key.clone()))
        });
        keys.collect::<BTreeMap<_, _>>()
    };
    let (were, are) = (keys_of(before), keys_of(after));
    let told = |fields: &[(&(String, String), &String)]| {
        let documents: BTreeSet<_> = fields.iter().map(|((path, _), _)| path).collect();
        let keys: BTreeSet<_> = fields.iter().map(|(_, key)| key.as_str()).collect();
        let keys = render::list(keys.into_iter().map(str::to_owned).collect::<Vec<_>>());
        let fields = render::counted(fields.len(), "field", "fields");
        (keys, format!("{fields} of {}", render::counted(documents.len(), "document", "documents")))
    };
    let anew: Vec<_> = are.iter().filter(|(at, key)| were.get(*at).is_some_and(|was| was != *key)).collect();
    if anew.is_empty() {
        let (keys, what) = told(&are.iter().collect::<Vec<_>>());
        return format!("nothing to do: {what} are sealed with key {keys}, and the node that publishes has none newer");
    }
    let (keys, what) = told(&anew);
    format!("sealed anew with key {keys}: {what}")
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Sealed {
    documents: Vec<Row>,
    keys: Vec<Key>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Row {
    path: String,
    revision: u64,
    secrets: Vec<String>,
    /// Of each secret.
    keys: Vec<String>,
}

/// A key, and what needs it.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Key {
    id: String,
    fields: u32,
    past_versions: u32,
}

impl Sealed {
    fn of(snapshot: &Snapshot) -> Self {
        let sealed = snapshot.documents.values().filter(|document| !document.secrets.is_empty());
        let row = sealed.map(|document| Row {
            path: document.path.clone(),
            revision: document.revision,
            secrets: document.secrets.clone(),
            keys: document.secret_keys.clone(),
        });
        Self { documents: row.collect(), keys: Vec::new() }
    }
}

impl Report for Sealed {
    fn table(&self) -> String {
        let cells = |row: &Row| {
            let mut keys = row.keys.iter();
            let secret = |field: &String| keys.next().map_or_else(|| field.clone(), |key| format!("{field}:{key}"));
            let secrets: Vec<_> = row.secrets.iter().map(secret).collect();
            [row.path.clone(), row.revision.to_string(), render::list(&secrets)]
        };
        let documents = render::table(["DOCUMENT", "REVISION", "SECRET:KEY"], self.documents.iter().map(cells));
        if self.keys.is_empty() {
            return documents;
        }
        let cells = |key: &Key| [key.id.clone(), key.fields.to_string(), key.past_versions.to_string()];
        let keys = render::table(["KEY", "SEALS FIELDS", "AND PAST VERSIONS"], self.keys.iter().map(cells));
        format!("{documents}\n{keys}")
    }
}

#[cfg(test)]
mod tests {
    use keeper_client_sdk::Document;

    use super::*;
    use crate::config::changes::tests::document;

    fn snapshot(documents: &[(&str, &[&str])]) -> Snapshot {
        let of = |(path, keys): &(&str, &[&str])| {
            let secrets = ["push.token", "db.password"].map(String::from).into_iter().take(keys.len()).collect();
            let secret_keys = keys.iter().map(|key| (*key).to_owned()).collect();
            ((*path).to_owned(), Document { secrets, secret_keys, ..document(path, 9, "{}") })
        };
        Snapshot { revision: 20, documents: documents.iter().map(of).collect() }
    }

    #[test]
    fn only_documents_with_secrets_are_told() {
        let sealed = Sealed::of(&snapshot(&[("a.toml", &["k1", "k2"]), ("b.toml", &[])]));
        let expected = "DOCUMENT  REVISION  SECRET:KEY\na.toml    9         push.token:k1,db.password:k2\n";
        assert_eq!(sealed.table(), expected);
        let key = Key { id: "k1".into(), fields: 1, past_versions: 3 };
        let expected = format!("{expected}\nKEY  SEALS FIELDS  AND PAST VERSIONS\nk1   1             3\n");
        assert_eq!(Sealed { keys: vec![key], ..sealed }.table(), expected);
    }

    #[test]
    fn a_rotation_says_what_it_did() {
        let before = snapshot(&[("a.toml", &["k1", "k2"]), ("b.toml", &["k1"])]);
        let after = snapshot(&[("a.toml", &["k2", "k2"]), ("b.toml", &["k2"])]);
        assert_eq!(rotated(&before, &after), "sealed anew with key k2: 2 fields of 2 documents");
        assert_eq!(
            rotated(&after, &after),
            "nothing to do: 3 fields of 2 documents are sealed with key k2, and the node that publishes has none newer"
        );
    }
}
