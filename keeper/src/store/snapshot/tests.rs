use std::fs;

use super::*;

const META: &[u8] = b"everything up to 42";

fn payload() -> Vec<u8> {
    (0..CHUNK_BYTES_MAX + 5_000).map(|byte| (byte % 251) as u8).collect()
}

fn fresh() -> (tempfile::TempDir, SnapshotStore) {
    let directory = tempfile::tempdir().expect("a directory");
    let store = SnapshotStore::open(directory.path()).expect("a store");
    (directory, store)
}

fn written(store: &SnapshotStore, index: u64, payload: &[u8]) -> SnapshotFile {
    let mut writer = store.create(index, META).expect("a writer");
    writer.write(payload).expect("a write");
    writer.finish().expect("a snapshot")
}

fn read(file: &SnapshotFile) -> Vec<u8> {
    let chunks: Result<Vec<_>, _> = file.read().expect("a reader").collect();
    chunks.expect("whole chunks").concat()
}

fn pieces(file: &SnapshotFile) -> Vec<Vec<u8>> {
    let mut pieces = vec![];
    let mut at = 0;
    loop {
        let piece = file.read_raw(at, 100_000).expect("its bytes");
        if piece.is_empty() {
            return pieces;
        }
        at += piece.len() as u64;
        pieces.push(piece.into());
    }
}

fn names(directory: &tempfile::TempDir) -> Vec<String> {
    let entries = fs::read_dir(directory.path()).expect("a directory");
    let mut names: Vec<_> =
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn a_snapshot_is_read_as_it_was_written() {
    let (_directory, store) = fresh();
    let file = written(&store, 42, &payload());
    assert_eq!(read(&file), payload());
    let newest = store.newest().expect("a store").expect("a snapshot");
    assert_eq!((newest.index(), &newest.meta()[..], newest.path()), (42, META, file.path()));
    assert_eq!(file.size_bytes(), fs::metadata(file.path()).expect("a file").len());
    assert!(read(&written(&store, 43, &[])).is_empty());
}

#[test]
fn the_newest_is_kept_and_the_unfinished_removed() {
    let (directory, store) = fresh();
    for index in [9, 100] {
        written(&store, index, b"state");
    }
    drop(store.create(101, &[]).expect("a writer"));
    assert_eq!(names(&directory), ["00000000000000000009.snapshot", "00000000000000000100.snapshot"]);
    fs::write(directory.path().join("00000000000000000200-0.unfinished"), "half").expect("a write");
    let store = SnapshotStore::open(directory.path()).expect("a store");
    store.remove_older(100).expect("a removal");
    assert_eq!(names(&directory), ["00000000000000000100.snapshot"]);
    assert_eq!(store.newest().expect("a store").map(|file| file.index()), Some(100));
}

#[test]
fn a_snapshot_removed_while_it_is_sent_is_sent_whole() {
    let (_directory, store) = fresh();
    let file = written(&store, 9, &payload());
    let sent = fs::read(file.path()).expect("its bytes");
    store.remove_older(10).expect("a removal");
    assert_eq!(pieces(&file).concat(), sent);
    assert_eq!(read(&file), payload());
}

#[test]
fn a_received_snapshot_is_the_one_that_was_sent() {
    let (_here, sender) = fresh();
    let (there, store) = fresh();
    let sent = written(&sender, 42, &payload());
    let mut receiver = store.receive().expect("a receiver");
    for piece in pieces(&sent) {
        receiver.write(&piece).expect("a write");
        assert!(store.newest().expect("a store").is_none(), "nothing is visible before it is whole");
    }
    assert_eq!(receiver.received_bytes(), sent.size_bytes());
    let received = receiver.finish().expect("a snapshot");
    assert_eq!(read(&received), payload());
    assert_eq!((received.index(), received.meta()), (42, sent.meta()));
    assert_eq!(names(&there).len(), 1);
}

#[test]
fn a_stream_that_was_cut_or_changed_is_refused_and_leaves_nothing() {
    let (_here, sender) = fresh();
    let (there, store) = fresh();
    let bytes = fs::read(written(&sender, 42, b"the state").path()).expect("its bytes");
    for cut in 0..bytes.len() {
        let mut receiver = store.receive().expect("a receiver");
        receiver.write(&bytes[..cut]).expect("a write");
        let refused = receiver.finish().expect_err("it was cut");
        let SnapshotError::Damaged { damage: Damage::Short, offset, .. } = refused else { panic!("{refused}") };
        assert!(offset <= cut as u64);
    }
    assert!(names(&there).is_empty());
}

#[test]
fn every_flipped_byte_is_found_and_its_place_named() {
    let (directory, store) = fresh();
    let file = written(&store, 42, b"the state of everything");
    let whole = fs::read(file.path()).expect("its bytes");
    let chunk = (MAGIC.len() + 1 + 8 + 4 + META.len() + 4) as u64;
    let end = whole.len() as u64 - 24;
    for at in 0..whole.len() {
        for bit in 0..8 {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << bit;
            fs::write(file.path(), bytes).expect("a write");
            let error = store.newest().expect_err("it is damaged");
            if let SnapshotError::Format { found, .. } = error {
                assert_eq!((at, found), (MAGIC.len(), VERSION ^ 1 << bit));
                continue;
            }
            let SnapshotError::Damaged { path, offset, damage } = &error else { panic!("{error}") };
            assert_eq!(path, file.path());
            let region = match at as u64 {
                byte if byte < chunk => 0..chunk,
                byte if byte < end => chunk..end + 24,
                _ => end..end + 25,
            };
            assert!(region.contains(offset), "byte {at} was flipped, {damage:?} found at {offset}");
        }
    }
    drop(directory);
}

#[test]
fn what_was_cut_off_or_added_is_found() {
    let (_directory, store) = fresh();
    let file = written(&store, 42, b"the state of everything");
    let whole = fs::read(file.path()).expect("its bytes");
    for length in 0..whole.len() {
        fs::write(file.path(), &whole[..length]).expect("a write");
        let error = store.newest().expect_err("it is short").to_string();
        assert!(error.ends_with("it ends too early"), "{error}");
    }
    fs::write(file.path(), [&whole[..], b"x"].concat()).expect("a write");
    let error = store.newest().expect_err("it is long").to_string();
    let said = format!("is damaged at byte {}: something follows its end", whole.len());
    assert!(error.ends_with(&said), "{error}");
}

#[test]
fn chunks_that_changed_places_are_found() {
    let (_directory, store) = fresh();
    let mut writer = store.create(42, &[]).expect("a writer");
    for chunk in [b"first", b"other"] {
        writer.write(chunk).expect("a write");
    }
    let file = writer.finish().expect("a snapshot");
    let mut bytes = fs::read(file.path()).expect("its bytes");
    let begin = MAGIC.len() + 1 + 8 + 4 + 4;
    bytes[begin..begin + 26].rotate_left(13);
    fs::write(file.path(), bytes).expect("a write");
    let error = store.newest().expect_err("the chunks changed places");
    assert!(matches!(error, SnapshotError::Damaged { damage: Damage::Chunk(0), .. }), "{error}");
}
