//! Where a node listens for clients.

use std::{fmt, sync::Arc};

use http::Uri;

use crate::Error;

/// Where a node listens for clients: `host:port`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint(Arc<str>);

impl Endpoint {
    /// Reads `host:port`, with or without `http://` before it.
    ///
    /// # Errors
    /// [`Error::Invalid`] when host or port is missing or the scheme is another one.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let bare = text.strip_prefix("http://").unwrap_or(text);
        let bare = bare.strip_suffix('/').unwrap_or(bare);
        let uri: Uri = format!("http://{bare}").parse().map_err(|_| misread(text))?;
        let complete = uri.host().is_some_and(|host| !host.is_empty()) && uri.port_u16().is_some();
        if !complete || uri.path() != "/" || bare.contains('@') {
            return Err(misread(text));
        }
        Ok(Self(bare.into()))
    }

    /// `host:port`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.0)
    }
}

fn misread(text: &str) -> Error {
    Error::invalid("endpoint", format!("{text:?} is not host:port"))
}

impl fmt::Display for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_host_and_port() {
        for text in ["127.0.0.1:7000", "http://127.0.0.1:7000", "http://127.0.0.1:7000/", "node-1:7000", "[::1]:7000"] {
            assert!(Endpoint::parse(text).is_ok(), "{text}");
        }
        assert_eq!(Endpoint::parse("http://a:1/").map(|it| it.to_string()).ok(), Some("a:1".into()));
    }

    #[test]
    fn refuses_anything_else() {
        for text in ["", "node", ":7000", "https://a:1", "a:1/path", "a:port", "user@a:1"] {
            assert_eq!(Endpoint::parse(text).err().map(|it| it.reason().to_owned()), Some("invalid".into()), "{text}");
        }
    }
}
