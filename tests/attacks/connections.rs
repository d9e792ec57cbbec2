//! Too many connections, too often, or held open for nothing; and addresses that are made up.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use serde_json::json;
use stoa::config::{Config, Networks};
use tokio::{io::AsyncWriteExt, net::TcpStream};

use kit::{
    PATIENCE, post as publish,
    process::Process,
    server_with, wait_for,
    wire::{self, Good, SOCKET, UPGRADE, closed, exchange, from, get},
};

/// The attacker's address; the good client comes from 127.0.0.1.
const ATTACKER: &str = "127.6.6.6";

fn nobody_is_exempt(config: &mut Config) {
    config.server.exempt_addresses = Networks::default();
}

#[tokio::test(flavor = "multi_thread")]
async fn slowloris_does_not_stop_a_good_client() {
    const MANY: usize = 500;
    let server = Process::with_keys(&[("HEADER_TIMEOUT", "1.5")]);
    let good = Good::beside(server.address).await;
    let before = server.descriptors();
    let mut attackers = Vec::new();
    for n in 0..MANY {
        let mut stream = from(ATTACKER, server.address).await;
        attackers.push(tokio::spawn(async move {
            // Some say nothing at all, the others one byte at a time.
            let silent = n % 4 == 0;
            let head =
                b"GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: localhost\r\nX-Slow: ";
            if !silent {
                stream.write_all(head).await.ok();
            }
            let (mut read, mut write) = stream.into_split();
            let dripping = tokio::spawn(async move {
                while !silent && write.write_all(b"x").await.is_ok() {
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
                write
            });
            let mut nothing = [0; 1];
            tokio::io::AsyncReadExt::read(&mut read, &mut nothing)
                .await
                .ok();
            dripping.abort();
        }));
    }
    // Somebody new comes in meanwhile.
    Good::beside(server.address).await.was_served().await;
    for attacker in attackers {
        let ending = tokio::time::timeout(PATIENCE, attacker).await;
        ending.expect("none is held on").unwrap();
    }
    wait_for("their descriptors are given back", async || {
        server.descriptors() <= before + 20
    })
    .await;
    let killed = kit::counted(
        server.address,
        "stoa_connections_killed_total{reason=\"header_timeout\"}",
    )
    .await;
    assert_eq!(killed, MANY as u64);
    good.was_served().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_request_does_not_hold_up_a_stop() {
    let server = server_with(|c| {
        c.server.shutdown_timeout.set(600.0).unwrap();
        c.server.header_timeout.set(600.0).unwrap();
    })
    .await;
    let mut half = TcpStream::connect(server.address()).await.unwrap();
    half.write_all(b"GET / HTTP/1.1\r\nHos").await.unwrap();
    let silent = TcpStream::connect(server.address()).await.unwrap();
    let mut kept = TcpStream::connect(server.address()).await.unwrap();
    assert_eq!(
        exchange(&mut kept, &get("/healthz", ""))
            .await
            .unwrap()
            .status,
        200
    );
    tokio::time::timeout(PATIENCE, server.shutdown())
        .await
        .expect("it is not waited for");
    drop((half, silent, kept));
}

/// Opens connections from an address until one is refused; those that were let in, and the refusal.
async fn until_refused(
    source: &str,
    address: SocketAddr,
    most: usize,
) -> (Vec<TcpStream>, wire::Answer) {
    let mut open = Vec::new();
    for _ in 0..=most {
        let mut stream = from(source, address).await;
        match exchange(&mut stream, &get("/healthz", "")).await {
            Some(answer) if answer.status == 200 => open.push(stream),
            Some(answer) => return (open, answer),
            // The goodbye may be lost to a reset: what counts is that it is not let in.
            None => {}
        }
    }
    panic!("{} connections and none was refused", open.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_gets_no_more_connections_than_it_may_whoever_it_says_it_is() {
    let server = server_with(|c| {
        nobody_is_exempt(c);
        c.server.max_connections_per_address.set(5).unwrap();
    })
    .await;
    let address = server.address();
    let good = Good::beside(address).await;
    let (mut open, refusal) = until_refused(ATTACKER, address, 20).await;
    assert_eq!(open.len(), 5);
    assert_eq!(
        (refusal.status, refusal.code().as_str()),
        (429, "rate_limited")
    );
    assert_eq!(refusal.header("connection").as_deref(), Some("close"));
    // Nobody is a trusted proxy here: what a client writes of itself is nothing.
    let mut liar = from(ATTACKER, address).await;
    let lie = get(
        "/healthz",
        "X-Forwarded-For: 203.0.113.7\r\nForwarded: for=203.0.113.7\r\n",
    );
    assert!(
        exchange(&mut liar, &lie)
            .await
            .is_none_or(|a| a.status == 429)
    );
    assert!(kit::refused(address, "connection", "max_connections_per_address").await >= 2);
    // A WebSocket counts for as long as it lives, too.
    let upgraded = exchange(&mut open[0], &get(SOCKET, UPGRADE)).await.unwrap();
    assert_eq!(upgraded.status, 101);
    let (more, _) = until_refused(ATTACKER, address, 20).await;
    assert!(more.is_empty());
    drop(open);
    let started = Instant::now();
    let mut again = from(ATTACKER, address).await;
    while exchange(&mut again, &get("/healthz", ""))
        .await
        .is_none_or(|a| a.status != 200)
    {
        assert!(started.elapsed() < PATIENCE, "its places are free again");
        tokio::time::sleep(Duration::from_millis(20)).await;
        again = from(ATTACKER, address).await;
    }
    good.was_served().await;
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_proxy_each_client_is_counted_by_the_address_that_the_proxy_saw() {
    let server = server_with(|c| {
        nobody_is_exempt(c);
        c.server.allow_insecure = true;
        c.server.trusted_proxies = "127.0.0.0/8".parse().unwrap();
        c.server.max_connections_per_address.set(3).unwrap();
    })
    .await;
    let address = server.address();
    let upgrade = |forwarded: &str| {
        get(
            SOCKET,
            &format!("X-Forwarded-For: {forwarded}\r\n{UPGRADE}"),
        )
    };
    let mut open = Vec::new();
    let mut statuses = Vec::new();
    for forged in 0..6 {
        // The proxy appends what it saw to whatever the client wrote.
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = upgrade(&format!("10.0.0.{forged}, 203.0.113.7"));
        let answer = exchange(&mut stream, &request).await.unwrap();
        statuses.push(answer.status);
        open.push(stream);
    }
    assert_eq!(statuses, [101, 101, 101, 429, 429, 429]);
    // A session that polls has its place without a connection of its own.
    let mut polls = TcpStream::connect(address).await.unwrap();
    let handshake = get(wire::POLLING, "X-Forwarded-For: 203.0.113.9\r\n");
    let mut statuses = Vec::new();
    for _ in 0..5 {
        statuses.push(exchange(&mut polls, &handshake).await.map(|a| a.status));
        if statuses.last() == Some(&Some(429)) {
            polls = TcpStream::connect(address).await.unwrap();
        }
    }
    let (taken, full) = (Some(200), Some(429));
    assert_eq!(statuses, [taken, taken, taken, full, full]);
    let mut other = TcpStream::connect(address).await.unwrap();
    let answer = exchange(&mut other, &upgrade("203.0.113.8")).await.unwrap();
    assert_eq!(answer.status, 101, "another client of the same proxy");
    drop(open);
    let started = Instant::now();
    loop {
        let mut stream = TcpStream::connect(address).await.unwrap();
        if exchange(&mut stream, &upgrade("203.0.113.7"))
            .await
            .unwrap()
            .status
            == 101
        {
            break;
        }
        assert!(started.elapsed() < PATIENCE, "its places are free again");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn there_are_no_more_connections_than_there_may_be() {
    let server = server_with(|c| c.server.max_connections.set(8).unwrap()).await;
    let address = server.address();
    let good = Good::beside(address).await;
    let (open, refusal) = until_refused(ATTACKER, address, 20).await;
    assert_eq!(open.len(), 7, "and the good client's");
    assert_eq!(
        (refusal.status, refusal.code().as_str()),
        (503, "overloaded")
    );
    drop(open);
    good.was_served().await;
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_connects_no_more_often_than_it_may() {
    let server = server_with(|c| {
        nobody_is_exempt(c);
        c.server.connections_per_second_per_address.set(10).unwrap();
    })
    .await;
    let address = server.address();
    let good = Good::beside(address).await;
    // All at once: a busy machine that takes seconds for them still has more of them in each than it may let in.
    let attacks: Vec<_> = (0..150)
        .map(|_| {
            tokio::spawn(async move {
                let mut stream = from(ATTACKER, address).await;
                let request = get("/healthz", "Connection: close\r\n");
                let answer = exchange(&mut stream, &request).await;
                answer.is_some_and(|answer| answer.status == 200)
            })
        })
        .collect();
    let (mut taken, mut refused) = (0, 0);
    for attack in attacks {
        match attack.await.unwrap() {
            true => taken += 1,
            false => refused += 1,
        }
    }
    assert!(
        taken >= 10 && refused > 0,
        "{taken} taken, {refused} refused"
    );
    let counted = kit::refused(address, "connection", "connections_per_second_per_address").await;
    assert_eq!(counted, refused);
    good.was_served().await;
    server.shutdown().await;
}

/// An office behind one address: newcomers who come too often are refused, and who is in goes on, with a connection for each
/// request as some clients make them.
#[tokio::test(flavor = "multi_thread")]
async fn sessions_that_live_are_not_throttled_with_newcomers_of_their_address() {
    const SESSIONS: usize = 5;
    let server = server_with(|c| {
        nobody_is_exempt(c);
        c.server.connections_per_second_per_address.set(10).unwrap();
    })
    .await;
    let address = server.address();
    let ask = async |request: String| {
        let mut stream = from(ATTACKER, address).await;
        exchange(&mut stream, &request).await.expect("an answer")
    };
    let mut paths = Vec::new();
    for _ in 0..SESSIONS {
        let opened = ask(get(wire::POLLING, "")).await;
        let sid = wire::sid(&opened).unwrap_or_else(|| panic!("no session: {opened:?}"));
        let path = format!("{}&sid={sid}", wire::POLLING);
        assert_eq!(ask(wire::post(&path, "text/plain", "40")).await.status, 200);
        while !ask(get(&path, "")).await.body.contains("40{") {}
        paths.push(path);
    }
    let newcomers = (0..100).map(|_| async { ask(get(wire::POLLING, "")).await.status });
    let statuses = futures_util::future::join_all(newcomers).await;
    assert!(statuses.contains(&429), "{statuses:?}");
    for round in 0..8 {
        for path in &paths {
            let event = format!("42{round}[\"ping\"]");
            let answer = ask(wire::post(path, "text/plain", &event)).await;
            assert_eq!(answer.status, 200, "{answer:?}");
        }
    }
    server.shutdown().await;
}

/// A large office at the limits as they come: each polls with one connection after another, and each gets the event once.
#[tokio::test(flavor = "multi_thread")]
async fn three_hundred_that_poll_behind_one_address_come_in_and_get_their_events() {
    const CLIENTS: usize = 300;
    let server = server_with(nobody_is_exempt).await;
    let address = server.address();
    let ask = async move |request: String| {
        let mut stream = from(ATTACKER, address).await;
        exchange(&mut stream, &request).await
    };
    // Polls until this has come; how often it came.
    let poll = async move |path: &str, until: &str| {
        let mut heard = String::new();
        while !heard.contains(until) {
            let polled = ask(get(path, "")).await.expect("an answer");
            assert_eq!(polled.status, 200, "{polled:?}");
            if polled.body.split('\u{1e}').any(|packet| packet == "2") {
                let pong = ask(wire::post(path, "text/plain", "3")).await;
                assert_eq!(pong.expect("an answer").status, 200);
            }
            heard += &polled.body;
        }
        heard.matches(until).count()
    };
    let joining = (0..CLIENTS).map(|_| {
        tokio::spawn(async move {
            // A client that comes too often is told so, and comes again as clients do.
            let mut refused = 0;
            let sid = loop {
                match ask(get(wire::POLLING, "")).await {
                    Some(opened) if opened.status == 200 => break wire::sid(&opened),
                    Some(opened) => assert_eq!(opened.status, 429, "{opened:?}"),
                    None => {}
                }
                refused += 1;
                tokio::time::sleep(Duration::from_millis(250)).await;
            };
            let path = format!("{}&sid={}", wire::POLLING, sid.expect("a session"));
            // Nothing that a session asks for is refused or lost, however many others come meanwhile.
            let said = ask(wire::post(&path, "text/plain", "40")).await;
            assert_eq!(said.expect("an answer").status, 200);
            poll(&path, "connection_established").await;
            (path, refused)
        })
    });
    let joining: Vec<_> = joining.collect();
    let (mut paths, mut refused) = (Vec::new(), 0);
    for joined in joining {
        let (path, times) = joined.await.expect("it comes in");
        paths.push(path);
        refused += times;
    }
    let event = json!({ "type": "decision.logged", "data": { "what": "x" } });
    assert_eq!(publish(address, &event).await.0, 202);
    let polling = paths
        .into_iter()
        .map(|path| tokio::spawn(async move { poll(&path, "[\"decision_event\",").await }));
    let polling: Vec<_> = polling.collect();
    for polled in polling {
        assert_eq!(polled.await.expect("it is served"), 1, "once");
    }
    let counted = kit::refused(address, "connection", "connections_per_second_per_address").await;
    assert!(
        counted <= refused,
        "only newcomers were: {counted} of {refused}"
    );
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_too_fast_for_all_waits_and_is_served() {
    let server = server_with(|c| c.server.connections_per_second.set(20).unwrap()).await;
    let address = server.address();
    let started = Instant::now();
    let asking = (0..50).map(|_| {
        tokio::spawn(async move { wire::once(address, &get("/healthz", "")).await.status })
    });
    let asking: Vec<_> = asking.collect();
    for asked in asking {
        assert_eq!(asked.await.unwrap(), 200);
    }
    let took = started.elapsed();
    assert!(
        took > Duration::from_secs(1),
        "50 at 20 in a second took only {took:?}"
    );
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_nobody_takes_is_given_up() {
    let server = server_with(|c| c.server.stall_timeout.set(1.0).unwrap()).await;
    let address = server.address();
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let mut stream = socket.connect(address).await.unwrap();
    // Thousands of answers asked for at once, and none of them read.
    let asked = get("/metrics", "").repeat(2_000);
    let writing = tokio::time::timeout(Duration::from_secs(3), stream.write_all(asked.as_bytes()));
    writing.await.ok();
    let name = "stoa_connections_killed_total{reason=\"stalled\"}";
    let started = Instant::now();
    while kit::counted(address, name).await == 0 {
        assert!(started.elapsed() < PATIENCE, "it is still held");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    closed(&mut stream).await;
    server.shutdown().await;
}
