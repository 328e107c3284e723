//! The pages over a real socket.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use prometheus_client::registry::Registry;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use super::{Pages, Readiness, Visitors, serve};
use crate::govern::{ConnectionLimits, Connections, Memory, MemoryLimits, Welcome};
use crate::metrics::Metrics;

#[derive(Default)]
struct Switch(AtomicBool);

impl Readiness for Switch {
    fn ready(&self) -> Result<(), String> {
        if self.0.load(Ordering::Relaxed) { Ok(()) } else { Err("no leader is known".into()) }
    }
}

async fn get(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.expect("the server listens");
    let request = format!("GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("the server reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("the server answers");
    answer
}

#[tokio::test]
async fn pages_answer_until_shutdown() {
    let mut registry = Registry::default();
    Metrics::register(&mut registry).lease_expired.inc();
    let switch = Arc::new(Switch::default());
    let pages = Pages { registry: Arc::new(registry), readiness: Arc::clone(&switch) as Arc<dyn Readiness> };
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("a bound address");
    let limits = ConnectionLimits { places_max: 0, address_max: 0, spare_max: 2 };
    let connections = Connections::new(limits, Welcome::OnProof, Default::default());
    let memory = MemoryLimits { bytes_max: 1 << 20, share_bytes_max: 1 << 20, answer_bytes_max: 1 << 10 };
    let visitors = Visitors::new(listener, connections, Memory::new(memory, Default::default(), Default::default()));
    let (stop, stopped) = oneshot::channel::<()>();
    let shutdown = async {
        let _ = stopped.await;
    };
    let asking = async {
        let mut dawdlers = Vec::new();
        for _ in 0..5 {
            dawdlers.push(TcpStream::connect(address).await.expect("the server listens"));
        }
        assert!(get(address, "/healthz").await.ends_with("\r\n\r\nok\n"));
        let answer = get(address, "/readyz").await;
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
        assert!(answer.ends_with("\r\n\r\nnot ready: no leader is known\n"), "{answer}");
        switch.0.store(true, Ordering::Relaxed);
        assert!(get(address, "/readyz").await.starts_with("HTTP/1.1 200 "));
        let answer = get(address, "/metrics").await;
        assert!(answer.contains("content-type: application/openmetrics-text"), "{answer}");
        assert!(answer.contains("\nkeeper_lease_expired_total 1\n"), "{answer}");
        assert!(get(address, "/else").await.starts_with("HTTP/1.1 404 "));
        drop(stop);
    };
    let (served, ()) = tokio::join!(serve(visitors, pages, shutdown), asking);
    assert!(served.is_ok(), "{served:?}");
}
