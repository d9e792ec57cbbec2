//! The figures are true: what a server tells of itself is what was done to it, and what its clients measured.

mod connections;
mod health;

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use kit::{
    Client, counted, get,
    guarded::{grant, guarded, observer, producer, request, token},
    metrics,
    polling::Polling,
    post, server, server_with,
    source::Source,
    until, wait_for,
};
use serde_json::{Value, json};
use stoa::config::Role;

async fn performance(address: SocketAddr) -> Value {
    let (status, performance) = get(address, "/api/v1/performance").await;
    assert_eq!(status, 200, "{performance}");
    performance
}

async fn health(address: SocketAddr) -> Value {
    let (status, health) = get(address, "/api/v1/health").await;
    assert_eq!(status, 200, "{health}");
    health
}

/// The sum of a histogram's observations.
async fn observed(address: SocketAddr, start: &str) -> u64 {
    let all = metrics(address).await;
    let lines = all.lines().filter(|line| line.starts_with(start));
    lines
        .map(|line| {
            line.rsplit(' ')
                .next()
                .expect("a value")
                .parse::<u64>()
                .expect("a number")
        })
        .sum()
}

/// Whether an event is an update of the stream, and not an aggregate or an answer.
fn is_update((_, fields): &(String, Value)) -> bool {
    !fields["source_type"].is_null()
}

