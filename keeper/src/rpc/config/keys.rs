//! Which keys of secrets are needed, and for how much: what an admin asks before he takes one from the ring.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use keeper_proto::v1 as wire;
use keeper_registry::{Document, State};

use crate::config::secret::{is_sealed, key_of, sealed_fields};
use crate::format::{self, Format};

/// All that is kept below a prefix, and whether it is what is published.
pub(super) fn kept(state: &State, prefix: &str) -> Vec<(Arc<Document>, bool)> {
    let versions = state.config_histories(prefix);
    let is_published = |document: &Document| {
        state.config(&document.path).is_some_and(|published| published.revision == document.revision)
    };
    versions.map(|document| (Arc::clone(document), is_published(document))).collect()
}

/// The keys that all of that needs.
pub(super) fn needed(kept: &[(Arc<Document>, bool)]) -> Vec<wire::list_configs_reply::Key> {
    let mut keys: BTreeMap<String, (u32, u32)> = BTreeMap::new();
    for (document, is_published) in kept.iter().filter(|(document, _)| is_sealed(&document.value)) {
        let Ok(value) = format::parse(Format::Json, &String::from_utf8_lossy(&document.value)) else { continue };
        let fields = sealed_fields(&value);
        let ids = || fields.iter().filter_map(|field| key_of(&value, field));
        if *is_published {
            ids().for_each(|id| keys.entry(id.to_owned()).or_default().0 += 1);
        } else {
            ids().collect::<BTreeSet<_>>().into_iter().for_each(|id| keys.entry(id.to_owned()).or_default().1 += 1);
        }
    }
    let key = |(id, (fields, past_versions))| wire::list_configs_reply::Key { id, fields, past_versions };
    keys.into_iter().map(key).collect()
}
