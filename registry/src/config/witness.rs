//! What a publish was judged by.
//!
//! Whether a value fits its schema, its other layers and the processes that read it is judged by the proposer, which
//! reads the state some entries before its own. So the entry says what was looked at, and `apply` refuses it if any of
//! that has moved since: nothing is published that was judged against something else. The proposer then judges anew,
//! which is why such a refusal is never kept as the answer to a request id.

use crate::{Rejection, Revision, State, check, digest::Digest, limits};

/// Something that a proposer looked at, and the revision it was at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Witness {
    /// A document.
    Document {
        /// Its key.
        path: String,
        /// As in [`Document`](super::Document); `Revision(0)`: there was none.
        revision: Revision,
    },
    /// All layers of a path.
    Layers {
        /// The path.
        path: String,
        /// As in [`State::layers_revision`].
        revision: Revision,
    },
    /// All schemas that admins attached.
    Schemas {
        /// As in [`State::schemas_revision`].
        revision: Revision,
    },
    /// What kinds of processes read a path, and by which schema.
    Consumers {
        /// The path.
        path: String,
        /// As in [`State::consumers_revision`].
        revision: Revision,
    },
}

impl Witness {
    /// At which revision it was looked at.
    #[must_use]
    pub const fn revision(&self) -> Revision {
        match self {
            Self::Document { path: _, revision }
            | Self::Layers { path: _, revision }
            | Self::Schemas { revision }
            | Self::Consumers { path: _, revision } => *revision,
        }
    }

    /// What was looked at; empty for the schemas, which are looked at as a whole.
    #[must_use]
    pub fn path(&self) -> &str {
        match self {
            Self::Document { path, .. } | Self::Layers { path, .. } | Self::Consumers { path, .. } => path,
            Self::Schemas { .. } => "",
        }
    }

    pub(crate) fn digest(&self, digest: Digest) -> Digest {
        let kind = match self {
            Self::Document { .. } => 1,
            Self::Layers { .. } => 2,
            Self::Schemas { .. } => 3,
            Self::Consumers { .. } => 4,
        };
        digest.number(kind).text(self.path()).number(self.revision().0)
    }
}

impl State {
    /// When a document below [`limits::SCHEMA_PREFIX`] changed last, deletions included. It only rises, and may rise
    /// when deletions of other documents are forgotten.
    #[must_use]
    pub fn schemas_revision(&self) -> Revision {
        self.configs.schemas_revision()
    }

    /// Where what a witness looked at stands now.
    #[must_use]
    pub fn present_revision(&self, witness: &Witness) -> Revision {
        match witness {
            Witness::Document { path, .. } => {
                self.config(path).map_or_else(Revision::default, |document| document.revision)
            }
            Witness::Layers { path, .. } => self.layers_revision(path),
            Witness::Schemas { .. } => self.schemas_revision(),
            Witness::Consumers { path, .. } => self.consumers_revision(path),
        }
    }

    /// Whether nothing has moved that a proposer judged by.
    pub(crate) fn check_judged(&self, judged: &[Witness]) -> Result<(), Rejection> {
        check::size("judged", judged.len(), limits::WITNESSES_MAX)?;
        for witness in judged {
            check::size("judged.path", witness.path().len(), limits::KEY_BYTES_MAX)?;
            let present = self.present_revision(witness);
            if present != witness.revision() {
                return Err(Rejection::Moved { what: witness.clone(), present });
            }
        }
        Ok(())
    }
}
