//! WebSocket frames: too long, in too many pieces, of no known kind, compressed.

use std::time::Instant;

use tempfile::tempdir;

use kit::{
    counted,
    process::{Process, free_port},
    raw::{
        BINARY, CONTINUATION, End, FINAL, PING, RSV1, Raw, TEXT, assert_served, frame, header, text,
    },
    server, server_with,
};

/// Row 4. A message one byte over the limit is refused by its header: not a byte of it is kept.
#[tokio::test(flavor = "multi_thread")]
async fn a_message_over_the_limit_is_closed_with_1009() {
    const LIMIT: usize = 100_000;
    let server = server_with(|c| c.server.max_http_buffer_size.set(LIMIT as u64).unwrap()).await;
    let address = server.address();

    // At the limit: taken (an event that nobody knows).
    let mut raw = Raw::join(address).await;
    let name = "x".repeat(LIMIT - 6);
    let most = format!("42[\"{name}\"]");
    assert_eq!(most.len(), LIMIT + 2 - 2);
    raw.send(&text(&most)).await.unwrap();
    raw.send(&text("421[\"ping\"]")).await.unwrap();
    raw.wait_for("431[").await;

    // The header alone, before a byte of what it announces.
    for announced in [LIMIT as u64 + 1, 1 << 32, u64::MAX >> 1, u64::MAX] {
        let mut raw = Raw::join(address).await;
        raw.send(&header(FINAL | TEXT, announced)).await.unwrap();
        assert_eq!(raw.end().await, End::Closed(Some(1009)), "{announced}");
    }
    // The whole message at once.
    let mut raw = Raw::join(address).await;
    raw.push(&text(&"4".repeat(LIMIT + 1))).await;
    assert_eq!(raw.end().await, End::Closed(Some(1009)));
    // In fragments, the last of which is one byte too long.
    let mut raw = Raw::join(address).await;
    raw.send(&frame(TEXT, &vec![b'4'; LIMIT / 2]))
        .await
        .unwrap();
    raw.send(&frame(CONTINUATION, &vec![b'4'; LIMIT / 2]))
        .await
        .unwrap();
    raw.send(&header(FINAL | CONTINUATION, 1)).await.unwrap();
    assert_eq!(raw.end().await, End::Closed(Some(1009)));
    assert_eq!(
        counted(
            address,
            "stoa_connections_killed_total{reason=\"too_large\""
        )
        .await,
        6
    );

    // By polling: refused as well, and the session with it.
    let sid = crate::attacks::malformed::poll(address, 4).await;
    let (status, ..) = kit::raw::http(
        address,
        &format!("POST /socket.io/?EIO=4&transport=polling&sid={sid} HTTP/1.1"),
        "4".repeat(LIMIT + 1).as_bytes(),
    )
    .await;
    assert_eq!(status, 413);
    assert_served(address).await;
    server.shutdown().await;
}

/// Row 4, its memory: two hundred announce a gigabyte each, and send what the kernel takes of it.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_announced_costs_no_memory() {
    let folder = tempdir().unwrap();
    let server = Process::start(&folder.path().join("stoa.db"), free_port(), &[]).await;
    assert_served(server.address).await;
    let before = server.memory("VmHWM").expect("/proc");
    let mut flood = header(FINAL | BINARY, 1 << 30);
    flood.resize(512 * 1_024, b'x');
    for _ in 0..200 {
        let mut raw = Raw::join(server.address).await;
        raw.push(&flood).await;
        assert_eq!(raw.end().await, End::Closed(Some(1009)));
    }
    let grown = server.memory("VmHWM").expect("/proc") - before;
    assert!(grown < 16 * 1_024, "{grown} KiB more at the peak");
    assert_served(server.address).await;
}

