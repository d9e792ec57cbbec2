//! Sessions that are opened and never used, and upgrades that never finish.

use std::time::{Duration, Instant};

use stoa::config::Networks;
use tokio::{io::AsyncWriteExt, net::TcpStream};

use kit::{
    PATIENCE,
    process::Process,
    server_with, wait_for,
    wire::{self, Good, POLLING, SOCKET, UPGRADE, closed, exchange, get, once, open, post},
};

/// So many handshakes over a few connections; how many were let in, and how many told that there are too many.
async fn flood(address: std::net::SocketAddr, handshakes: usize) -> (usize, usize) {
    const CONNECTIONS: usize = 10;
    let some = (0..CONNECTIONS).map(|_| {
        tokio::spawn(async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let (mut taken, mut refused) = (0, 0);
            for _ in 0..handshakes / CONNECTIONS {
                match exchange(&mut stream, &get(POLLING, ""))
                    .await
                    .unwrap()
                    .status
                {
                    200 => taken += 1,
                    503 => refused += 1,
                    other => panic!("answered {other}"),
                }
            }
            (taken, refused)
        })
    });
    let mut all = (0, 0);
    for one in some.collect::<Vec<_>>() {
        let (taken, refused) = one.await.unwrap();
        all = (all.0 + taken, all.1 + refused);
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_handshakes_without_connect_are_capped_and_leave_no_memory() {
    let server = Process::with_keys(&[("CONNECT_TIMEOUT", "2"), ("MAX_PENDING_SESSIONS", "500")]);
    let address = server.address;
    let good = Good::beside(address).await;
    let mut after = Vec::new();
    // The first waves warm the allocator up; a session that stays would show in each of them.
    for wave in 0..5 {
        let started = Instant::now();
        let (taken, refused) = flood(address, 2_000).await;
        assert_eq!(taken + refused, 2_000);
        // Those whose time is over make room for others while the flood goes on.
        let generations = 1 + usize::try_from(started.elapsed().as_secs()).unwrap() / 2;
        assert!(
            taken >= 500 && taken <= 500 * generations,
            "{taken} in wave {wave}"
        );
        // All of them are gone when as many as may be can come again.
        let again = Instant::now();
        loop {
            let answer = once(address, &get(POLLING, "")).await;
            if answer.status == 200 {
                break;
            }
            assert_eq!((answer.status, answer.code().as_str()), (503, "overloaded"));
            assert!(again.elapsed() < PATIENCE, "they are still there");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        tokio::time::sleep(Duration::from_millis(2_500)).await;
        after.push(server.memory("VmRSS").expect("/proc"));
    }
    assert!(kit::refused(address, "session", "max_pending_sessions").await > 0);
    // The sessions of two waves, kept, would be 14 MiB at the least.
    let grown = after[4].saturating_sub(after[2]);
    assert!(grown < 5_120, "two waves left {grown} KiB: {after:?}");
    good.was_served().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_has_few_sessions_without_a_namespace_by_either_transport() {
    let server = server_with(|c| {
        c.server.exempt_addresses = Networks::default();
        c.server.max_pending_per_address.set(4).unwrap();
        // Longer than a busy machine needs for all of them.
        c.server.connect_timeout.set(6.0).unwrap();
    })
    .await;
    let address = server.address();
    let attack = async || {
        let mut streams = Vec::new();
        let mut statuses = Vec::new();
        for n in 0..8 {
            let mut stream = wire::from("127.6.6.6", address).await;
            let request = if n % 2 == 0 {
                get(POLLING, "")
            } else {
                get(SOCKET, UPGRADE)
            };
            statuses.push(exchange(&mut stream, &request).await.unwrap().status);
            streams.push(stream);
        }
        (statuses, streams)
    };
    let (statuses, mut streams) = attack().await;
    assert_eq!(statuses, [200, 101, 200, 101, 429, 429, 429, 429]);
    assert_eq!(
        kit::refused(address, "session", "max_pending_per_address").await,
        4
    );
    // Others come in, and who joins a namespace is not held to it, by either transport.
    let good = Good::beside(address).await;
    for _ in 0..6 {
        let (_client, _) = kit::Client::connect(address, serde_json::json!({})).await;
        let sid = open(address, 4).await;
        let path = format!("{POLLING}&sid={sid}");
        assert_eq!(
            once(address, &post(&path, "text/plain", "40")).await.status,
            200
        );
        // A ping may come first.
        while !once(address, &get(&path, "")).await.body.contains("40{") {}
    }
    // The WebSockets are ended by the server, the polling sessions forgotten.
    for stream in streams.iter_mut().skip(1).step_by(2).take(2) {
        closed(stream).await;
    }
    let started = Instant::now();
    while attack().await.0[..2] != [200, 101] {
        assert!(started.elapsed() < PATIENCE, "they are still counted");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    good.was_served().await;
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn upgrades_that_never_finish_are_reclaimed() {
    const MANY: usize = 50;
    /// Half of the time to connect, after which the first upgrade is given up.
    const FIRST_END: Duration = Duration::from_secs(4);
    let server = Process::with_keys(&[("CONNECT_TIMEOUT", "8"), ("HEADER_TIMEOUT", "8")]);
    let address = server.address;
    let good = Good::beside(address).await;
    let before = server.descriptors();
    let mut held = Vec::new();
    let begun = Instant::now();
    for n in 0..MANY {
        let mut stream = TcpStream::connect(address).await.unwrap();
        match n % 3 {
            // Upgraded, and then nothing.
            0 => assert_eq!(
                exchange(&mut stream, &get(SOCKET, UPGRADE))
                    .await
                    .unwrap()
                    .status,
                101
            ),
            // The upgrade of a polling session, never probed.
            1 => {
                let sid = open(address, 4).await;
                let path = format!("{SOCKET}&sid={sid}");
                assert_eq!(
                    exchange(&mut stream, &get(&path, UPGRADE))
                        .await
                        .unwrap()
                        .status,
                    101
                );
            }
            // A handshake that never ends.
            _ => {
                let half = get(SOCKET, UPGRADE);
                stream
                    .write_all(&half.as_bytes()[..half.len() - 2])
                    .await
                    .unwrap();
            }
        }
        held.push(stream);
    }
    // On a busy machine the last of them may be open only when the first are given up already.
    let opened = begun.elapsed();
    if opened < FIRST_END / 2 {
        wait_for("all of them to be held", async || {
            server.descriptors() >= before + MANY || begun.elapsed() >= FIRST_END
        })
        .await;
        assert!(
            begun.elapsed() < FIRST_END,
            "{} descriptors, and {before} before",
            server.descriptors()
        );
    }
    for stream in &mut held {
        closed(stream).await;
    }
    wait_for("their descriptors are given back", async || {
        server.descriptors() <= before + 2
    })
    .await;
    good.was_served().await;
}
