//! What the cluster says of one effective document.

use bytes::Bytes;
use keeper_proto::v1::EffectiveDocument;

use crate::{config::from_proto, instance::LeaseId, limits};

/// A word about one document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) path: String,
    /// When it last changed for this reader; 0: there never was anything for it.
    pub(crate) revision: u64,
    /// The canonical value; none: there is no document.
    pub(crate) canonical: Option<Bytes>,
    /// The rollout whose candidates it has.
    pub(crate) rollout: Option<u64>,
    /// The incarnation it was said to; none: to nobody in particular.
    pub(crate) life: Option<LeaseId>,
}

impl Told {
    pub(crate) fn of(document: EffectiveDocument, life: Option<LeaseId>) -> Self {
        let EffectiveDocument { path, revision, value, deleted, rollout } = document;
        let canonical = (!deleted).then_some(value);
        Self { path, revision, canonical, rollout: from_proto::rollout(rollout), life }
    }

    pub(crate) fn nothing(path: &str, life: Option<LeaseId>) -> Self {
        Self { path: path.to_owned(), revision: 0, canonical: None, rollout: None, life }
    }
}

/// A reason within its bound.
pub(crate) fn shortened(reason: &str) -> String {
    let mut end = reason.len().min(limits::REASON_BYTES_MAX);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    reason[..end].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_ends_within_its_bound_and_between_characters() {
        let told = shortened(&"é".repeat(limits::REASON_BYTES_MAX));
        assert_eq!(told.len(), limits::REASON_BYTES_MAX);
        let odd = shortened(&format!("x{}", "é".repeat(limits::REASON_BYTES_MAX)));
        assert_eq!(odd.len(), limits::REASON_BYTES_MAX - 1);
        assert_eq!(shortened("short"), "short");
    }
}
