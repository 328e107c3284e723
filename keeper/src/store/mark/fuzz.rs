//! The synced mark: the body alone, and the file of two slots as a torn write or a bad disk may leave it.

use bytes::Bytes;

use super::MarkFile;
use super::file::{SLOT_BYTES, body, decode, encode};
use crate::store::fuzz::in_memory;

/// What is read and fits a slot is written and read as the same.
pub(in crate::store) fn mark(input: &[u8]) {
    let Ok((sequence, marks)) = decode(Bytes::copy_from_slice(input)) else { return };
    let Some(page) = encode(sequence, &marks) else { return };
    let (first, whole) = body(&page.into()).expect("its checksum holds");
    assert_eq!(first, sequence);
    assert_eq!(decode(whole), Ok((sequence, marks)));
}

/// A file whose slots are sealed with their checksums: the input is the bodies, half and half. Of two whole slots the
/// later one counts.
pub(in crate::store) fn mark_file(input: &[u8]) {
    let (one, other) = input.split_at(input.len() / 2);
    let sealed = |body: &[u8]| {
        let length = u32::try_from(body.len()).unwrap_or(u32::MAX).to_be_bytes();
        let checksum = crc32c::crc32c_append(crc32c::crc32c(&length), body).to_be_bytes();
        let mut page = [&checksum[..], &length[..], body].concat();
        page.resize(SLOT_BYTES, 0);
        page
    };
    for bytes in [input.to_vec(), [sealed(one), sealed(other)].concat(), [sealed(one), vec![0; SLOT_BYTES]].concat()] {
        let Ok(path) = in_memory(&bytes) else { return };
        let newest = [one, other].into_iter().filter_map(|body| Some(decode(Bytes::copy_from_slice(body)).ok()?.0));
        if let Ok(Some((_, marks))) = MarkFile::open(path.path()) {
            assert!(encode(newest.max().unwrap_or(0), &marks).is_some_and(|page| page.len() == SLOT_BYTES));
        }
    }
}