/// Row 5. A message of a million pieces, of nothing or of one byte each, ends at the bound on pieces.
#[tokio::test(flavor = "multi_thread")]
async fn tiny_fragments_without_end_are_closed() {
    let folder = tempdir().unwrap();
    let server = Process::start(&folder.path().join("stoa.db"), free_port(), &[]).await;
    assert_served(server.address).await;
    let before = server.memory("VmHWM").expect("/proc");
    for payload in [&b""[..], b"x"] {
        let piece = frame(CONTINUATION, payload);
        let mut million = frame(TEXT, b"4");
        million.extend(piece.repeat(1_000_000));
        let mut raw = Raw::join(server.address).await;
        raw.push(&million).await;
        assert_eq!(raw.end().await, End::Closed(Some(1008)));
    }
    // Pings between the pieces don't start the count again.
    let mut pieces = frame(TEXT, b"4");
    for _ in 0..5_000 {
        pieces.extend(frame(CONTINUATION, b""));
        pieces.extend(frame(FINAL | PING, b""));
    }
    let mut raw = Raw::join(server.address).await;
    raw.push(&pieces).await;
    assert_eq!(raw.end().await, End::Closed(Some(1008)));
    let grown = server.memory("VmHWM").expect("/proc") - before;
    assert!(grown < 16 * 1_024, "{grown} KiB more at the peak");
    let many = "stoa_connections_killed_total{reason=\"too_many_fragments\"";
    assert_eq!(counted(server.address, many).await, 3);

    // As many as are allowed are one message.
    let mut raw = Raw::join(server.address).await;
    let mut pieces = frame(TEXT, b"421[\"ping\"");
    pieces.extend(frame(CONTINUATION, b"").repeat(4_094));
    pieces.extend(frame(FINAL | CONTINUATION, b"]"));
    raw.send(&pieces).await.unwrap();
    raw.wait_for("431[").await;
    assert_served(server.address).await;
}

/// Row 30. Where compression was not agreed on, a compressed frame is no frame.
#[tokio::test(flavor = "multi_thread")]
async fn compression_that_was_not_agreed_on_closes() {
    let server = server().await;
    let address = server.address();
    for first in [
        FINAL | RSV1 | TEXT,
        FINAL | 0x20 | TEXT,
        FINAL | 0x10 | BINARY,
        FINAL | RSV1 | PING,
    ] {
        let mut raw = Raw::join(address).await;
        raw.send(&frame(first, b"42[\"ping\"]")).await.unwrap();
        assert_eq!(raw.end().await, End::Closed(Some(1002)), "{first:x}");
    }
    assert_eq!(
        counted(address, "stoa_connections_killed_total{reason=\"protocol\"").await,
        4
    );
    assert_served(address).await;
    server.shutdown().await;
}

/// Row 9. Frames that break WebSocket's own rules close that connection and nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn broken_frames_close_only_their_connection() {
    let server = server().await;
    let address = server.address();
    let mut good = Raw::join(address).await;
    let broken: [Vec<u8>; 9] = [
        // Not masked.
        vec![0x81, 0x02, b'4', b'0'],
        // A ping that is too long, and one in fragments.
        frame(FINAL | PING, &[0; 126]),
        frame(PING, b"x"),
        // A continuation of nothing, and a new message within one.
        frame(FINAL | CONTINUATION, b"x"),
        [frame(TEXT, b"4"), frame(FINAL | TEXT, b"4")].concat(),
        // Opcodes that there are not.
        frame(FINAL | 0x3, b"x"),
        frame(FINAL | 0xb, b"x"),
        // Text that is no UTF-8, and a close frame of one byte.
        frame(FINAL | TEXT, &[b'4', b'2', 0xff, 0xfe]),
        frame(FINAL | 0x8, b"x"),
    ];
    for bytes in broken {
        let begun = Instant::now();
        let mut raw = Raw::join(address).await;
        raw.send(&bytes).await.unwrap();
        raw.end().await;
        // Before it is the heartbeat that ends it.
        assert!(begun.elapsed().as_secs() < 25, "{:x?}", &bytes[..2]);
    }
    good.send(&text("421[\"ping\"]")).await.unwrap();
    good.wait_for("431[").await;
    assert_served(address).await;
    server.shutdown().await;
}
