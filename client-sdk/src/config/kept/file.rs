//! The file: three lines, of which the first says what it is and checks the rest.
//!
//! ```text
//! keeper last-known-good 1 crc32c=9ae0daaf
//! {"confirmed_at_ms":1795361762345,"id":"room-1","path":"push/room.toml","revision":412,"rollout":0,"service":"room"}
//! {"greeting":"hi","max_inflight":64}
//! ```

use std::{
    fs::{self, File},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{Keep, Kept, KeptProblem};
use crate::{Error, config::from_proto, limits};

const MAGIC: &str = "keeper last-known-good 1 crc32c=";

/// What is said about the value.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    confirmed_at_ms: u64,
    id: String,
    path: String,
    revision: u64,
    rollout: u64,
    service: String,
}

/// A value that is to be on disk.
#[derive(Debug, Clone)]
pub(crate) struct Save {
    keep: Arc<Keep>,
    revision: u64,
    rollout: Option<u64>,
    canonical: Bytes,
}

impl Save {
    pub(crate) const fn new(keep: Arc<Keep>, revision: u64, rollout: Option<u64>, canonical: Bytes) -> Self {
        Self { keep, revision, rollout, canonical }
    }

    pub(super) fn file(&self) -> &Path {
        &self.keep.file
    }

    /// In the place of what is there. Blocks.
    pub(super) fn write(&self) -> io::Result<()> {
        let Keep { file, path, service, id, .. } = self.keep.as_ref();
        let head = Head {
            confirmed_at_ms: now_ms(),
            id: id.clone(),
            path: path.clone(),
            revision: self.revision,
            rollout: self.rollout.unwrap_or(0),
            service: service.clone(),
        };
        let folder = self.keep.folder();
        fs::create_dir_all(folder)?;
        let beside = beside(file);
        let mut new = private(&beside)?;
        new.write_all(&encode(&head, &self.canonical))?;
        new.sync_all()?;
        fs::rename(&beside, file)?;
        // The new name too is to survive a power cut.
        File::open(folder)?.sync_all()
    }
}

pub(super) fn read(keep: &Keep) -> Result<Option<Kept>, Error> {
    let unreadable = |error: io::Error| keep.problem(KeptProblem::Unreadable, error.to_string());
    let mut text = Vec::new();
    let file = match File::open(&keep.file) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error)),
    };
    file.take(limits::KEPT_BYTES_MAX + 1).read_to_end(&mut text).map_err(unreadable)?;
    let (head, canonical) = decode(&text).map_err(|message| keep.problem(KeptProblem::Damaged, message))?;
    if head.path != keep.path || head.service != keep.service || head.id != keep.id {
        let message = format!("it keeps {} of {:?}/{:?}", head.path, head.service, head.id);
        return Err(keep.problem(KeptProblem::Foreign, message));
    }
    Ok(Some(Kept {
        path: head.path,
        revision: head.revision,
        rollout: from_proto::rollout(head.rollout),
        canonical,
        // A clock that was set back makes nothing younger than now.
        age: Duration::from_millis(now_ms().saturating_sub(head.confirmed_at_ms)),
        file: keep.file.clone(),
    }))
}

fn encode(head: &Head, canonical: &[u8]) -> Vec<u8> {
    let head = serde_json::json!(head).to_string();
    let mut rest = Vec::with_capacity(head.len() + canonical.len() + 2);
    for line in [head.as_bytes(), canonical] {
        rest.extend_from_slice(line);
        rest.push(b'\n');
    }
    let mut text = format!("{MAGIC}{:08x}\n", crc32c::crc32c(&rest)).into_bytes();
    text.append(&mut rest);
    text
}

fn decode(text: &[u8]) -> Result<(Head, Bytes), String> {
    if text.len() as u64 > limits::KEPT_BYTES_MAX {
        return Err(format!("it has more than {} bytes", limits::KEPT_BYTES_MAX));
    }
    let magic = text.strip_prefix(MAGIC.as_bytes()).ok_or("it does not begin as such a file does")?;
    let (sum, rest) = magic.split_at_checked(8).ok_or("it is cut off")?;
    let rest = rest.strip_prefix(b"\n").ok_or("it is cut off")?;
    let wanted = std::str::from_utf8(sum).ok().and_then(|sum| u32::from_str_radix(sum, 16).ok());
    let found = crc32c::crc32c(rest);
    if wanted != Some(found) {
        return Err(format!("its checksum is {found:08x}, not {}", String::from_utf8_lossy(sum)));
    }
    let rest = rest.strip_suffix(b"\n").ok_or("it is cut off")?;
    let end = rest.iter().position(|byte| *byte == b'\n').ok_or("it has no value")?;
    let (head, value) = (&rest[..end], &rest[end + 1..]);
    let head = serde_json::from_slice(head).map_err(|error| format!("its head cannot be read: {error}"))?;
    Ok((head, Bytes::copy_from_slice(value)))
}

