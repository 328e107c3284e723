//! What a command works with: whom it asks, in whose name, and where its answer goes.

use std::time::Duration;

use keeper_client_sdk::{Error, Keeper, limits::ATTEMPT_TIMEOUT, limits::CONNECT_TIMEOUT};

use crate::{args::Options, console::Console, limits};

/// One command under way.
pub(crate) struct Admin<'a, 'c> {
    pub(crate) keeper: Keeper,
    pub(crate) author: String,
    pub(crate) timeout: Duration,
    pub(crate) console: &'a mut Console<'c>,
}

impl<'a, 'c> Admin<'a, 'c> {
    /// Connects to nobody yet: the first call does, and its failure is the one to be told. Must be called within a
    /// runtime.
    pub(crate) fn new(options: &Options, console: &'a mut Console<'c>) -> Result<Self, Error> {
        let timeout = options.timeout;
        let keeper = Keeper::builder()
            .name("keeperctl")
            .endpoints(options.endpoints.iter().map(ToString::to_string))
            .operation_timeout(timeout)
            .attempt_timeout(ATTEMPT_TIMEOUT.min(timeout))
            .connect_timeout(CONNECT_TIMEOUT.min(timeout))
            .build()?;
        let author = options.author.clone().unwrap_or_else(default_author);
        Ok(Self { keeper, author, timeout, console })
    }
}

/// Who sits there, as far as the system says.
fn default_author() -> String {
    let user = ["USER", "LOGNAME"].into_iter().find_map(|name| std::env::var(name).ok()).filter(|it| !it.is_empty());
    let system = rustix::system::uname();
    let host = system.nodename().to_string_lossy();
    let author = format!("{}@{host}", user.as_deref().unwrap_or("unknown"));
    let ends = author.char_indices().map(|(start, it)| start + it.len_utf8());
    let end = ends.take_while(|end| *end <= limits::AUTHOR_BYTES_MAX).last().unwrap_or(0);
    author[..end].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_author_names_user_and_host() {
        let author = default_author();
        assert!(author.split_once('@').is_some_and(|(user, host)| !user.is_empty() && !host.is_empty()), "{author}");
        assert!(author.len() <= limits::AUTHOR_BYTES_MAX);
    }
}
