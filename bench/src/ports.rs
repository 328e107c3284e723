//! Ports for nodes.

use std::net::{Ipv4Addr, TcpListener};

use anyhow::{Result, bail};

/// Below the range that the system takes the near ends of connections from: thousands of clients would otherwise take
/// the port of a node that is down for a moment.
const FIRST: u16 = 15_000;
const LAST: u16 = 30_000;

/// Finds ports that are free now.
#[derive(Debug)]
pub(crate) struct Ports {
    next: u16,
}

impl Ports {
    /// Begins anywhere, so that two runs on one machine seldom meet.
    pub(crate) fn new() -> Self {
        Self { next: rand::random_range(FIRST..LAST) }
    }

    pub(crate) fn take(&mut self) -> Result<u16> {
        for _ in FIRST..=LAST {
            let port = self.next;
            self.next = if port >= LAST { FIRST } else { port + 1 };
            if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
                return Ok(port);
            }
        }
        bail!("no port from {FIRST} to {LAST} is free")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_differ_and_wrap_around() {
        let mut ports = Ports { next: LAST };
        let taken = [ports.take().unwrap(), ports.take().unwrap(), ports.take().unwrap()];
        assert!(taken.iter().all(|port| (FIRST..=LAST).contains(port)), "{taken:?}");
        assert!(taken[0] != taken[1] && taken[1] != taken[2], "{taken:?}");
    }
}