fn beside(file: &Path) -> PathBuf {
    file.with_extension("kept.new")
}

/// A new file that nobody else may read.
fn private(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[expect(clippy::disallowed_methods, reason = "the only clock that goes on while no process runs")]
fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Whatever can be read is what was written.
#[cfg(any(test, fuzzing))]
pub(crate) fn fuzz_kept_file(input: &[u8]) {
    if let Ok((head, canonical)) = decode(input) {
        let again = decode(&encode(&head, &canonical));
        assert_eq!(again, Ok((head, canonical)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{LastKnownGood, Reader};

    fn keep(folder: &Path) -> Arc<Keep> {
        let reader = Reader::instance("room", "room-1");
        Arc::new(Keep::new(LastKnownGood::in_folder(folder), "push/room.toml", &reader))
    }

    fn saved(folder: &Path) -> Arc<Keep> {
        let keep = keep(folder);
        Save::new(keep.clone(), 412, Some(400), Bytes::from_static(br#"{"greeting":"hi"}"#)).write().unwrap();
        keep
    }

    fn refused(keep: &Keep) -> (KeptProblem, String) {
        match keep.load() {
            Err(Error::Kept { problem, message, file, .. }) if file == keep.file => (problem, message),
            other => panic!("not refused by name: {other:?}"),
        }
    }

    #[test]
    fn what_was_saved_is_read_and_is_nobody_elses() {
        let folder = tempfile::tempdir().unwrap();
        let keep = keep(&folder.path().join("new"));
        assert_eq!(keep.load().unwrap(), None);
        let keep = saved(keep.folder());
        assert!(keep.file.ends_with("push+room.toml.kept"), "{:?}", keep.file);
        let kept = keep.load().unwrap().expect("saved");
        assert_eq!((kept.revision, kept.rollout, &kept.canonical[..]), (412, Some(400), &br#"{"greeting":"hi"}"#[..]));
        assert!(kept.age < Duration::from_secs(60), "{:?}", kept.age);
        assert_eq!(fs::read_dir(keep.folder()).unwrap().count(), 1, "what was written beside is gone");
        #[cfg(unix)]
        {
            let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&keep.file).unwrap().permissions());
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn a_file_with_any_byte_changed_or_cut_off_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let keep = saved(folder.path());
        let text = fs::read(&keep.file).unwrap();
        for at in 0..text.len() {
            let mut changed = text.clone();
            changed[at] ^= 1;
            fs::write(&keep.file, &changed).unwrap();
            assert_eq!(refused(&keep).0, KeptProblem::Damaged, "byte {at}");
            fs::write(&keep.file, &text[..at]).unwrap();
            assert_eq!(refused(&keep).0, KeptProblem::Damaged, "cut off at {at}");
        }
        fs::remove_file(&keep.file).unwrap();
        fs::create_dir(&keep.file).unwrap();
        assert_eq!(refused(&keep).0, KeptProblem::Unreadable);
    }

    #[test]
    fn a_file_of_another_process_or_document_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let keep = saved(folder.path());
        let other = Keep::new(LastKnownGood::in_folder(folder.path()), &keep.path, &Reader::instance("room", "room-2"));
        let (problem, message) = refused(&other);
        assert_eq!(
            (problem, message.as_str()),
            (KeptProblem::Foreign, r#"it keeps push/room.toml of "room"/"room-1""#)
        );
        let moved = Keep::new(LastKnownGood::in_folder(folder.path()), "push/other.toml", &Reader::nobody());
        fs::rename(&keep.file, &moved.file).unwrap();
        assert_eq!(refused(&moved).0, KeptProblem::Foreign);
    }

    #[test]
    fn what_is_too_old_or_refused_by_the_application_is_not_used() {
        let folder = tempfile::tempdir().unwrap();
        let keep = saved(folder.path());
        let head = Head {
            confirmed_at_ms: now_ms() - 7_200_000,
            id: "room-1".into(),
            path: keep.path.clone(),
            revision: 1,
            rollout: 0,
            service: "room".into(),
        };
        fs::write(&keep.file, encode(&head, b"{}")).unwrap();
        let with = |options: LastKnownGood| Keep::new(options, &keep.path, &Reader::instance("room", "room-1"));
        let options = LastKnownGood::in_folder(folder.path());
        let hours = |hours: u64| Duration::from_secs(hours * 3_600);
        assert!(with(options.clone().refuse_older_than(hours(3))).load().unwrap().is_some());
        assert_eq!(refused(&with(options.clone().refuse_older_than(hours(1)))).0, KeptProblem::TooOld);
        let asked = options.refuse_if(|kept| if kept.revision < 2 { Err("too early".into()) } else { Ok(()) });
        assert_eq!(refused(&with(asked)), (KeptProblem::Refused, "too early".into()));
    }
}
