//! What must not be written.

use crate::{Finding, source::Source};

/// Code and what to do instead.
const BANNED: [(&str, &str); 7] = [
    ("todo!", "write it, or leave it out"),
    ("unimplemented!", "write it, or leave it out"),
    ("dbg!", "use tracing"),
    ("#[allow(", "use #[expect(.., reason = \"..\")]: it ends with its cause"),
    ("#![allow(", "use #![expect(.., reason = \"..\")]: it ends with its cause"),
    ("#[ignore", "a test runs, or is deleted"),
    ("super::super::", "name the path from crate::"),
];

/// Includes generated code, whose lints nobody can expect.
const GENERATED: &str = "proto/src/lib.rs";

/// Where a pause between two looks at a condition is written, once for each kind of test.
const SLEEP_HOMES: [&str; 1] = ["tests/src/wait.rs"];

/// Where time is simulated: a pause there costs nothing and is as long as it says.
const SIMULATED: &str = "tests/sim/src/";

/// Names that say nothing.
const EMPTY_NAMES: [&str; 7] = ["common", "utils", "util", "core", "types", "helpers", "misc"];

/// Folders that exist on somebody's machine only; in two parts, because this file is read too.
const MACHINE_FOLDERS: [&str; 4] =
    [concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/wo", "rk/"), concat!("/tm", "p/")];

pub(crate) fn banned(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    if source.path == GENERATED {
        return findings;
    }
    for (word, instead) in BANNED {
        findings.extend(source.words(word).map(|at| format!("{}: `{word}`: {instead}", source.at(at))));
    }
    findings
}

pub(crate) fn sleeping(source: &Source) -> Vec<Finding> {
    if SLEEP_HOMES.contains(&source.path.as_str()) || source.path.starts_with(SIMULATED) {
        return Vec::new();
    }
    let sleeps = ["sleep(", "sleep_until("].into_iter().flat_map(|word| source.words(word));
    sleeps
        .filter(|at| source.is_test(*at))
        .map(|at| format!("{}: a test waits for a condition, it does not sleep", source.at(at)))
        .collect()
}

pub(crate) fn module_names(source: &Source) -> Vec<Finding> {
    let parts = source.path.split('/').map(|part| part.strip_suffix(".rs").unwrap_or(part));
    let empty = parts.filter(|part| EMPTY_NAMES.contains(part));
    let of_path = empty.map(|name| format!("{}: `{name}` says nothing about what is inside", source.path));
    let declared = EMPTY_NAMES.into_iter().flat_map(|name| {
        let inline = format!("mod {name} {{");
        source.code.match_indices(&inline).map(|(at, _)| at).collect::<Vec<_>>().into_iter().map(move |at| (name, at))
    });
    let of_code = declared.map(|(name, at)| format!("{}: `{name}` says nothing about what is inside", source.at(at)));
    of_path.chain(of_code).collect()
}

pub(crate) fn machine_paths(path: &str, text: &str) -> Vec<Finding> {
    let numbered = text.lines().enumerate();
    numbered
        .flat_map(|(at, line)| {
            let named = MACHINE_FOLDERS.into_iter().filter(move |folder| line.contains(folder));
            named.map(move |folder| format!("{path}:{}: {folder} is a folder of one machine", at + 1))
        })
        .collect()
}

#[test]
fn a_banned_word_is_found_in_code_alone() {
    let source = Source::new("a.rs", "// todo!\nfn a() { todo!() }\n#[allow(dead_code)]\nfn my_dbg!() { \"dbg!\" }");
    assert_eq!(
        banned(&source),
        [
            "a.rs:2: `todo!`: write it, or leave it out",
            "a.rs:3: `#[allow(`: use #[expect(.., reason = \"..\")]: it ends with its cause",
        ]
    );
}

#[test]
fn a_sleeping_test_is_found() {
    let code = "fn a() { time::sleep(x) }\n#[cfg(test)]\nmod tests {\n    fn b() { tokio::time::sleep(x) }\n}";
    assert_eq!(
        sleeping(&Source::new("keeper/src/a.rs", code)),
        ["keeper/src/a.rs:4: a test waits for a condition, it does not sleep"]
    );
    assert_eq!(sleeping(&Source::new("tests/tests/a.rs", "fn a() { sleep(x) }")).len(), 1);
    assert_eq!(sleeping(&Source::new(SLEEP_HOMES[0], "fn a() { sleep(x) }")), [""; 0]);
}

#[test]
fn an_empty_name_is_found() {
    assert_eq!(module_names(&Source::new("keeper/src/utils.rs", "")).len(), 1);
    assert_eq!(module_names(&Source::new("keeper/src/core/a.rs", "")).len(), 1);
    assert_eq!(module_names(&Source::new("keeper/src/a.rs", "mod helpers {}")).len(), 1);
    assert_eq!(module_names(&Source::new("keeper/src/common_prefix.rs", "mod corelation {}")), [""; 0]);
}

#[test]
fn a_path_of_one_machine_is_found() {
    let line = format!("data_dir = \"{}me/keeper\"", MACHINE_FOLDERS[1]);
    assert_eq!(machine_paths("a.toml", &line).len(), 1);
    assert_eq!(machine_paths("a.toml", "data_dir = \"/var/lib/keeper\""), [""; 0]);
}
