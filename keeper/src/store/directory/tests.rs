use super::*;

fn identity(cluster: &str, node_id: u64) -> Identity {
    Identity { cluster: cluster.into(), node_id, created_at_ms: 1_700_000_000_000, disk_id: 5 }
}

fn open(path: &Path, cluster: &str, node_id: u64) -> Result<DataDirectory, String> {
    DataDirectory::open(path, &identity(cluster, node_id))
        .map_err(|error| error.to_string().replace(&path.display().to_string(), "DIR"))
}

fn fresh() -> tempfile::TempDir {
    tempfile::tempdir().expect("a directory")
}

#[test]
fn a_directory_is_opened_again_by_its_node() {
    let root = fresh();
    let path = root.path().join("deep/below");
    let first = open(&path, "prod", 3).expect("an empty directory is taken");
    assert!(first.log().is_dir() && first.snapshots().is_dir());
    drop(first);
    let later = Identity { created_at_ms: 9, disk_id: 6, ..identity("prod", 3) };
    let again = DataDirectory::open(&path, &later).expect("its own directory");
    assert_eq!(again.identity(), &identity("prod", 3), "the identity is written once");
}

#[test]
fn a_directory_of_another_is_refused_with_both_names() {
    let root = fresh();
    drop(open(root.path(), "prod", 3));
    let node = open(root.path(), "prod", 4).expect("its number is its own, whatever the settings say");
    assert_eq!(node.identity().node_id, 3);
    drop(node);
    let cluster = open(root.path(), "test", 3).expect_err("another cluster");
    assert_eq!(cluster, "data directory DIR belongs to cluster `prod`, not to `test`");
}

#[test]
fn an_empty_directory_is_given_its_number_later() {
    let root = fresh();
    let unnumbered = open(root.path(), "prod", 0).expect("an empty directory is taken");
    unnumbered.renumber(7).expect("a write");
    drop(unnumbered);
    let numbered = open(root.path(), "prod", 0).expect("its own directory");
    assert_eq!(numbered.identity(), &identity("prod", 7));
}

#[test]
fn a_newer_format_is_refused_with_the_release_that_reads_it() {
    let root = fresh();
    drop(open(root.path(), "prod", 3));
    let newer = "keeper data directory\nformat 3\nneeds 9.1.0\nsomething else\n";
    fs::write(root.path().join(IDENTITY), newer).expect("a write");
    let refused = open(root.path(), "prod", 3).expect_err("a newer format");
    let version = env!("CARGO_PKG_VERSION");
    let expected =
        format!("data directory DIR has format 3; this keeper {version} reads 1 to 2: run keeper 9.1.0 or newer");
    assert_eq!(refused, expected);
    assert_eq!(fs::read_to_string(root.path().join(IDENTITY)).expect("the identity"), newer, "it was not touched");
}

#[test]
fn a_directory_is_as_the_first_release_reads_it_until_the_level_rises() {
    let root = fresh();
    // The first release stops reading before the checksum.
    let text = || {
        let text = fs::read_to_string(root.path().join(IDENTITY)).expect("the identity");
        text.split_once("checksum ").expect("its checksum").0.to_owned()
    };
    let first = "keeper data directory\nformat 1\ncluster prod\nnode 3\ncreated_at_ms 1700000000000\n\
                 disk 0000000000000005\n";
    let directory = open(root.path(), "prod", 3).expect("an empty directory");
    assert_eq!((text().as_str(), directory.stage().level), (first, Level::FIRST));
    directory.raise(Level::NAMED).expect("a write");
    drop(directory);
    let named = "keeper data directory\nformat 2\nneeds 0.2.0\nlevel 2\ncluster prod\nnode 3\n\
                 created_at_ms 1700000000000\ndisk 0000000000000005\n";
    assert_eq!(text(), named);
    let again = open(root.path(), "prod", 3).expect("its own directory");
    assert_eq!(again.stage(), &Stage { level: Level::NAMED, needs: "0.2.0".to_owned() });
    assert_eq!(again.identity(), &identity("prod", 3));
}

