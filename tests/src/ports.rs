//! Free ports.

use std::io;
use std::net::{SocketAddr, TcpListener};

use keeper::settings::Listen;

/// Addresses that were free a moment ago, all different.
pub(crate) fn free(nodes: usize) -> io::Result<Vec<Listen>> {
    // Held together, so that no port is given twice.
    let held: Vec<_> = (0..nodes * 3).map(|_| TcpListener::bind("127.0.0.1:0")).collect::<Result<_, _>>()?;
    let addresses: Vec<SocketAddr> = held.iter().map(TcpListener::local_addr).collect::<Result<_, _>>()?;
    Ok(addresses.chunks(3).map(|it| Listen { client: it[0], peer: it[1], http: it[2] }).collect())
}
