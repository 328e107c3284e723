//! Every way in which a file can be other than what was written.

use std::fs;
use std::path::{Path, PathBuf};

use keeper_registry::{Command, Level, LogTime, PresenceLimits, Revision, Stamp, State, StateId};

use super::file::front;
use super::*;
use crate::codec::record;
use crate::store::snapshot::{Damage, SnapshotError, SnapshotStore};

const REVISION: u64 = 42;

fn head(snapshot_bytes: u64) -> Head {
    Head {
        cluster: "prod".to_owned(),
        node: 2,
        program: "0.1.0".to_owned(),
        level: Level::FIRST,
        taken_at_ms: 1_700_000_000_000,
        state: StateId(0xFEED),
        revision: Revision(REVISION),
        time: LogTime(1_699_999_999_000),
        sessions: 0,
        snapshot_bytes,
    }
}

fn state() -> State {
    let mut state = State::new(PresenceLimits::default());
    let at = Stamp { revision: Revision(REVISION), time: LogTime(1_699_999_999_000) };
    state.apply(at, &Command::Found(StateId(0xFEED))).reply.expect("a new state");
    state
}

/// A backup of a small state, as its bytes, and where its snapshot begins.
fn backup(folder: &Path) -> (Vec<u8>, u64) {
    let store = SnapshotStore::open(folder).expect("a folder");
    let mut writer = store.create(REVISION, b"who belongs to the group").expect("a writer");
    record::write(state().freeze(), |part| {
        writer.write(&u32::try_from(part.len()).expect("a small state").to_be_bytes())?;
        writer.write(&part)
    })
    .expect("a write");
    let snapshot = writer.finish().expect("a snapshot");
    let front = front(&head(snapshot.size_bytes()));
    let bytes = [&front[..], &fs::read(snapshot.path()).expect("its bytes")].concat();
    (bytes, front.len() as u64)
}

struct Fixture {
    folder: tempfile::TempDir,
    bytes: Vec<u8>,
    begin: u64,
}

impl Fixture {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (bytes, begin) = backup(folder.path());
        Self { folder, bytes, begin }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("prod.backup")
    }

    /// Opens and verifies a file of these bytes.
    fn check(&self, bytes: &[u8]) -> Result<Head, BackupError> {
        fs::write(self.path(), bytes).expect("a write");
        let backup = BackupFile::open(&self.path())?;
        backup.verify()?;
        Ok(backup.head().clone())
    }
}

/// Where an error says that the file is damaged.
fn place(error: &BackupError) -> Option<u64> {
    match error {
        BackupError::Damaged { offset, .. } | BackupError::Snapshot(SnapshotError::Damaged { offset, .. }) => {
            Some(*offset)
        }
        BackupError::Read { .. }
        | BackupError::Foreign { .. }
        | BackupError::Format { .. }
        | BackupError::Head { .. }
        | BackupError::Snapshot(_)
        | BackupError::Mismatch { .. }
        | BackupError::Level { .. }
        | BackupError::State(_) => None,
    }
}

#[test]
fn a_backup_is_read_as_it_was_written() {
    let fixture = Fixture::new();
    let found = fixture.check(&fixture.bytes).expect("a whole backup");
    assert_eq!(found, head(fixture.bytes.len() as u64 - fixture.begin));
    let contents = BackupFile::open(&fixture.path()).and_then(|backup| backup.contents()).expect("a state");
    assert_eq!(contents, Contents { sessions_live: 0, instances: 0, configs: 0, hash: state().hash() });
}

#[test]
fn a_backup_that_was_cut_is_refused_with_the_place() {
    let fixture = Fixture::new();
    for length in 0..fixture.bytes.len() {
        let error = fixture.check(&fixture.bytes[..length]).expect_err("it was cut");
        if length == 0 {
            assert!(matches!(error, BackupError::Foreign { .. }), "{error}");
            continue;
        }
        let offset = place(&error).unwrap_or_else(|| panic!("cut at {length}: {error}"));
        assert!(offset <= length as u64, "cut at {length}, found at {offset}");
        assert!(error.to_string().ends_with("it ends too early"), "cut at {length}: {error}");
    }
}

#[test]
fn every_flipped_bit_is_found_and_its_place_named() {
    let fixture = Fixture::new();
    for at in 0..fixture.bytes.len() {
        for bit in 0..8 {
            let mut bytes = fixture.bytes.clone();
            bytes[at] ^= 1 << bit;
            let error = fixture.check(&bytes).expect_err("a bit was flipped");
            let at = at as u64;
            let Some(offset) = place(&error) else {
                // Magic and version, of the file and of the snapshot in it.
                assert!(at < 9 || at == fixture.begin + 8, "bit {bit} of {at}: {error}");
                continue;
            };
            // A length that is too long for the whole file shows at its end.
            let is_length = (9..13).contains(&at) && offset == fixture.bytes.len() as u64;
            let is_near = (at < fixture.begin) == (offset < fixture.begin);
            assert!(is_length || is_near, "bit {bit} of {at}, found at {offset}: {error}");
        }
    }
}

#[test]
fn what_follows_the_end_is_damage() {
    let fixture = Fixture::new();
    let error = fixture.check(&[&fixture.bytes[..], b"x"].concat()).expect_err("something was added");
    let end = fixture.bytes.len() as u64;
    let BackupError::Snapshot(SnapshotError::Damaged { offset, damage, .. }) = error else { panic!("{error}") };
    assert_eq!((offset, damage), (end, Damage::Trailing));
}

#[test]
fn a_file_that_is_something_else_is_no_backup() {
    let fixture = Fixture::new();
    let snapshot = &fixture.bytes[fixture.begin as usize..];
    for foreign in [&b"no"[..], b"keeper data directory\n", snapshot] {
        let error = fixture.check(foreign).expect_err("something else");
        assert!(matches!(error, BackupError::Foreign { .. }), "{error}");
    }
    let missing = BackupFile::open(&fixture.folder.path().join("none")).expect_err("it is not there");
    assert!(missing.is_unreadable(), "{missing}");
}

#[test]
fn a_head_of_another_state_is_found() {
    let fixture = Fixture::new();
    let other = front(&Head { revision: Revision(REVISION + 1), ..head(1) });
    let error = fixture.check(&[&other[..], &fixture.bytes[fixture.begin as usize..]].concat());
    assert!(matches!(error, Err(BackupError::Mismatch { head: 43, snapshot: 42, .. })), "{error:?}");
}

/// A change of these bytes breaks every backup there is: add a version instead.
#[test]
fn the_front_of_a_backup_is_that_of_every_earlier_build() {
    let written = front(&head(9)).iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/backup_1.txt");
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, format!("front {written}\n")).expect("the golden file is written");
    }
    assert_eq!(fs::read_to_string(path).expect("the golden file"), format!("front {written}\n"));
}
