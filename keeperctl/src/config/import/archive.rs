//! Files out of a zip, as much as documents can be.
//!
//! An archive may unpack to anything: each file is read up to what a document may have and one byte more, which the
//! check of its size finds, and their number is bounded, so that a bomb costs no more than a large import.
//!
//! An archive may name a file twice. Which of them is meant nobody knows, so neither is taken; the reader of archives
//! keeps one of a name, and the names are counted where the archive lists them.

use std::{
    collections::BTreeMap,
    io::{Cursor, Read},
};

use zip::{ZipArchive, result::ZipError};

use crate::{failure::Failure, limits};

/// A file of an archive.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Packed {
    pub(super) name: String,
    pub(super) bytes: Vec<u8>,
}

/// What an archive holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Unpacked {
    /// In the archive's order.
    pub(super) files: Vec<Packed>,
    /// Names that it holds several times, with the number.
    pub(super) repeated: BTreeMap<String, usize>,
}

pub(super) fn unpack(zipped: &[u8]) -> Result<Unpacked, Failure> {
    if !is_zip(zipped) {
        return Err(Failure::failed("this is no zip"));
    }
    let no_zip = |error: ZipError| Failure::failed(format!("this is no zip that can be read: {error}"));
    let mut archive = ZipArchive::new(Cursor::new(zipped)).map_err(no_zip)?;
    let listed = usize::try_from(archive.central_directory_start()).ok().and_then(|start| zipped.get(start..));
    let repeated = repeated(listed.unwrap_or_default());
    if archive.len() > limits::IMPORT_ITEMS_MAX {
        let message = format!("the zip holds {} files; the limit is {}", archive.len(), limits::IMPORT_ITEMS_MAX);
        return Err(Failure::failed(message).remedy("export fewer at a time: one group, or one application"));
    }
    let (mut files, mut total) = (Vec::new(), 0);
    for at in 0..archive.len() {
        let file = archive.by_index(at).map_err(no_zip)?;
        if file.is_dir() {
            continue;
        }
        let name = file.name().map_err(no_zip)?.into_owned();
        if repeated.contains_key(&name) {
            continue;
        }
        let mut bytes = Vec::new();
        let read = file.take(limits::DOCUMENT_BYTES_MAX as u64 + 1).read_to_end(&mut bytes);
        read.map_err(|error| Failure::failed(format!("{name} cannot be unpacked: {error}")))?;
        total += bytes.len();
        if total > limits::IMPORT_BYTES_MAX {
            let message = format!("the zip unpacks to more than {} bytes, the limit", limits::IMPORT_BYTES_MAX);
            return Err(Failure::failed(message).remedy("export fewer at a time: one group, or one application"));
        }
        files.push(Packed { name, bytes });
    }
    Ok(Unpacked { files, repeated })
}

/// By what every zip begins with.
pub(super) fn is_zip(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK")
}

/// What begins an entry of an archive's list.
const LISTED: &[u8] = b"PK\x01\x02";

/// Where an entry has the lengths of its name, of what else is known of it, and of what is said of it; and how long it
/// is without them.
const LENGTHS: [usize; 3] = [28, 30, 32];
const LISTED_BYTES: usize = 46;

/// The names that the list of an archive has several times.
fn repeated(mut listed: &[u8]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    while listed.starts_with(LISTED) && listed.len() >= LISTED_BYTES {
        let length = |at: usize| usize::from(u16::from_le_bytes([listed[at], listed[at + 1]]));
        let [name, more, said] = LENGTHS.map(length);
        let Some(name) = listed.get(LISTED_BYTES..LISTED_BYTES + name) else { break };
        *counts.entry(String::from_utf8_lossy(name).into_owned()).or_default() += 1;
        listed = listed.get(LISTED_BYTES + name.len() + more + said..).unwrap_or_default();
    }
    counts.retain(|name, count| *count > 1 && !name.ends_with('/'));
    counts
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Write;

    use zip::{ZipWriter, write::SimpleFileOptions};

    use super::*;

    /// As Java's `ZipOutputStream` writes it: deflated, one entry after the other.
    pub(in crate::config::import) fn zipped(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut writer = ZipWriter::new_stream(Vec::new());
        for (name, bytes) in files {
            writer.start_file(*name, SimpleFileOptions::default()).expect("an entry begins");
            writer.write_all(bytes).expect("room for it");
        }
        writer.finish().expect("a zip").into_inner()
    }

    #[test]
    fn files_come_out_as_they_went_in() {
        let Unpacked { files, repeated } = unpack(&zipped(&[("A/b.toml", b"a = 1\n"), ("c", b"")])).expect("a zip");
        assert!(repeated.is_empty(), "{repeated:?}");
        assert_eq!(files[0], Packed { name: "A/b.toml".into(), bytes: b"a = 1\n".to_vec() });
        assert_eq!(files.len(), 2);
    }

    #[test]
    fn a_bomb_is_not_unpacked_whole() {
        let zeros = vec![0; 8 * limits::DOCUMENT_BYTES_MAX];
        let bomb = zipped(&[("A/b.toml", &zeros)]);
        assert!(bomb.len() < limits::DOCUMENT_BYTES_MAX);
        let files = unpack(&bomb).expect("a zip").files;
        assert_eq!(files[0].bytes.len(), limits::DOCUMENT_BYTES_MAX + 1);
    }

    #[test]
    fn what_is_no_zip_is_refused() {
        assert_eq!(unpack(b"a = 1\n").expect_err("text").message, "this is no zip");
        let whole = zipped(&[("A/b.toml", b"a = 1\n")]);
        let refused = unpack(&whole[..whole.len() / 2]).expect_err("half of it");
        assert!(refused.message.starts_with("this is no zip that can be read: "), "{}", refused.message);
    }

    #[test]
    fn a_name_that_an_archive_has_twice_is_told() {
        // The writer refuses a second one of a name: another name of its length is written over.
        let zip = zipped(&[("G/a.yaml", b"a: 1\n"), ("G/b.yaml", b"b: 1\n"), ("G/z.yaml", b"a: 2\n")]);
        let mut twice = zip.clone();
        for at in 0..zip.len() {
            if zip[at..].starts_with(b"G/z.yaml") {
                twice[at..at + 8].copy_from_slice(b"G/a.yaml");
            }
        }
        let Unpacked { files, repeated } = unpack(&twice).expect("a zip");
        assert_eq!(files.iter().map(|file| file.name.as_str()).collect::<Vec<_>>(), ["G/b.yaml"]);
        assert_eq!(repeated, BTreeMap::from([("G/a.yaml".to_owned(), 2)]));
    }
}
