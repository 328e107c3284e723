//! A room over real sockets, before any Keeper node answers: it holds connections, delivers, refuses and drains. What
//! it does with a cluster is shown by `make demo`.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::{Context, Result, ensure};
use futures_util::{SinkExt, StreamExt};
use keeper_client_sdk::Keeper;
use keeper_push::{
    config::{Bounded, RoomConfig},
    room::{Options, Room},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::watch,
    task::JoinSet,
    time,
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Error, Message},
};
use tokio_util::sync::CancellationToken;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

type Device = WebSocketStream<MaybeTlsStream<TcpStream>>;

struct Running {
    devices: SocketAddr,
    inbox: SocketAddr,
    config: watch::Sender<Arc<RoomConfig>>,
    stop: CancellationToken,
    task: JoinSet<Result<()>>,
}

/// A room that knows what it runs by.
async fn start() -> Result<Running> {
    let room = wait_for_config().await?;
    room.config.send_replace(Arc::default());
    Ok(room)
}

/// A room that nobody has told yet what it runs by.
async fn wait_for_config() -> Result<Running> {
    let any: SocketAddr = "127.0.0.1:0".parse()?;
    let options = Options {
        id: "room-1".into(),
        listen: any,
        inbox: any,
        advertise: None,
        zone: String::new(),
        ttl: Duration::from_secs(10),
        config: "push/room.toml".into(),
    };
    let room = Room::bind(options).await?;
    let (devices, inbox) = room.addresses()?;
    // Nobody listens there.
    let keeper = Keeper::builder().endpoint("127.0.0.1:1").build()?;
    let stop = CancellationToken::new();
    let mut task = JoinSet::new();
    let (config, running) = watch::channel(Arc::default());
    task.spawn(room.run_by(running, keeper, stop.clone()));
    Ok(Running { devices, inbox, config, stop, task })
}

impl Running {
    async fn connect(&self, user: &str) -> Result<Device> {
        let (device, _) = connect_async(format!("ws://{}/connect?user={user}", self.devices)).await?;
        self.until(&format!("POST /push?user={user}"), "delivered").await?;
        Ok(device)
    }

    /// One HTTP exchange with the inbox.
    async fn ask(&self, request: &str, body: &str) -> Result<String> {
        let mut stream = TcpStream::connect(self.inbox).await?;
        let length = body.len();
        let head = format!("{request} HTTP/1.1\r\nhost: room\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
        stream.write_all(format!("{head}{body}").as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer)
    }

    /// Asks until the answer says so: a device may know of its handshake before the room's table does.
    async fn until(&self, request: &str, word: &str) -> Result<()> {
        let asking = async {
            while !self.ask(request, "first").await?.contains(word) {
                tokio::task::yield_now().await;
            }
            Ok(())
        };
        time::timeout(PATIENCE, asking).await.with_context(|| format!("{request} never said {word:?}"))?
    }
}

async fn hear(device: &mut Device) -> Result<Message> {
    let heard = time::timeout(PATIENCE, device.next()).await.context("the room says nothing")?;
    Ok(heard.context("the room hung up")??)
}

#[tokio::test]
async fn a_device_is_let_in_once_the_room_knows_what_it_runs_by() -> Result<()> {
    let (waiting, ready) = (wait_for_config().await?, start().await?);
    let url = format!("ws://{}/connect?user=ann", waiting.devices);
    let mut early = JoinSet::new();
    early.spawn(async move { connect_async(url).await });
    // Both run on one thread: had the waiting room answered, it would have done so before a room is through with many
    // devices that come later.
    for number in 0..20 {
        ready.connect(&format!("user-{number}")).await?;
    }
    ensure!(early.try_join_next().is_none(), "let in without a config");
    let status = waiting.ask("GET /status", "").await?;
    ensure!(status.contains(r#""connections":0"#), "{status}");

    let published = RoomConfig { max_message_bytes: Bounded(3), topics: vec!["news".into()], ..RoomConfig::default() };
    waiting.config.send_replace(Arc::new(published));
    let joined = time::timeout(PATIENCE, early.join_next()).await.context("never let in")?;
    let (mut device, _) = joined.context("one device")???;
    device.send(Message::text("long")).await?;
    let Message::Close(Some(frame)) = hear(&mut device).await? else { anyhow::bail!("not closed") };
    assert_eq!(frame.reason.as_str(), "a message of 4 bytes; 3 are allowed", "what was published holds for it");
    Ok(())
}

#[tokio::test]
async fn a_room_that_never_learns_what_it_runs_by_can_be_stopped() -> Result<()> {
    let mut room = wait_for_config().await?;
    room.stop.cancel();
    let ended = time::timeout(PATIENCE, room.task.join_next()).await.context("the room never ends")?;
    ended.context("the room was running")??
}

#[tokio::test]
async fn a_push_reaches_the_device_it_names() -> Result<()> {
    let room = start().await?;
    let mut device = room.connect("ann").await?;
    assert_eq!(hear(&mut device).await?, Message::text("first"));
    let answer = room.ask("POST /push?user=ann", "hello").await?;
    ensure!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("delivered to 1 of ann\n"), "{answer}");
    assert_eq!(hear(&mut device).await?, Message::text("hello"));
    let answer = room.ask("POST /push?user=bob", "hello").await?;
    ensure!(answer.starts_with("HTTP/1.1 404") && answer.ends_with("bob is not connected here\n"), "{answer}");
    let answer = room.ask("GET /status", "").await?;
    ensure!(answer.contains(r#""connections":1"#) && answer.contains(r#""incarnation":null"#), "{answer}");
    Ok(())
}

#[tokio::test]
async fn what_breaks_a_rule_is_told_which() -> Result<()> {
    let room = start().await?;
    for (path, status) in [("connect", 400), ("elsewhere?user=ann", 404)] {
        match connect_async(format!("ws://{}/{path}", room.devices)).await {
            Err(Error::Http(response)) => assert_eq!(response.status().as_u16(), status),
            other => anyhow::bail!("{path} was not refused: {other:?}"),
        }
    }
    let mut device = room.connect("ann").await?;
    assert_eq!(hear(&mut device).await?, Message::text("first"));
    device.send(Message::text("x".repeat(5_000))).await?;
    let Message::Close(Some(frame)) = hear(&mut device).await? else { anyhow::bail!("not closed") };
    assert_eq!((u16::from(frame.code), frame.reason.as_str()), (1009, "a message of 5000 bytes; 4096 are allowed"));
    let answer = room.ask("POST /push?user=ann", &"x".repeat(5_000)).await?;
    ensure!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    Ok(())
}

#[tokio::test]
async fn a_room_that_goes_away_says_so() -> Result<()> {
    let mut room = start().await?;
    let mut device = room.connect("ann").await?;
    assert_eq!(hear(&mut device).await?, Message::text("first"));
    room.stop.cancel();
    let Message::Close(Some(frame)) = hear(&mut device).await? else { anyhow::bail!("not closed") };
    assert_eq!((u16::from(frame.code), frame.reason.as_str()), (1012, "this room goes away"));
    // Reading on sends the answer to the close.
    while device.next().await.is_some_and(|heard| heard.is_ok()) {}
    let ended = time::timeout(PATIENCE, room.task.join_next()).await.context("the room never ends")?;
    ended.context("the room was running")??
}
