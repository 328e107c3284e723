//! The limit of open files: each client is one, and the usual soft limit of 1,024 is not a limit of ours.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises it as far as this process may. Without success the node runs with what it has, and says so.
pub(super) fn raise_limit() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current == maximum {
        return;
    }
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        tracing::warn!(?current, ?maximum, %error, "the limit of open files could not be raised");
    }
}
