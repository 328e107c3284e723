//! A folder as documents, and documents as a folder.

mod name;
mod walk;

pub(super) use name::{Misnamed, file_of, format_of, key_of};
pub(super) use walk::{Walk, walk};
