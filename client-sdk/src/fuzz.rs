//! What holds for every answer that the library reads by hand, as functions from bytes that panic where it does not.
//!
//! Only in tests, which replay the corpora of `fuzz/corpus` and try new mutants of them, and under `make fuzz`.

use crate::session;

/// A name, which is that of a folder of `fuzz/corpus`, and the property.
pub type Property = (&'static str, fn(&[u8]));

/// All of them.
pub const PROPERTIES: &[&[Property]] = &[
    session::FUZZ,
    &[
        ("document_value", document_value),
        ("kept_file", crate::config::fuzz_kept_file),
        ("followed_reply", crate::config::fuzz_followed_reply),
        ("rollout_reply", crate::rollout::fuzz_rollout_reply),
    ],
];

/// A canonical value is JSON of bounded depth, or an error that says whose it was.
fn document_value(input: &[u8]) {
    let document = crate::Document {
        path: "a.json".to_owned(),
        format: None,
        text: String::new(),
        canonical: bytes::Bytes::copy_from_slice(input),
        revision: 1,
        version: 1,
        author: String::new(),
        message: String::new(),
        published_at_ms: 0,
        deleted: false,
        forced: None,
        secrets: Vec::new(),
        secret_keys: Vec::new(),
    };
    match document.value() {
        Ok(value) => {
            assert_eq!(serde_json::to_vec(&value).and_then(|json| serde_json::from_slice(&json)).ok(), Some(value))
        }
        Err(refused) => assert!(refused.to_string().contains("a.json"), "{refused}"),
    }
}

#[cfg(test)]
#[path = "../../fuzz/replay.rs"]
mod replay;
