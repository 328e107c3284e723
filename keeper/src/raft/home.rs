//! What a node knows of itself beside its name.

use std::fmt;
use std::io;
use std::sync::Arc;

use super::type_config::Member;

/// Makes a number durable as this node's, and has the node start anew.
type KeepNumber = Arc<dyn Fn(u64) -> io::Result<()> + Send + Sync>;

/// Where a node is reached, and where its number is kept.
#[derive(Clone)]
pub struct Home {
    /// Where it says that it is reached.
    pub advertised: Member,
    /// Where it says that other nodes reach it, unless that is the very address that it listens on.
    pub reached_through: Option<String>,
    /// Its log has lost what it acknowledged: it must not go on under the number it had.
    pub lost: bool,
    /// Its number is not that of its settings: the cluster gave it.
    pub given: bool,
    /// Called at most once, and only while the node has no data. When it returns the number is on disk.
    pub keep_number: KeepNumber,
}

impl Home {
    /// That of a node whose number is fixed.
    #[must_use]
    pub fn fixed(advertised: Member) -> Self {
        let keep_number = |_| Err(io::Error::other("the number of this node is fixed"));
        Self { advertised, reached_through: None, lost: false, given: false, keep_number: Arc::new(keep_number) }
    }
}

impl fmt::Debug for Home {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Home").field("advertised", &self.advertised).field("lost", &self.lost).finish_non_exhaustive()
    }
}
