//! Looking into a log that nobody has open, to find out whose it is.
//!
//! Nothing is recovered, repaired or written to: the log may be a damaged one that is about to be set aside.

use std::path::Path;

use rocksdb::DB;

use super::options::RocksOptions;
use super::{reader, unopened};
use crate::store::engine::{GroupId, Record};
use crate::store::error::StoreError;

/// How many bytes of records are held at once.
const PAGE_BYTES: usize = 8 << 20;

/// Shows every record, the oldest first.
///
/// # Errors
/// The database does not open, or is damaged; what came before was shown.
pub fn peek(directory: &Path, group: GroupId, mut see: impl FnMut(&Record)) -> Result<(), StoreError> {
    let options = RocksOptions::default().database();
    let db = DB::open_for_read_only(&options, directory, false).map_err(|error| unopened(directory, error))?;
    let mut from = reader::recover(&db, group)?.purged.map_or(0, |purged| purged.index + 1);
    loop {
        let page = reader::records(&db, group, from, u64::MAX, PAGE_BYTES)?;
        let Some(last) = page.last() else { return Ok(()) };
        from = last.index + 1;
        page.iter().for_each(&mut see);
    }
}
