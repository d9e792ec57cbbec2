//! Requests that cost more than they should: packets, headers, bodies.

use std::time::{Duration, Instant};

use tokio::{io::AsyncWriteExt, net::TcpStream};

use kit::{
    PATIENCE, server, server_with,
    wire::{self, Good, POLLING, SOCKET, UPGRADE, answer, closed, exchange, get, once, open, post},
};

#[tokio::test(flavor = "multi_thread")]
async fn fifty_thousand_packets_in_one_post_are_refused_and_a_hundred_are_not() {
    let server = server().await;
    let address = server.address();
    let good = Good::beside(address).await;
    let text = "text/plain;charset=UTF-8";
    let binary = "application/octet-stream";
    let forms = [
        (4, text, vec!["2"; 50_000].join("\u{1e}")),
        (3, text, "1:2".repeat(50_000)),
        (3, binary, "\u{0}\u{1}\u{1}2".repeat(50_000)),
    ];
    for (version, media, body) in forms {
        let sid = open(address, version).await;
        let path = format!("/socket.io/?EIO={version}&transport=polling&sid={sid}");
        let mut bytes = post(&path, media, &body).into_bytes();
        if media == binary {
            // The end of the length is marked by no character.
            let at = bytes.windows(4).position(|w| w == b"\r\n\r\n").unwrap() + 4;
            let fix = |n: usize, byte: u8| if n % 4 == 2 { 0xff } else { byte };
            let fixed = bytes[at..].iter().enumerate().map(|(n, b)| fix(n, *b));
            let fixed: Vec<u8> = fixed.collect();
            bytes.truncate(at);
            bytes.extend(fixed);
        }
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(&bytes).await.unwrap();
        let answer = answer(&mut stream).await.unwrap();
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (400, "too_large"),
            "EIO {version}: {answer:?}"
        );
    }
    assert_eq!(
        kit::refused(address, "polling", "max_packets_per_post").await,
        3
    );
    let sid = open(address, 4).await;
    let path = format!("{POLLING}&sid={sid}");
    assert_eq!(once(address, &post(&path, text, "40")).await.status, 200);
    // Packets before the answer to CONNECT are nobody's.
    while !once(address, &get(&path, "")).await.body.contains("40{") {}
    let hundred: Vec<String> = (0..100).map(|n| format!("42{n}[\"ping\",{{}}]")).collect();
    let sent = once(address, &post(&path, text, &hundred.join("\u{1e}"))).await;
    assert_eq!((sent.status, sent.body.as_str()), (200, "ok"));
    let (started, mut acks) = (Instant::now(), 0);
    while acks < 100 {
        let fetched = once(address, &get(&path, "")).await;
        acks += fetched
            .body
            .split('\u{1e}')
            .filter(|p| p.starts_with("43"))
            .count();
        assert!(started.elapsed() < PATIENCE, "only {acks} answers");
    }
    good.was_served().await;
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_headers_and_broken_handshakes_are_refused() {
    let server = server().await;
    let address = server.address();
    let many: String = (0..200).map(|n| format!("X-Filler-{n}: x\r\n")).collect();
    let large = format!("X-Filler: {}\r\n", "x".repeat(100_000));
    for lines in [many, large] {
        let answer = once(address, &get("/healthz", &lines)).await;
        assert_eq!(answer.status, 431, "{answer:?}");
    }
    // They are counted when their connections have ended.
    kit::until("both to be counted", async || {
        (kit::refused(address, "http", "head_too_large").await == 2).then_some(())
    })
    .await;
    let broken = [
        (UPGRADE.replace("13", "12"), 426),
        (UPGRADE.replace("Sec-WebSocket-Version: 13\r\n", ""), 426),
        (UPGRADE.replace("Upgrade: websocket\r\n", ""), 400),
        (
            UPGRADE.replace("Upgrade: websocket\r\n", "Upgrade: h2c\r\n"),
            400,
        ),
        (UPGRADE.replace("Connection: Upgrade\r\n", ""), 400),
        (
            UPGRADE.replace("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", ""),
            400,
        ),
    ];
    for (lines, status) in broken {
        let answer = once(address, &get(SOCKET, &lines)).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (status, "bad_request"),
            "{lines}{answer:?}"
        );
    }
    // Requests that the engine would read as a WebSocket and the door would not.
    let hidden = format!("{SOCKET}=x");
    assert_eq!(once(address, &get(&hidden, UPGRADE)).await.status, 400);
    assert_eq!(once(address, &get(SOCKET, UPGRADE)).await.status, 101);
    server.shutdown().await;
}

