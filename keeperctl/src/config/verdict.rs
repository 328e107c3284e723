//! What a publish changes, for whom, and what speaks against it.

use keeper_client_sdk::{Objection, Published, Verdict};
use serde::Serialize;

use crate::{
    config::changes::{self, Field},
    render::{self, Report},
};

/// What the servers say of a publish, done or only asked about.
#[derive(Debug, Default, PartialEq, Serialize)]
pub(super) struct Judged {
    /// None: nothing was published.
    pub(super) revision: Option<u64>,
    pub(super) documents: Vec<Changed>,
    pub(super) objections: Vec<Told>,
    pub(super) objections_more: u32,
    /// How many publishes it was.
    #[serde(skip)]
    pub(super) publishes: usize,
    pub(super) notes: Vec<String>,
}

/// A document that changes.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Changed {
    pub(super) path: String,
    change: &'static str,
    from_revision: u64,
    instances: u32,
    fields: Vec<Field>,
}

/// A thing that speaks against it.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Told {
    path: String,
    layers: String,
    field: String,
    message: String,
    schema: String,
    service: String,
    version: String,
    instances: u32,
}

impl Judged {
    /// A publish that was only asked about.
    pub(super) fn asked(published: Published) -> Self {
        Self { revision: None, ..Self::done(published) }
    }

    /// A publish that stands.
    pub(super) fn done(published: Published) -> Self {
        let Published { revision, documents, objections, objections_more, changed, notes } = published;
        Self {
            revision: Some(revision),
            documents: documents.into_iter().filter(|_| changed).map(Changed::from).collect(),
            objections: told(objections),
            objections_more,
            publishes: 1,
            notes,
        }
    }

    /// One more publish of the same command.
    pub(super) fn and(&mut self, other: Self) {
        self.revision = other.revision;
        self.documents.extend(other.documents);
        self.objections.extend(other.objections);
        self.objections_more += other.objections_more;
        self.publishes += other.publishes;
        self.notes.extend(other.notes);
    }

    /// The same in words.
    pub(super) fn against_words(&self) -> String {
        render::counted(self.against(), "thing speaks against it", "things speak against it")
    }

    /// How many things speak against it.
    pub(super) fn against(&self) -> usize {
        self.objections.len() + self.objections_more as usize
    }

    /// What speaks against it, a line each.
    pub(super) fn objections(&self) -> Vec<String> {
        let mut lines: Vec<_> = self.objections.iter().map(Told::line).collect();
        if self.objections_more > 0 {
            lines.push(format!("and {} more", self.objections_more));
        }
        lines
    }

    /// What changes and for whom, as `diff` shows it.
    pub(super) fn changes(&self) -> String {
        self.documents.iter().map(Changed::lines).collect()
    }
}

impl Changed {
    fn lines(&self) -> String {
        let Self { path, change, instances, fields, .. } = self;
        let whom = match instances {
            0 => "nobody runs with it".to_owned(),
            1 => "1 instance".to_owned(),
            more => format!("{more} instances"),
        };
        let fields = if fields.is_empty() && *change == "changed" {
            "  only the text: comments or layout\n".to_owned()
        } else {
            changes::lines(fields, "  ")
        };
        format!("{}\n{fields}", render::printable(&format!("{path} {change}: {whom}")))
    }
}

impl From<Verdict> for Changed {
    fn from(verdict: Verdict) -> Self {
        let Verdict { path, from_revision, fields, instances, canonical } = verdict;
        let change = match (from_revision, canonical.is_empty()) {
            (_, true) => "deleted",
            (0, false) => "created",
            (_, false) => "changed",
        };
        Self { path, change, from_revision, instances, fields: fields.into_iter().map(Field::from).collect() }
    }
}

impl Told {
    pub(super) fn line(&self) -> String {
        let Self { path, layers, message, .. } = self;
        let at = if layers.is_empty() { String::new() } else { format!(" with {layers}") };
        render::printable(&format!("{path}{at}: {message}"))
    }
}

pub(super) fn told(objections: Vec<Objection>) -> Vec<Told> {
    let told = |it: Objection| {
        let Objection { path, layers, field, message, schema, service, version, instances } = it;
        Told { path, layers, field, message, schema, service, version, instances }
    };
    objections.into_iter().map(told).collect()
}

impl Report for Judged {
    fn table(&self) -> String {
        self.changes()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use keeper_client_sdk::FieldChange;
    use serde_json::json;

    use super::*;

    pub(in crate::config) fn published() -> Published {
        let field = FieldChange { path: "max_inflight".into(), old: Some(json!(64)), new: Some(json!(70_000)) };
        let verdict = Verdict {
            path: "push/room.toml".into(),
            from_revision: 9,
            fields: vec![field],
            instances: 37,
            canonical: b"{}".to_vec().into(),
        };
        let objection = Objection {
            path: "push/room.toml".into(),
            layers: "zone=eu-1".into(),
            field: "max_inflight".into(),
            message: "37 instances of room 1.4.2 cannot read max_inflight: 70000 is greater than the maximum of 65535"
                .into(),
            schema: String::new(),
            service: "room".into(),
            version: "1.4.2".into(),
            instances: 37,
        };
        Published {
            revision: 12,
            changed: true,
            documents: vec![verdict],
            objections: vec![objection],
            objections_more: 2,
            notes: Vec::new(),
        }
    }

    #[test]
    fn what_changes_for_whom_and_what_is_said_against_it() {
        let judged = Judged::asked(published());
        let expected = "push/room.toml changed: 37 instances\n  ~ max_inflight: 64 -> 70000\n";
        assert_eq!((judged.table().as_str(), judged.revision), (expected, None));
        let expected = [
            "push/room.toml with zone=eu-1: 37 instances of room 1.4.2 cannot read max_inflight: 70000 is greater than \
             the maximum of 65535",
            "and 2 more",
        ];
        assert_eq!(judged.objections(), expected);
        assert_eq!(judged.against(), 3);
    }

    #[test]
    fn what_was_so_already_is_no_change() {
        let judged = Judged::asked(Published { changed: false, ..published() });
        assert_eq!((judged.table().as_str(), judged.documents.len()), ("", 0));
    }

    #[test]
    fn a_document_comes_and_goes() {
        let verdict = |from_revision, canonical: &'static str| Verdict {
            path: "a.toml".into(),
            from_revision,
            fields: Vec::new(),
            instances: 0,
            canonical: canonical.into(),
        };
        let line = |from, canonical| Changed::from(verdict(from, canonical)).lines();
        assert_eq!(line(0, "{}"), "a.toml created: nobody runs with it\n");
        assert_eq!(line(4, ""), "a.toml deleted: nobody runs with it\n");
        assert_eq!(line(4, "{}"), "a.toml changed: nobody runs with it\n  only the text: comments or layout\n");
    }
}
