//! What the operator knows of the machines: at which address a node of which number runs now.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;

/// By peer address: the number of the node there, or 0 while it has none. Clones are the same list.
#[derive(Debug, Clone, Default)]
pub struct Fleet {
    numbers: Arc<Mutex<BTreeMap<String, u64>>>,
}

impl Fleet {
    /// From now on the node there has this number.
    pub fn note(&self, peer_endpoint: &str, number: u64) {
        self.numbers.lock().insert(peer_endpoint.to_owned(), number);
    }

    /// The number of the node there.
    #[must_use]
    pub fn number(&self, peer_endpoint: &str) -> u64 {
        self.numbers.lock().get(peer_endpoint).copied().unwrap_or(0)
    }

    /// Every address.
    #[must_use]
    pub fn endpoints(&self) -> Vec<String> {
        self.numbers.lock().keys().cloned().collect()
    }
}
