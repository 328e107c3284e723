//! Replicas at the same revision hold the same state.

use std::collections::BTreeMap;

/// The hash of each revision that was seen, and where it was seen first.
#[derive(Debug, Default)]
pub(super) struct ReplicasAreEqual {
    hashes: BTreeMap<u64, (u64, usize)>,
}

impl ReplicasAreEqual {
    pub(super) fn see(&mut self, node: usize, revision: u64, hash: u64) -> Option<String> {
        let (first, at) = *self.hashes.entry(revision).or_insert((hash, node));
        (first != hash).then(|| {
            format!(
                "replicas are equal: revision {revision} is {first:x} on node {} and {hash:x} on {}",
                at + 1,
                node + 1
            )
        })
    }
}
