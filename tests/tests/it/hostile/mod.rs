//! Clients that mean no good, or do not know better: what they can make a node hold is bounded, and others notice
//! nothing.

mod connections;
mod files;
mod floods;
mod malformed;
mod silent;
mod unread;

use keeper_tests::InProcess;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The value of a metric of a node, as a scraper sees it.
pub(crate) async fn metric(cluster: &InProcess, name: &str) -> u64 {
    let scrape = get(&cluster.settings(0).listen.http.to_string(), "/metrics").await.expect("the port answers");
    let line = scrape.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ').map(str::to_owned));
    line.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("{name} is not in\n{scrape}"))
}

/// A page of the HTTP port.
pub(crate) async fn get(address: &str, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}
