//! The identity of a directory: whatever is taken for one of this cluster says so when it is written again.

use std::path::Path;

use super::Identity;

pub(in crate::store) fn identity(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let path = Path::new("identity");
    let own = Identity { cluster: "prod".to_owned(), node_id: 1, created_at_ms: 0, disk_id: 0 };
    let Ok((found, stage)) = own.confirm(text, path) else { return };
    // Its number is the directory's to say: one that joined has it from the cluster.
    assert_eq!(found.cluster, own.cluster);
    let (again, again_at) = own.confirm(&found.to_text(stage.level), path).expect("what was written can be read");
    assert_eq!((again, again_at.level), (found, stage.level));
}
