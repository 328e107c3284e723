//! No node holds a state of a feature level that its release does not read.

use crate::node::SimNode;

/// What is wrong with a node's state, if anything.
pub(super) fn judge(at: usize, node: &SimNode) -> Option<String> {
    let (level, level_max) = (node.level()?, node.level_max());
    (level > level_max)
        .then(|| format!("level is read: node {} has a state of level {level} and reads up to {level_max}", at + 1))
}
