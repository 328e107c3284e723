//! What is written beside the code is true: scripts run, golden files are compared, targets are documented, links and
//! commands lead somewhere.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    Finding,
    source::{Source, repository},
};

/// Targets that are not for people: a step of others.
const TARGETS_UNDOCUMENTED: [&str; 1] = ["setup"];

pub(crate) fn read(path: &str) -> String {
    fs::read_to_string(repository().join(path)).unwrap_or_else(|error| panic!("reading {path}: {error}"))
}

/// A script test runs by lying in a folder that a test of its crate reads as a whole.
pub(crate) fn scripts(texts: &[(String, String)], sources: &[Source]) -> Vec<Finding> {
    let mut scripts = texts.iter().filter(|(path, _)| path.contains("/scripts/")).map(|(path, _)| path).peekable();
    if scripts.peek().is_none() {
        return vec!["there is no script test".to_owned()];
    }
    let run = |path: &str| {
        let (folder, _) = path.rsplit_once('/').unwrap_or_default();
        let (owner, inside) = folder.split_once('/').unwrap_or_default();
        let reads = |source: &Source| source.words("read_dir").next().is_some() && source.text.contains(inside);
        sources.iter().any(|source| source.path.starts_with(&format!("{owner}/")) && reads(source))
    };
    scripts.filter(|path| !run(path)).map(|path| format!("{path}: no test reads its folder")).collect()
}

/// Golden bytes are kept for ever and compared by the test that names them.
pub(crate) fn golden(root: &Path, sources: &[Source]) -> Vec<Finding> {
    let folder = root.join("keeper/tests/golden");
    let files = fs::read_dir(&folder).into_iter().flatten().filter_map(Result::ok);
    let mut names = files.map(|file| file.file_name().to_string_lossy().into_owned()).peekable();
    if names.peek().is_none() {
        return vec!["keeper/tests/golden: the bytes of every format on disk and between nodes belong here".to_owned()];
    }
    names.filter(|name| !is_named(name, sources)).map(|name| format!("golden/{name}: no test names it")).collect()
}

fn is_named(file: &str, sources: &[Source]) -> bool {
    let (stem, _) = file.split_once('.').unwrap_or((file, ""));
    let quoted = format!("\"{stem}\"");
    sources.iter().any(|source| source.text.contains(&quoted) || source.text.contains(file))
}

/// Every target of the Makefile says what it makes, after `##`, which is what `make help` prints.
pub(crate) fn targets(makefile: &str) -> Vec<Finding> {
    let undocumented = names(makefile).filter(|(_, documented)| !documented).map(|(name, _)| name);
    undocumented
        .filter(|name| !TARGETS_UNDOCUMENTED.contains(name))
        .map(|name| format!("Makefile: {name} does not say what it makes, after ##"))
        .collect()
}

/// The targets, and whether each is documented.
fn names(makefile: &str) -> impl Iterator<Item = (&str, bool)> {
    let rules = makefile.lines().filter(|line| line.starts_with(|first: char| first.is_ascii_lowercase()));
    rules.filter_map(|line| {
        let (name, rest) = line.split_once(':')?;
        let target = name.chars().all(|symbol| symbol.is_ascii_lowercase() || symbol == '-') && !rest.starts_with('=');
        target.then_some((name, rest.contains("## ")))
    })
}

/// Every relative link of a page names a file that exists.
pub(crate) fn links(root: &Path, page: &str, text: &str) -> Vec<Finding> {
    let folder = page.rsplit_once('/').map_or("", |(folder, _)| folder);
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next());
    targets
        .filter(|target| !target.is_empty() && !target.contains("://") && !target.contains(char::is_whitespace))
        .filter(|target| !root.join(folder).join(target).exists())
        .map(|target| format!("{page}: the link to {target} leads nowhere"))
        .collect()
}

/// Every `$ command` of a page is a target of the Makefile, or understood by the binary it names.
pub(crate) fn commands(page: &str, makefile: &str) -> Vec<Finding> {
    let lines = page.lines().filter_map(|line| line.trim().strip_prefix("$ "));
    let sound = |line: &str| match line.strip_prefix("make ") {
        Some(targets) => targets.split_whitespace().all(|target| is_target(target, makefile)),
        None => !line.split_whitespace().any(is_ours) || is_understood(line),
    };
    lines.filter(|line| !sound(line)).map(|line| format!("README.md: `{line}` would not run")).collect()
}

fn is_target(argument: &str, makefile: &str) -> bool {
    argument.contains('=') || names(makefile).any(|(name, _)| name == argument)
}

fn is_ours(word: &str) -> bool {
    word == "keeperctl" || word == "keeper" || word.starts_with("keeper-")
}

/// Whether a shell finds the binary, built beside this test, and the binary parses its arguments: `--help` stops it
/// before it acts.
fn is_understood(line: &str) -> bool {
    let path = format!("{}:{}", target_folder().display(), env::var("PATH").unwrap_or_default());
    let output = Command::new("sh").arg("-c").arg(format!("{line} --help")).env("PATH", path).output();
    output.is_ok_and(|output| output.status.success())
}

pub(crate) fn target_folder() -> PathBuf {
    let test = env::current_exe().expect("a running test has a path");
    test.parent().and_then(Path::parent).map(Path::to_path_buf).expect("a test lies in target/<profile>/deps")
}

#[test]
fn a_script_nobody_runs_is_found() {
    let texts = [("registry/tests/scripts/a.txt".to_owned(), String::new())];
    let runner = Source::new("registry/tests/scripts.rs", "fn a() { read_dir(\"tests/scripts\") }");
    assert_eq!(scripts(&texts, &[runner]), [""; 0]);
    assert_eq!(scripts(&texts, &[]), ["registry/tests/scripts/a.txt: no test reads its folder"]);
    assert_eq!(scripts(&[], &[]), ["there is no script test"]);
}

#[test]
fn a_golden_file_nobody_compares_is_found() {
    assert!(is_named("entry.hex", &[Source::new("a.rs", "golden(\"entry\", bytes)")]));
    assert!(!is_named("entry.hex", &[Source::new("a.rs", "golden(\"entry_v2\", bytes)")]));
    assert_eq!(golden(Path::new("nowhere"), &[]).len(), 1);
}

#[test]
fn an_undocumented_target_is_found() {
    let makefile = "SHELL := bash\ntest: setup ## Every test\nsetup:\n\trun\nflash:\n";
    assert_eq!(targets(makefile), ["Makefile: flash does not say what it makes, after ##"]);
}

#[test]
fn a_dead_link_is_found() {
    let page = "[a](../Makefile) [b](gone.md#part) [c](https://example.com) [d](#here)";
    assert_eq!(links(&repository(), "docs/a.md", page), ["docs/a.md: the link to gone.md leads nowhere"]);
}

#[test]
fn an_unknown_command_is_found() {
    let page = "```\n$ make test\n$ make flash\n$ keeper-gone --fast\n$ ls\n```";
    assert_eq!(
        commands(page, "test: ## Every test\n"),
        ["README.md: `make flash` would not run", "README.md: `keeper-gone --fast` would not run"]
    );
}
