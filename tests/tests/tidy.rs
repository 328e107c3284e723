//! Style is a test. Each rule is a pure function from text to findings, kept beside a snippet that must fail it; this
//! file applies the rules to the repository.
//!
//! Source is read through [`source::Source`], which blanks comments and literals, so that a rule sees code alone. What
//! the compiler and clippy can already refuse (bans on calls, missing documentation) is not repeated here. Generated
//! code lives in the target directory and is never seen.

#[path = "tidy/arrows.rs"]
mod arrows;
#[path = "tidy/papers.rs"]
mod papers;
#[path = "tidy/planted.rs"]
mod planted;
#[path = "tidy/sizes.rs"]
mod sizes;
#[path = "tidy/source.rs"]
mod source;
#[path = "tidy/words.rs"]
mod words;

use source::{Source, repository, sources, texts};

/// What a rule found, as `path:line: sentence`.
type Finding = String;

fn none(findings: Vec<Finding>) {
    assert!(findings.is_empty(), "{} to put right:\n{}\n", findings.len(), findings.join("\n"));
}

fn every(rule: impl Fn(&Source) -> Vec<Finding>) {
    none(sources().iter().flat_map(rule).collect());
}

#[test]
fn crates_depend_along_the_arrows() {
    none(texts("Cargo.toml").iter().flat_map(|(path, text)| arrows::between_crates(path, text)).collect());
}

#[test]
fn modules_of_the_daemon_import_along_the_arrows() {
    every(arrows::between_modules);
}

#[test]
fn each_engine_is_seen_by_its_adapter_alone() {
    every(arrows::to_engines);
}

#[test]
fn the_state_is_pure() {
    every(arrows::out_of_the_state);
}

#[test]
fn files_are_short() {
    for (path, lines) in sizes::long_files(&sources()) {
        println!("{path}: {lines} lines, {} is long", sizes::FILE_LINES_LONG);
    }
    every(sizes::file);
}

#[test]
fn functions_are_short() {
    every(sizes::functions);
}

#[test]
fn lines_are_short() {
    every(sizes::lines);
}

#[test]
fn nothing_banned_is_written() {
    every(words::banned);
}

#[test]
fn tests_wait_for_conditions() {
    every(words::sleeping);
}

#[test]
fn modules_have_names_that_say_something() {
    every(words::module_names);
}

#[test]
fn no_path_belongs_to_one_machine() {
    none(texts("").iter().flat_map(|(path, text)| words::machine_paths(path, text)).collect());
}

#[test]
fn every_script_is_executed() {
    none(papers::scripts(&texts(".txt"), &sources()));
}

#[test]
fn every_golden_file_is_compared() {
    none(papers::golden(&repository(), &sources()));
}

#[test]
fn every_target_is_documented() {
    none(papers::targets(&papers::read("Makefile")));
}

#[test]
fn nobody_but_the_simulation_asks_for_bugs() {
    none(texts("Cargo.toml").iter().flat_map(|(path, text)| planted::asked_for(path, text)).collect());
}

#[test]
fn no_shipped_binary_holds_a_bug_on_purpose() {
    none(planted::shipped(&papers::read("Makefile")));
}

#[test]
fn every_link_leads_somewhere() {
    none(texts(".md").iter().flat_map(|(path, text)| papers::links(&repository(), path, text)).collect());
}

#[test]
fn every_command_in_the_readme_exists() {
    none(papers::commands(&papers::read("README.md"), &papers::read("Makefile")));
}
