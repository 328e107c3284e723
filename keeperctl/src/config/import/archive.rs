//! Files out of a zip, as much as documents can be.
//!
//! An archive may unpack to anything: each file is read up to what a document may have and one byte more, which the
//! check of its size finds, and their number is bounded, so that a bomb costs no more than a large import.

use std::io::{Cursor, Read};

use zip::{ZipArchive, result::ZipError};

use crate::{failure::Failure, limits};

/// A file of an archive.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Packed {
    pub(super) name: String,
    pub(super) bytes: Vec<u8>,
}

/// Every file, in the archive's order.
pub(super) fn unpack(zipped: &[u8]) -> Result<Vec<Packed>, Failure> {
    let no_zip = |error: ZipError| Failure::failed(format!("this is no zip that can be read: {error}"));
    let mut archive = ZipArchive::new(Cursor::new(zipped)).map_err(no_zip)?;
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
    Ok(files)
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
        let files = unpack(&zipped(&[("A/b.toml", b"a = 1\n"), ("c", b"")])).expect("a zip");
        assert_eq!(files[0], Packed { name: "A/b.toml".into(), bytes: b"a = 1\n".to_vec() });
        assert_eq!(files.len(), 2);
    }

    #[test]
    fn a_bomb_is_not_unpacked_whole() {
        let zeros = vec![0; 8 * limits::DOCUMENT_BYTES_MAX];
        let bomb = zipped(&[("A/b.toml", &zeros)]);
        assert!(bomb.len() < limits::DOCUMENT_BYTES_MAX);
        let files = unpack(&bomb).expect("a zip");
        assert_eq!(files[0].bytes.len(), limits::DOCUMENT_BYTES_MAX + 1);
    }

    #[test]
    fn what_is_no_zip_is_refused() {
        let refused = unpack(b"a = 1\n").expect_err("text");
        assert!(refused.message.starts_with("this is no zip that can be read: "), "{}", refused.message);
        let whole = zipped(&[("A/b.toml", b"a = 1\n")]);
        assert!(unpack(&whole[..whole.len() / 2]).is_err());
    }
}