#[test]
fn a_directory_of_other_files_is_refused_and_left_alone() {
    let root = fresh();
    fs::write(root.path().join("holiday.jpg"), "").expect("a write");
    let refused = open(root.path(), "prod", 3).expect_err("not a data directory");
    let said = "DIR is not a Keeper data directory: it holds holiday.jpg and no identity; name an empty one";
    assert_eq!(refused, said);
    assert_eq!(fs::read_dir(root.path()).expect("its files").count(), 1, "nothing was added");
}

#[test]
fn a_start_that_was_interrupted_is_no_obstacle() {
    let root = fresh();
    fs::write(root.path().join(LOCK), "77").expect("a write");
    fs::write(root.path().join(IDENTITY_UNFINISHED), "keeper da").expect("a write");
    assert!(open(root.path(), "prod", 3).is_ok());
}

#[test]
fn a_second_process_is_told_who_has_it() {
    let root = fresh();
    let first = open(root.path(), "prod", 3).expect("a directory");
    let refused = open(root.path(), "prod", 3).expect_err("it is open");
    let pid = std::process::id();
    assert_eq!(refused, format!("data directory DIR is in use by process {pid}: stop that one first"));
    drop(first);
    assert!(open(root.path(), "prod", 3).is_ok());
}

#[test]
fn a_damaged_identity_is_never_replaced() {
    let root = fresh();
    drop(open(root.path(), "prod", 3));
    let whole = fs::read_to_string(root.path().join(IDENTITY)).expect("the identity");
    let of_first_release = whole.find("checksum ").expect("its checksum");
    for length in (0..whole.len()).filter(|length| *length != of_first_release) {
        fs::write(root.path().join(IDENTITY), &whole[..length]).expect("a write");
        let refused = open(root.path(), "prod", 3).expect_err("a cut identity");
        assert!(refused.contains("identity in DIR is damaged"), "cut at {length}: {refused}");
    }
}

#[test]
fn only_the_first_release_may_leave_out_the_checksum() {
    let root = fresh();
    let directory = open(root.path(), "prod", 3).expect("an empty directory");
    let without_checksum = || {
        let text = fs::read_to_string(root.path().join(IDENTITY)).expect("the identity");
        let body = text.split_once("checksum ").expect("its checksum").0;
        fs::write(root.path().join(IDENTITY), body).expect("a write");
    };
    without_checksum();
    drop(directory);
    let directory = open(root.path(), "prod", 3).expect("as the first release wrote it");
    directory.raise(Level::NAMED).expect("a write");
    drop(directory);
    without_checksum();
    let refused = open(root.path(), "prod", 3).expect_err("no checksum");
    assert!(refused.contains("damaged: its checksum is missing;"), "{refused}");
}

#[test]
fn an_identity_with_a_flipped_bit_is_damaged() {
    let root = fresh();
    drop(open(root.path(), "prod", 3));
    let whole = fs::read(root.path().join(IDENTITY)).expect("the identity");
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        fs::write(root.path().join(IDENTITY), &bytes).expect("a write");
        let refused = open(root.path(), "prod", 3).expect_err("a damaged identity");
        let expected = refused.contains("identity in DIR is damaged") || refused.contains("has format");
        assert!(expected, "byte {at} flipped: {refused}");
    }
}

#[test]
fn a_full_disk_is_refused_with_what_is_missing() {
    let root = fresh();
    let refused = refuse_full(root.path(), u64::MAX).expect_err("no disk is that large");
    assert!(matches!(refused, DirectoryError::Full { needed_kib: 18_014_398_509_481_983, .. }), "{refused}");
}

#[test]
fn a_place_that_cannot_be_written_is_named() {
    let refused = open(Path::new("/dev/null/data"), "prod", 3).expect_err("not a directory");
    assert_eq!(refused, "data directory DIR cannot be written");
}

#[test]
fn a_directory_that_lost_its_mark_is_not_taken_for_a_new_one() {
    let root = fresh();
    drop(open(root.path(), "prod", 3));
    fs::remove_file(root.path().join(MARK)).expect("a mark");
    let refused = open(root.path(), "prod", 3).expect_err("what it promised is unknown");
    assert!(refused.contains("mark is missing from data directory DIR"), "{refused}");
}
