//! What is told of effective documents: one change, however it was cut into messages; and its values are JSON, or an
//! error that says whose.

use keeper_proto::v1;
use prost::Message;

use super::follow::{Followed, changed};
use crate::connection::Follow;

pub(crate) fn followed_reply(input: &[u8]) {
    let Ok(whole) = v1::Followed::decode(input) else { return };
    let change = changed(whole.clone());
    for cut in [0, whole.documents.len() / 2, whole.documents.len()] {
        let (first, rest) = whole.documents.split_at(cut);
        let mut joined = v1::Followed { documents: first.to_vec(), more: true, ..whole };
        Followed::join(&mut joined, v1::Followed { documents: rest.to_vec(), reset: false, ..whole });
        assert_eq!(changed(joined), change);
    }
    for document in change.documents {
        match document.value() {
            Ok(value) => {
                let again = serde_json::to_vec(&value).and_then(|json| serde_json::from_slice(&json));
                assert_eq!(again.ok(), Some(value));
            }
            Err(refused) => assert!(refused.to_string().contains("has no canonical value"), "{refused}"),
        }
    }
}