/// Sends a request's head, then its body one piece at a time until the server answers.
async fn drip(
    address: std::net::SocketAddr,
    head: String,
    piece: &str,
    every: Duration,
) -> wire::Answer {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut read, mut write) = stream.into_split();
    write.write_all(head.as_bytes()).await.unwrap();
    let piece = piece.to_owned();
    let dripping = tokio::spawn(async move {
        while write.write_all(piece.as_bytes()).await.is_ok() {
            tokio::time::sleep(every).await;
        }
    });
    let readable = tokio::time::timeout(PATIENCE, read.readable()).await;
    readable.expect("it is given up").unwrap();
    let mut bytes = vec![0; 4_096];
    let read = tokio::io::AsyncReadExt::read(&mut read, &mut bytes)
        .await
        .unwrap();
    dripping.abort();
    let text = String::from_utf8_lossy(&bytes[..read]).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").expect("an answer");
    wire::Answer {
        status: head.split(' ').nth(1).unwrap().parse().unwrap(),
        head: head.to_owned(),
        body: body.to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dripped_body_is_given_up_and_a_long_stream_is_not() {
    let server = server_with(|c| {
        c.server.body_timeout.set(1.0).unwrap();
        c.server.body_bytes_per_second.set(20).unwrap();
    })
    .await;
    let address = server.address();
    let good = Good::beside(address).await;
    let head = |path: &str, media: &str, framing: &str| {
        format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {media}\r\n{framing}\r\n")
    };
    let whole = "Content-Length: 100000\r\n";
    let sid = open(address, 4).await;
    let polling = format!("{POLLING}&sid={sid}");
    let slow = [
        head("/api/v1/events", "application/json", whole),
        head(&polling, "text/plain", whole),
        head("/api/v1/events", "application/x-ndjson", whole),
    ];
    for head in slow {
        let answer = drip(address, head, " ", Duration::from_millis(100)).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (408, "timeout"),
            "{answer:?}"
        );
    }
    assert_eq!(kit::refused(address, "http", "timeout").await, 2);
    assert_eq!(kit::refused(address, "polling", "timeout").await, 1);
    // Longer than the time for a whole body, but steady.
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = head(
        "/api/v1/events",
        "application/x-ndjson",
        "Transfer-Encoding: chunked\r\n",
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    for n in 0..8 {
        let line = format!("{{\"type\":\"decision.logged\",\"data\":{{\"n\":{n}}}}}\n");
        let chunk = format!("{:x}\r\n{line}\r\n", line.len());
        stream.write_all(chunk.as_bytes()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    let taken = exchange(&mut stream, "0\r\n\r\n").await.unwrap();
    assert_eq!(taken.status, 202, "{taken:?}");
    assert!(taken.body.contains("\"accepted\":8"), "{taken:?}");
    good.was_served().await;
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_kept_open_for_nothing_ends() {
    const IDLE: Duration = Duration::from_secs(2);
    let server = server_with(|c| c.server.idle_timeout.set(IDLE.as_secs_f64()).unwrap()).await;
    let address = server.address();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let mut last = Instant::now();
    for _ in 0..2 {
        last = Instant::now();
        assert_eq!(
            exchange(&mut stream, &get("/healthz", ""))
                .await
                .unwrap()
                .status,
            200
        );
    }
    closed(&mut stream).await;
    let took = last.elapsed();
    assert!(
        took > IDLE.mul_f64(0.9),
        "{took:?}: it may be used again for a while"
    );
    let name = "stoa_connections_killed_total{reason=\"idle_timeout\"}";
    assert_eq!(kit::counted(address, name).await, 1);
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_tell_browsers_to_be_careful() {
    let server = server().await;
    let address = server.address();
    for (path, policy) in [
        ("/", "frame-ancestors 'none'"),
        ("/api/v1/state", "default-src 'none'"),
    ] {
        let answer = once(address, &get(path, "Connection: close\r\n")).await;
        let header = |name| answer.header(name).unwrap_or_default();
        assert!(
            header("content-security-policy").contains(policy),
            "{answer:?}"
        );
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(header("referrer-policy"), "no-referrer");
        assert_eq!(header("x-frame-options"), "DENY");
        assert_eq!(
            answer.header("strict-transport-security"),
            None,
            "not by plain HTTP"
        );
    }
    server.shutdown().await;
}
