//! What became of a publish, or would.

use bytes::Bytes;

use crate::FieldChange;

/// A publish that stands; of a dry run: what would be.
#[derive(Debug, Clone, PartialEq)]
pub struct Published {
    /// Where the documents now stand; of a dry run: the state that was judged.
    pub revision: u64,
    /// False when every text was already what is published.
    pub changed: bool,
    /// What became of each document, in the order of the changes.
    pub documents: Vec<Verdict>,
    /// What spoke against it and was overruled; in a dry run also what would have it refused.
    pub objections: Vec<Objection>,
    /// How many more there are beside those.
    pub objections_more: u32,
    /// What is worth knowing, and refuses nothing: a sentence each.
    pub notes: Vec<String>,
}

/// A key of secrets, and what needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretKey {
    /// Its id.
    pub id: String,
    /// Published fields that it seals.
    pub fields: u32,
    /// Past versions that are kept, deleted documents among them, with fields that it seals.
    pub past_versions: u32,
}

/// What became of one document.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// Its path.
    pub path: String,
    /// Of what it takes the place of; 0: of nothing.
    pub from_revision: u64,
    /// The fields that differ; secrets are masked.
    pub fields: Vec<FieldChange>,
    /// Open instances whose effective document changes.
    pub instances: u32,
    /// The canonical value, secrets masked; empty: it is deleted.
    pub canonical: Bytes,
}

/// One thing that speaks against a publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Objection {
    /// Of the document.
    pub path: String,
    /// The layers of the effective document it is about, beside the base.
    pub layers: String,
    /// Empty: it is about the document as a whole.
    pub field: String,
    /// A whole sentence.
    pub message: String,
    /// The schema that speaks, by its key, when one does.
    pub schema: String,
    /// The service that speaks, when one does.
    pub service: String,
    /// Its version.
    pub version: String,
    /// How many instances of it.
    pub instances: u32,
}