/// Asks until a client has this many updates.
async fn take_updates(client: &mut Client, count: usize) {
    let mut seen = 0;
    while seen < count {
        let event = client.next().await.expect("an update");
        seen += usize::from(is_update(&event));
    }
    assert_eq!(seen, count);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_updates_deliveries_and_refusals_are_those_that_were() {
    const EVENTS: usize = 40;
    const REFUSED: usize = 7;
    let server = server().await;
    let address = server.address();
    let (mut first, _) = Client::connect(address, json!(null)).await;
    let (mut second, _) = Client::connect(address, json!(null)).await;
    let polled = Polling::join(address, 4).await;
    let mut stream = Source::open(address, "", None).await;
    let (mut sender, _) = Client::connect(address, json!({ "role": "producer" })).await;
    let before = performance(address).await;

    for n in 0..EVENTS / 2 {
        let event = json!({ "type": "decision.made", "data": { "what": n, "project_id": "p" } });
        assert_eq!(post(address, &event).await.0, 202);
        let event = json!({ "type": "task.assigned", "data": { "task_id": n, "agent_id": "a" } });
        let answer = sender.call("publish", event).await;
        assert_eq!(answer["accepted"], 1, "{answer}");
    }
    for n in 0..REFUSED {
        let (status, _) = match n % 2 {
            0 => post(address, &json!({ "type": 7 })).await,
            _ => post(address, &json!({ "data": {} })).await,
        };
        assert_eq!(status, 400);
    }
    for client in [&mut first, &mut second, &mut sender] {
        take_updates(client, EVENTS).await;
    }
    let mut seen = 0;
    while seen < EVENTS {
        let sent = stream.next().await.expect("an event");
        seen += usize::from(!sent.data["source_type"].is_null());
    }
    let delivered = 5 * EVENTS as u64;
    wait_for("the last poll to be answered", async || {
        observed(address, "stoa_socket_latency_seconds_count").await == delivered
    })
    .await;
    drop(polled);

    let now = performance(address).await;
    let grown = |field: &str| now[field].as_u64().unwrap() - before[field].as_u64().unwrap();
    assert_eq!(grown("total_events"), EVENTS as u64, "{now}");
    assert_eq!(grown("total_updates"), EVENTS as u64, "{now}");
    assert_eq!(grown("total_deliveries"), delivered, "{now}");
    for priority in ["high", "normal"] {
        let of = &now["latency_ms"][priority];
        assert_eq!(of["count"], delivered / 2, "{now}");
        let [p50, p95, p99] = ["p50", "p95", "p99"].map(|q| of[q].as_f64().expect("a time"));
        assert!(0.0 < p50 && p50 <= p95 && p95 <= p99, "{of}");
    }
    assert_eq!(now["latency_ms"]["critical"]["count"], 0);
    assert_eq!(now["latency_ms"]["critical"]["p99"], Value::Null);
    assert_eq!(now["message_latency"], now["average_latency_ms"]);
    for rate in [
        "updates_per_second",
        "events_per_second",
        "deliveries_per_second",
    ] {
        assert!(now[rate].as_f64().expect("a rate") > 0.0, "{rate}: {now}");
    }
    for (line, count) in [
        (
            "stoa_events_by_family_total{family=\"decision\",door=\"http\"}",
            EVENTS / 2,
        ),
        (
            "stoa_events_by_family_total{family=\"task\",door=\"socketio\"}",
            EVENTS / 2,
        ),
        ("stoa_events_total", EVENTS),
        ("stoa_events_rejected_total", REFUSED),
        ("stoa_attempts_total{outcome=\"refused\"}", REFUSED),
        // Five clients came, and each event counts by itself, however it came.
        ("stoa_attempts_total{outcome=\"ok\"}", EVENTS + 5),
    ] {
        assert_eq!(counted(address, line).await, count as u64, "{line}");
    }
    // Faults of producers are none of the server's.
    assert_eq!(now["success_rate"], 1.0, "{now}");
    let rate = now["refused_rate"].as_f64().expect("a rate");
    let expected = REFUSED as f64 / (EVENTS + 5 + REFUSED) as f64;
    assert!((rate - expected).abs() < 1e-9, "{rate} for {expected}");
    let (sent, received) = (&now["network"]["out_bytes"], &now["network"]["in_bytes"]);
    // Each update is some hundred bytes, and was written five times.
    assert!(sent.as_u64().unwrap() > delivered * 200, "{now}");
    assert!(received.as_u64().unwrap() > 20 * EVENTS as u64, "{now}");
    let health = health(address).await;
    // The time that updates take is the machine's matter here.
    let issues = health["issue_details"].as_array().expect("issues");
    let failures = issues
        .iter()
        .any(|issue| issue["code"] == "low_success_rate");
    assert!(!failures, "{health}");
    server.shutdown().await;
}

/// The bytes that a stream of server-sent events brings are those that the server says it wrote.
#[tokio::test(flavor = "multi_thread")]
async fn bytes_are_counted_as_they_come_and_go() {
    let server = server().await;
    let address = server.address();
    let bytes = async || {
        let of = |way: &str| format!("stoa_network_bytes_total{{direction=\"{way}\"}}");
        let all = metrics(address).await;
        [of("in"), of("out")].map(|start| kit::metrics::sum(&all, &start))
    };
    let body = format!(
        "{{\"type\":\"note\",\"data\":{{\"text\":\"{}\"}}}}",
        "x".repeat(50_000)
    );
    let [came, _] = bytes().await;
    let (status, _) = kit::post_raw(address, "application/json", body).await;
    assert_eq!(status, 202);
    let [came_now, went] = bytes().await;
    assert!(
        (50_000..53_000).contains(&(came_now - came)),
        "{}",
        came_now - came
    );
    let (_, state) = get(address, "/api/v1/events").await;
    let [_, went_now] = bytes().await;
    let length = state.to_string().len() as u64;
    // The answer, with its head and the figures that were asked for.
    assert!(
        went_now - went >= length,
        "{} for {length}",
        went_now - went
    );
    server.shutdown().await;
}

/// The server's time from accepted to written lies within the client's from publish to received, for each update; so its
/// median does, too.
#[tokio::test(flavor = "multi_thread")]
async fn latency_is_within_what_a_client_measures() {
    const UPDATES: usize = 200;
    let server = server().await;
    let address = server.address();
    let (mut client, _) = Client::connect(address, json!({ "role": "producer" })).await;
    let mut times = Vec::new();
    for n in 0..UPDATES {
        let published = Instant::now();
        let event = json!({ "type": "decision.made", "data": { "what": n } });
        client.emit("publish", event).await;
        client.event("decision_event").await;
        times.push(published.elapsed());
    }
    times.sort_unstable();
    let now = performance(address).await;
    let of = &now["latency_ms"]["normal"];
    assert_eq!(of["count"], UPDATES, "{now}");
    for (share, name) in [(50, "p50"), (95, "p95")] {
        let client = times[UPDATES * share / 100].as_secs_f64() * 1_000.0;
        let server = of[name].as_f64().expect("a time");
        // A quantile is off by half a bucket at most.
        assert!(
            server <= client * 1.04,
            "{name}: {server} ms, and {client} ms for the client"
        );
        assert!(
            server >= client / 50.0,
            "{name}: {server} ms, and {client} ms for the client"
        );
    }
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_are_for_operators() {
    let server = guarded(|_| {}).await;
    let address = server.address();
    let operator = token(&grant(Role::Operator));
    for path in ["/api/v1/performance", "/api/v1/health"] {
        assert_eq!(get(address, path).await.0, 401, "{path}");
        for other in [observer("alice", &["p"]), producer()] {
            let (status, answer) = request("GET", address, path, &other, None).await;
            assert_eq!(
                (status, &answer["error"]["code"]),
                (403, &json!("forbidden")),
                "{path}"
            );
        }
        let (status, answer) = request("GET", address, path, &operator, None).await;
        assert_eq!(status, 200, "{answer}");
    }
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_processor_and_queues_are_those_of_the_process() {
    let server = server().await;
    let address = server.address();
    let (client, _) = Client::connect(address, json!(null)).await;
    let now = performance(address).await;
    let memory = now["memory"]["rss_bytes"].as_u64().expect("bytes");
    assert!(memory > 1_000_000, "{now}");
    assert_eq!(now["memory_usage"], now["memory"]["rss_bytes"]);
    assert!(now["memory"]["peak_rss_bytes"].as_u64() >= Some(memory));
    assert!(now["cpu"]["seconds"].as_f64().expect("seconds") > 0.0);
    assert_eq!(now["cpu_usage"], now["cpu"]["percent"]);
    assert!(now["cpu"]["cores"].as_u64() >= Some(1));
    assert_eq!(
        now["queues"],
        json!({
            "hub_lag_events": 0, "journal_waiting": 0, "observers_behind": 0,
            "held_updates": { "critical": 0, "high": 0, "normal": 0, "low": 0 },
        })
    );
    assert_eq!(now["circuit_breaker_state"], "closed");
    assert_eq!(now["degradation"]["step"], 0);
    assert_eq!(now["degradation"]["name"], "normal");
    assert!(now["uptime_seconds"].as_f64().expect("seconds") > 0.0);
    // The room of everybody, and that of observers.
    assert_eq!(counted(address, "stoa_rooms").await, 2);
    assert_eq!(counted(address, "stoa_observers").await, 1);
    drop(client);
    server.shutdown().await;
}

/// Updates that wait in a window are told by their priority, and are gone when it is over.
#[tokio::test(flavor = "multi_thread")]
async fn held_updates_are_told_by_priority() {
    let server = server_with(|config| config.transform.throttle_ms.set(60_000).unwrap()).await;
    let address = server.address();
    let progress =
        |n: usize| json!({ "type": "task.progress", "data": { "task_id": "t", "progress": n } });
    for n in 0..3 {
        post(address, &progress(n)).await;
    }
    until("the held update", async || {
        let queues = performance(address).await["queues"].take();
        (queues["held_updates"]["normal"] == 1).then_some(())
    })
    .await;
    // An end releases what is held for the same task.
    let done = json!({ "type": "task.completed", "data": { "task_id": "t" } });
    post(address, &done).await;
    until("its release", async || {
        let queues = performance(address).await["queues"].take();
        (queues["held_updates"]["normal"] == 0).then_some(())
    })
    .await;
    server.shutdown().await;
}

/// A rate is over the last ten seconds, not since the start: without events it falls to nothing.
#[tokio::test(flavor = "multi_thread")]
async fn rates_fall_when_nothing_comes() {
    let server = server().await;
    let address = server.address();
    for n in 0..20 {
        post(
            address,
            &json!({ "type": "decision.made", "data": { "what": n } }),
        )
        .await;
    }
    assert!(
        performance(address).await["events_per_second"]
            .as_f64()
            .unwrap()
            > 0.0
    );
    let begun = Instant::now();
    until("the rate to fall", async || {
        let now = performance(address).await;
        (now["events_per_second"] == 0.0).then_some(())
    })
    .await;
    assert!(
        begun.elapsed() > Duration::from_secs(8),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(performance(address).await["total_events"], 20);
    server.shutdown().await;
}
