//! Bugs on purpose are in the extra build of the simulation alone: no manifest asks for them elsewhere, and no binary
//! that is shipped shows their mark.

use std::fs;

use crate::{Finding, papers};

/// What each place with such a bug leaves in a binary; see `registry/src/planted.rs`. Written in two parts, so that no
/// other test of these texts finds it here.
const MARK: &str = concat!("planted", "-bug:");

/// Where the feature is declared, and who alone may ask for it.
const DECLARATIONS: [(&str, &str); 2] =
    [("registry/Cargo.toml", "planted = []"), ("tests/sim/Cargo.toml", "planted = [\"keeper-registry/planted\"]")];

/// Every other mention of the feature in a manifest; a default that holds it is one.
pub(crate) fn asked_for(path: &str, manifest: &str) -> Vec<Finding> {
    let is_declaration = |line: &str| DECLARATIONS.contains(&(path, line));
    let code = manifest.lines().filter(|line| !line.starts_with('#'));
    code.filter(|line| line.contains("planted") && !is_declaration(line))
        .map(|line| format!("{path}: only keeper-sim's feature asks for bugs: {line}"))
        .collect()
}

/// Binaries that are shipped, as the Makefile names them and this build made them.
pub(crate) fn shipped(makefile: &str) -> Vec<Finding> {
    let names = makefile.lines().find_map(|line| line.strip_prefix("SHIPPED := ")).unwrap_or_default();
    if names.is_empty() {
        return vec!["Makefile: SHIPPED names no binary".to_owned()];
    }
    let in_binary = |name| match fs::read(papers::target_folder().join(name)) {
        Ok(bytes) => marked(name, &bytes),
        Err(error) => Some(format!("{name} cannot be looked into: {error}")),
    };
    names.split_whitespace().filter_map(in_binary).collect()
}

fn marked(name: &str, bytes: &[u8]) -> Option<Finding> {
    let is_marked = bytes.windows(MARK.len()).any(|window| window == MARK.as_bytes());
    is_marked.then(|| format!("{name} was built with bugs on purpose: it holds {MARK:?}"))
}

#[test]
fn a_manifest_that_asks_for_bugs_is_found() {
    assert_eq!(asked_for("registry/Cargo.toml", "[features]\n# planted\nplanted = []\n"), [""; 0]);
    for manifest in ["default = [\"planted\"]", "keeper-registry = { features = [\"planted\"] }", "planted = []"] {
        assert_eq!(asked_for("keeper/Cargo.toml", manifest).len(), 1, "{manifest}");
    }
    assert_eq!(asked_for("registry/Cargo.toml", "default = [\"planted\"]").len(), 1);
}

#[test]
fn a_binary_with_a_bug_is_found() {
    assert!(marked("keeper", format!("...{MARK}stale-epoch...").as_bytes()).is_some());
    assert!(marked("keeper", b"planted").is_none());
    assert_eq!(shipped("nothing").len(), 1);
}
