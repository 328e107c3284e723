//! What a device asks for: `GET /connect?user=U&slot=S&conn_seq=N`.

use axum::extract::Query;
use http::{StatusCode, Uri};
use keeper_client_sdk::SessionKey;
use serde::Deserialize;
use tokio_tungstenite::tungstenite::handshake::server::ErrorResponse;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Params {
    pub(crate) key: SessionKey,
    /// The device's own count of its connections.
    pub(crate) conn_seq: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    user: String,
    #[serde(default)]
    slot: String,
    conn_seq: Option<u64>,
}

impl Params {
    /// Reads the address a device connects to, or says what is wrong with it.
    pub(crate) fn parse(uri: &Uri) -> Result<Self, (StatusCode, String)> {
        if uri.path() != "/connect" {
            return Err((StatusCode::NOT_FOUND, format!("{} is not here: connect to /connect", uri.path())));
        }
        let Query(asked) = Query::<Asked>::try_from_uri(uri).map_err(|error| {
            (StatusCode::BAD_REQUEST, format!("{}: ask for ?user=U&slot=S&conn_seq=N", error.body_text()))
        })?;
        let key =
            SessionKey::new(asked.user, asked.slot).map_err(|error| (StatusCode::BAD_REQUEST, error.to_string()))?;
        Ok(Self { key, conn_seq: asked.conn_seq })
    }
}

/// A refused handshake.
pub(crate) fn refusal((status, sentence): (StatusCode, String)) -> ErrorResponse {
    let mut response = ErrorResponse::new(Some(sentence));
    *response.status_mut() = status;
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(uri: &str) -> Result<Params, (StatusCode, String)> {
        Params::parse(&uri.parse().unwrap())
    }

    #[test]
    fn reads_user_slot_and_count() {
        let params = parse("/connect?user=a%20b&slot=phone&conn_seq=7").unwrap();
        assert_eq!(params.key.to_string(), "a b/phone");
        assert_eq!(params.conn_seq, Some(7));
        assert_eq!(parse("/connect?user=a").unwrap().conn_seq, None);
    }

    #[test]
    fn refuses_with_a_sentence() {
        assert_eq!(parse("/").unwrap_err(), (StatusCode::NOT_FOUND, "/ is not here: connect to /connect".into()));
        for (uri, word) in [
            ("/connect", "user"),
            ("/connect?user=", "user: 0, but 1 to 128 are allowed"),
            ("/connect?user=a&conn_seq=-1", "conn_seq"),
            ("/connect?user=a&device=phone", "device"),
        ] {
            let (status, sentence) = parse(uri).unwrap_err();
            assert_eq!(status, StatusCode::BAD_REQUEST);
            assert!(sentence.contains(word), "{uri}: {sentence}");
        }
    }
}
