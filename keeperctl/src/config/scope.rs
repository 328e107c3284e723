//! Which documents a prefix is about, where documents are a folder.
//!
//! A prefix ends where a name ends: `push` and `push/` are what lies below that folder, and no document of `pusher/`.
//! `push` is the document of that name, too, and `push/room.toml` is that document with its layers.

/// In front of a layer.
const LAYER: char = '@';

/// Whether a document is at a prefix or below it.
pub(super) fn holds(prefix: &str, key: &str) -> bool {
    let folder = prefix.trim_end_matches('/');
    let path = key.split_once(LAYER).map_or(key, |(path, _)| path);
    prefix.is_empty() || key == prefix || path == prefix || is_below(folder, key)
}

/// Whether a name lies in a folder, at whatever depth.
pub(super) fn is_below(folder: &str, name: &str) -> bool {
    name.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_where_a_name_ends() {
        for (prefix, keys) in [
            ("", "g g.yaml g/a.yaml g/b/c.yaml g@zone=eu gg/x.yaml"),
            ("g", "g g/a.yaml g/b/c.yaml g@zone=eu"),
            ("g/", "g/a.yaml g/b/c.yaml"),
            ("g/b", "g/b/c.yaml"),
            ("g.yaml", "g.yaml"),
            ("g@zone=eu", "g@zone=eu"),
            ("/", ""),
        ] {
            let all = ["g", "g.yaml", "g/a.yaml", "g/b/c.yaml", "g@zone=eu", "gg/x.yaml"];
            let held: Vec<_> = all.into_iter().filter(|key| holds(prefix, key)).collect();
            assert_eq!(held.join(" "), keys, "{prefix}");
        }
    }
}
