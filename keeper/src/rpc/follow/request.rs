//! What a follower asks for.

use std::collections::BTreeSet;
use std::sync::Arc;

use keeper_registry::limits::PATH_BYTES_MAX;

use crate::limits::FOLLOWED_MAX;
use crate::problem::Problem;
use crate::rpc::from_proto::invalid;

/// Paths of documents, without layers, each once. Sorted: those who follow the same say the same.
pub(super) fn paths(given: Vec<String>) -> Result<Arc<[Arc<str>]>, Problem> {
    if given.is_empty() || given.len() > FOLLOWED_MAX {
        let message = format!("{} paths; a stream follows 1 to {FOLLOWED_MAX}", given.len());
        return Err(invalid("paths", message));
    }
    let mut paths = BTreeSet::new();
    for (place, path) in given.iter().enumerate() {
        check(|| format!("paths[{place}]"), path)?;
        if !paths.insert(Arc::<str>::from(path.as_str())) {
            return Err(invalid(format!("paths[{place}]"), format!("`{path}` is named twice")));
        }
    }
    Ok(paths.into_iter().collect())
}

/// A path without a layer.
pub(super) fn check(field: impl FnOnce() -> String, path: &str) -> Result<(), Problem> {
    if path.is_empty() || path.len() > PATH_BYTES_MAX {
        let field = field();
        let message = format!("`{field}` has {} bytes; a path has 1 to {PATH_BYTES_MAX}", path.len());
        return Err(invalid(field, message));
    }
    if path.contains('@') {
        let message =
            format!("`{path}` names a layer; an instance reads the path without it, and gets its layers merged");
        return Err(invalid(field(), message));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_sorted_and_refused_by_place() {
        let read = |paths: &[&str]| paths_of(paths).map_err(|problem| problem.to_string());
        let sorted: Vec<_> = read(&["b.toml", "a.toml"]).expect("two paths").iter().map(|it| it.to_string()).collect();
        assert_eq!(sorted, ["a.toml", "b.toml"]);
        assert_eq!(read(&[]), Err("0 paths; a stream follows 1 to 256".to_owned()));
        assert_eq!(read(&["a", "a"]), Err("`a` is named twice".to_owned()));
        assert_eq!(read(&["a", ""]), Err("`paths[1]` has 0 bytes; a path has 1 to 256".to_owned()));
        let layered = "`a@zone=eu` names a layer; an instance reads the path without it, and gets its layers merged";
        assert_eq!(read(&["a@zone=eu"]), Err(layered.to_owned()));
    }

    fn paths_of(given: &[&str]) -> Result<Arc<[Arc<str>]>, Problem> {
        paths(given.iter().map(|path| (*path).to_owned()).collect())
    }
}
