use std::fs;

use super::*;

/// An agent's work in a folder of its own, for documents that are called like their files.
struct Work {
    folder: tempfile::TempDir,
    job: Job,
}

impl Work {
    fn of(names: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let kept = |name: &&str| Kept { path: (*name).into(), file: folder.path().join(name), format: Format::Toml };
        let job = Job::new(names.iter().map(kept).collect(), Some("true".into()));
        Self { folder, job }
    }

    fn hear(&mut self, revision: u64, names: &[&str]) {
        let document = |name: &&str| EffectiveDocument {
            path: (*name).into(),
            revision,
            canonical: Vec::new().into(),
            deleted: false,
            rollout: None,
        };
        let documents = names.iter().map(document).collect();
        let gone = self.job.hear(EffectiveChanged { revision, state_id: 1, reset: false, documents });
        assert_eq!(gone, [""; 0]);
    }

    fn texts(&self, names: &[&str], text: &str) -> Together {
        let one = |name: &&str| {
            let file = self.folder.path().join(name);
            ((*name).to_owned(), Text { target: file.clone(), file, text: text.into() })
        };
        let paths = names.iter().map(|&name| name.to_owned()).collect();
        Together { paths, texts: names.iter().map(one).collect(), failures: Vec::new() }
    }

    /// The names of what would be told.
    fn to_tell(&self) -> Vec<String> {
        let name = |file: &PathBuf| file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        self.job.to_tell().iter().map(name).collect()
    }

    fn holds(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.folder.path().join(name)).ok()
    }
}

#[test]
fn what_cannot_be_written_holds_back_its_own_publish_alone() {
    let mut work = Work::of(&["a", "b", "c"]);
    work.hear(7, &["a", "b"]);
    work.hear(8, &["c"]);
    let mut first = work.texts(&["b"], "new");
    first.paths.insert("a".into());
    first.failures.push(Failure::refused("a cannot be written as toml: it holds a null"));
    let (lines, failures) = work.job.replace(7, first);
    assert_eq!((lines.len(), failures.len(), work.holds("b")), (0, 1, None));
    assert_eq!(failures[0].remedies, ["what was published together is held back together: a,b"]);
    let second = work.texts(&["c"], "new");
    let (lines, failures) = work.job.replace(8, second);
    assert_eq!((lines.len(), failures.len(), work.holds("c")), (1, 0, Some("new".into())));
    assert_eq!(work.to_tell(), ["c"]);
    assert_eq!(work.job.pending.keys().collect::<Vec<_>>(), ["a", "b"], "they are tried again");
}

#[test]
fn a_file_that_cannot_be_made_holds_back_its_own_publish_alone() {
    let mut work = Work::of(&["no/folder", "b", "c"]);
    work.hear(7, &["no/folder", "b"]);
    work.hear(8, &["c"]);
    let (first, second) = (work.texts(&["b", "no/folder"], "new"), work.texts(&["c"], "new"));
    let (lines, failures) = work.job.replace(7, first);
    assert_eq!((lines.len(), failures.len(), work.holds("b")), (0, 1, None));
    let names: Vec<_> = fs::read_dir(work.folder.path()).expect("ours").collect();
    assert_eq!(names.len(), 0, "no text stays beside a file");
    assert_eq!(work.job.replace(8, second).1, []);
    assert_eq!(work.to_tell(), ["c"]);
}

/// A publish of which one file is replaced and the other is not: something stands in its place since it was written.
fn half(work: &mut Work) {
    work.hear(7, &["a", "b"]);
    let texts = work.texts(&["a", "b"], "new").texts;
    let fresh = texts.into_iter().map(|(path, text)| (path, text.write().expect("room for it"))).collect();
    fs::create_dir(work.folder.path().join("b")).expect("room for it");
    let mut failures = Vec::new();
    let lines = work.job.place(7, fresh, &mut failures);
    assert_eq!((lines.len(), failures.len()), (1, 1), "{failures:?}");
    assert_eq!(work.holds("a").as_deref(), Some("new"));
    assert_eq!(work.to_tell(), [""; 0], "half a publish is told to nobody");
}

#[test]
fn after_a_rename_that_failed_the_command_hears_of_the_whole_publish_once() {
    let mut work = Work::of(&["a", "b", "c"]);
    half(&mut work);
    work.hear(8, &["c"]);
    let other = work.texts(&["c"], "new");
    assert_eq!(work.job.replace(8, other).1, []);
    assert_eq!(work.to_tell(), ["c"], "another publish waits for nothing");
    work.job.untold.retain(|file, _| !file.ends_with("c"));
    fs::remove_dir(work.folder.path().join("b")).expect("empty");
    let again = work.texts(&["a", "b"], "new");
    let (lines, failures) = work.job.replace(7, again);
    assert_eq!((lines.len(), failures.len()), (1, 0), "a is there already");
    assert_eq!(work.to_tell(), ["a", "b"]);
}

#[test]
fn what_is_published_anew_makes_half_a_publish_whole() {
    let mut work = Work::of(&["a", "b"]);
    half(&mut work);
    fs::remove_dir(work.folder.path().join("b")).expect("empty");
    work.hear(9, &["b"]);
    let newer = work.texts(&["b"], "newer");
    assert_eq!(work.job.replace(9, newer).1, []);
    // What is left of the first is there already.
    let rest = work.texts(&["a"], "new");
    assert_eq!(work.job.replace(7, rest).1, []);
    assert_eq!(work.to_tell(), ["a", "b"]);
}

#[test]
fn who_died_before_the_command_ran_leaves_what_is_to_be_told() {
    let mut work = Work::of(&["a", "b", "c"]);
    half(&mut work);
    let mut next = Work { job: Job::new(work.job.kept.clone(), Some("true".into())), folder: work.folder };
    assert_eq!(next.to_tell(), [""; 0]);
    assert!(!next.job.has_heard(), "nothing is told before a node has said where the documents stand");
    next.hear(7, &["a", "b"]);
    assert_eq!(next.to_tell(), [""; 0], "b is still to be replaced");
    fs::remove_dir(next.folder.path().join("b")).expect("empty");
    let again = next.texts(&["a", "b"], "new");
    assert_eq!(next.job.replace(7, again).1, []);
    assert_eq!(next.to_tell(), ["a", "b"]);
    let files = next.job.to_tell();
    next.job.told(&files).expect("ours");
    let mut last = Work { job: Job::new(next.job.kept.clone(), Some("true".into())), folder: next.folder };
    last.hear(7, &["a", "b", "c"]);
    assert_eq!(last.to_tell(), [""; 0], "it was told");
}

#[test]
fn all_failures_are_told() {
    let one = Failure::refused("a").remedy("together");
    let two = Failure::failed("b").remedy("together");
    let all = all_of(vec![one, two]).expect_err("two");
    assert_eq!((all.message.as_str(), all.remedies), ("a", vec!["together".to_owned(), "error: b".to_owned()]));
    assert_eq!(all_of(Vec::new()), Ok(()));
}
