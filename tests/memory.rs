//! The memory of connections that are idle: live bytes on the heap, counted, so that no noise of the system is in it.
//!
//! The clients are sockets of the standard library in the same process, which have nothing on the heap.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

use std::{
    alloc::System,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::LazyLock,
};

use cap::Cap;
use kit::{PATIENCE, server};
use tokio::sync::Mutex;

#[global_allocator]
static HEAP: Cap<System> = Cap::new(System, usize::MAX);

/// Clients that are connected first: what a server sets up once is not theirs.
const FIRST: usize = 100;
/// Clients that are counted.
const CLIENTS: usize = 500;

/// Only one test counts at a time.
static COUNTING: LazyLock<Mutex<()>> = LazyLock::new(Mutex::default);

/// Connects many clients and holds the growth of the heap against the bound, in bytes for each.
async fn each_is_within(bound: usize, connect: fn(SocketAddr) -> TcpStream) {
    let _alone = COUNTING.lock().await;
    let server = server().await;
    let address = server.address();
    let first = connect_all(FIRST, address, connect).await;
    let before = settled(0).await;
    let clients = connect_all(CLIENTS, address, connect).await;
    let after = settled(before + bound * CLIENTS).await;
    let each = after.saturating_sub(before) / CLIENTS;
    assert!(each <= bound, "{each} bytes for each connection");
    assert!(each > 1_024, "{each} bytes: they were not counted");
    drop((first, clients));
    server.shutdown().await;
}

async fn connect_all(
    count: usize,
    address: SocketAddr,
    connect: fn(SocketAddr) -> TcpStream,
) -> Vec<TcpStream> {
    let connecting = tokio::task::spawn_blocking(move || {
        let mut clients = Vec::with_capacity(count);
        clients.extend((0..count).map(|_| connect(address)));
        clients
    });
    connecting.await.unwrap()
}

/// Bytes on the heap, once they are no more than `enough` or have stopped to become fewer: a task that is over frees
/// what it held a moment later.
async fn settled(enough: usize) -> usize {
    let begun = std::time::Instant::now();
    let mut least = usize::MAX;
    let mut same = 0;
    while same < 20 && begun.elapsed() < PATIENCE {
        let now = HEAP.allocated();
        if now <= enough {
            return now;
        }
        same = if now < least { 0 } else { same + 1 };
        least = least.min(now);
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    least
}

fn say(stream: &mut TcpStream, text: &str) {
    stream.write_all(text.as_bytes()).unwrap();
}

/// Reads an answer whose length is in its head.
fn answer(stream: &mut TcpStream) -> String {
    let mut came = until(stream, "\r\n\r\n");
    let (head, body) = came.split_once("\r\n\r\n").unwrap();
    let length = head.to_lowercase();
    let (_, length) = length.split_once("content-length: ").unwrap();
    let length: usize = length.lines().next().unwrap().parse().unwrap();
    let mut rest = vec![0; length - body.len()];
    stream.read_exact(&mut rest).unwrap();
    came.push_str(&String::from_utf8(rest).unwrap());
    came
}

/// Reads until this has come, and returns all that came.
fn until(stream: &mut TcpStream, wanted: &str) -> String {
    let mut came = [0; 8 * 1_024];
    let mut have = 0;
    loop {
        let read = stream.read(&mut came[have..]).unwrap();
        assert!(read > 0, "the connection ended");
        have += read;
        let mut windows = came[..have].windows(wanted.len());
        if windows.any(|window| window == wanted.as_bytes()) {
            return String::from_utf8_lossy(&came[..have]).into_owned();
        }
    }
}

const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

fn get(address: SocketAddr, path: &str, headers: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    // The headers of a browser, which a session must not keep.
    let browser = "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n\
                   Accept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n\
                   Cache-Control: no-cache\r\nPragma: no-cache\r\n";
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n{browser}{headers}\r\n");
    say(&mut stream, &request);
    stream
}

fn websocket(address: SocketAddr) -> TcpStream {
    let path = "/socket.io/?EIO=4&transport=websocket";
    let mut stream = get(address, path, UPGRADE);
    until(&mut stream, "0{");
    // A text frame with a mask of zeros.
    stream.write_all(b"\x81\x82\0\0\0\x0040").unwrap();
    until(&mut stream, "connection_established");
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn a_websocket_of_socket_io_holds_little() {
    // Some 130 bytes of it are the session that the client may recover.
    each_is_within(8 * 1_024 + 512, websocket).await;
}

/// A session that polls first and then becomes a WebSocket, as browsers make it.
fn upgraded(address: SocketAddr) -> TcpStream {
    let path = "/socket.io/?EIO=4&transport=polling";
    let mut polling = get(address, path, "");
    let opened = until(&mut polling, "maxPayload");
    let (_, sid) = opened.split_once("\"sid\":\"").unwrap();
    let (sid, _) = sid.split_once('"').unwrap();
    let path = format!("{path}&sid={sid}");
    let post = format!("POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Length: 2\r\n\r\n40");
    say(&mut polling, &post);
    until(&mut polling, "\r\n\r\nok");
    loop {
        say(
            &mut polling,
            &format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n"),
        );
        // Each answer ends in a packet's end.
        if answer(&mut polling).contains("connection_established") {
            break;
        }
    }
    let path = path.replace("transport=polling", "transport=websocket");
    let mut stream = get(address, &path, UPGRADE);
    until(&mut stream, "\r\n\r\n");
    stream.write_all(b"\x81\x86\0\0\0\x002probe").unwrap();
    until(&mut stream, "3probe");
    stream.write_all(b"\x81\x81\0\0\0\x005").unwrap();
    // The session is served by its WebSocket.
    stream
        .write_all(b"\x81\x8b\0\0\0\x00421[\"ping\"]")
        .unwrap();
    until(&mut stream, "431[");
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_polled_first_holds_little() {
    each_is_within(10 * 1_024, upgraded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_server_sent_events_holds_little() {
    each_is_within(28 * 1_024, |address| {
        let mut stream = get(address, "/api/v1/stream", "");
        until(&mut stream, "connection_established");
        stream
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_websocket_holds_little() {
    each_is_within(10 * 1_024, |address| {
        let mut stream = get(address, "/api/v1/ws", UPGRADE);
        until(&mut stream, "\"connected\"");
        stream
    })
    .await;
}
