//! A node that is drained.

use kit::{
    Client, START_SECRET, counted, door::DoorClient, get, guarded::request, http_client,
    polling::Polling, post, server, source::Source, until_folded,
};
use serde_json::{Value, json};

use super::{DRAIN, drain, drained, serve_again, task};

#[tokio::test(flavor = "multi_thread")]
async fn clients_are_let_go_with_all_that_was_sent_and_go_on_from_there() {
    let server = server().await;
    let address = server.address();
    let (mut client, hello) = Client::connect(address, json!({})).await;
    let (mut beside, _) = Client::connect(address, json!({})).await;
    for n in 0..20 {
        post(address, &task(n)).await;
    }
    let status = drain(address, &json!({})).await;
    assert_eq!(status["state"], "draining", "{status}");
    assert_eq!(status["alone"], true);
    assert!(
        status["message"]
            .as_str()
            .unwrap()
            .contains("no other node"),
        "{status}"
    );
    let mut cursor = hello["cursor"].clone();
    let mut seen = Vec::new();
    while let Some((name, update)) = client.next().await {
        if name == "task_update" {
            seen.push(update["id"].clone());
            cursor = update["cursor"].clone();
        }
    }
    // After a packet that disconnects it, or closes its session, a client stays away.
    let stays_away = |packet: &String| packet.starts_with("41") || packet == "1";
    assert!(!client.other.iter().any(stays_away), "{:?}", client.other);
    while beside.next().await.is_some() {}
    let status = drained(address).await;
    assert_eq!(status["clients"], 0, "{status}");
    let (code, ready) = get(address, "/readyz").await;
    assert_eq!(code, 503);
    assert_eq!(ready["parts"]["server"]["status"], "draining", "{ready}");
    assert!(ready["parts"]["server"]["reason"].is_string(), "{ready}");
    assert_eq!(get(address, "/healthz").await.0, 200);
    // Producers are served: a proxy leads them elsewhere by the readiness.
    let (code, answer) = post(address, &task(20)).await;
    assert_eq!((code, &answer["accepted"]), (202, &json!(1)));
    assert_eq!(counted(address, "stoa_drain_state").await, 2);
    assert_eq!(
        counted(address, "stoa_drain_moved_total{cause=\"drain\"}").await,
        2
    );
    serve_again(address).await;
    assert_eq!(get(address, "/readyz").await.0, 200);
    let (mut client, _) = Client::connect(address, json!({ "cursor": cursor })).await;
    let missed = 21 - seen.len();
    for _ in 0..missed {
        seen.push(client.event("task_update").await["id"].clone());
    }
    let all: Vec<Value> = (0..21).map(|n| json!(format!("e{n}"))).collect();
    assert_eq!(seen, all);
    let resumed = client.event("resumed").await;
    assert_eq!(
        (&resumed["complete"], &resumed["replayed"]),
        (&json!(true), &json!(missed))
    );
    let (code, answer) = request("DELETE", address, DRAIN, START_SECRET, None).await;
    assert_eq!((code, answer), (200, json!({ "ended": false })));
}

#[tokio::test(flavor = "multi_thread")]
async fn new_clients_are_sent_on_by_every_door() {
    let server = server().await;
    let address = server.address();
    drain(address, &json!({ "seconds": 0 })).await;
    drained(address).await;
    let status = async |path: &str| {
        let answer = http_client()
            .get(format!("http://{address}{path}"))
            .send()
            .await
            .unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let (code, text) = status("/socket.io/?EIO=4&transport=polling").await;
    assert_eq!(code, 503, "{text}");
    assert!(
        text.contains("unavailable") && text.contains("another one takes you"),
        "{text}"
    );
    // A session that is not here may be the next node's.
    let sid = "AAAAAAAAAAAAAAHs";
    for path in [
        "/socket.io/?EIO=4&transport=polling&sid=",
        "/socket.io/?EIO=3&transport=polling&sid=",
    ] {
        assert_eq!(status(&format!("{path}{sid}")).await.0, 503);
    }
    for path in [
        "/socket.io/?EIO=4&transport=websocket",
        "/socket.io/?EIO=3&transport=websocket",
        "/socket.io/?EIO=4&transport=websocket&sid=AAAAAAAAAAAAAAHs",
        "/api/v1/ws",
        "/ws/visualization",
    ] {
        assert_eq!(
            DoorClient::open(address, path).await.unwrap_err(),
            503,
            "{path}"
        );
    }
    // An EventSource never comes back after a refusal.
    let (code, text) = status("/api/v1/stream").await;
    assert_eq!(code, 200);
    assert!(text.starts_with("retry: 1000\n"), "{text}");
    for (door, count) in [("socketio", 6), ("sse", 1), ("guide", 1)] {
        let label = format!("stoa_drain_refused_total{{door=\"{door}\"}}");
        assert_eq!(counted(address, &label).await, count, "{door}");
    }
    serve_again(address).await;
    let (code, text) = status(&format!("/socket.io/?EIO=4&transport=polling&sid={sid}")).await;
    assert_eq!(code, 400, "{text}");
    Client::connect(address, json!({})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_and_plain_websockets_end_so_that_they_are_opened_again() {
    let server = server().await;
    let address = server.address();
    let mut source = Source::open(address, "types=task_*", None).await;
    let mut last = source.event("connection_established").await.id;
    let mut door = DoorClient::open(address, "/api/v1/ws").await.unwrap();
    door.until("connection").await;
    for n in 0..5 {
        post(address, &task(n)).await;
    }
    for n in 0..5 {
        let update = source.event("task_update").await;
        assert_eq!(update.data["id"], format!("e{n}"));
        last = update.id;
    }
    drain(address, &json!({})).await;
    assert!(source.next().await.is_none(), "it ends without a word");
    while door.next().await.is_some() {}
    let (code, words) = door.closed.expect("a close frame");
    assert_eq!(code, 1012, "{words}");
    drained(address).await;
    post(address, &task(5)).await;
    serve_again(address).await;
    let mut source = Source::open(address, "types=task_*", last.as_deref()).await;
    assert_eq!(source.event("task_update").await.data["id"], "e5");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_polls_fetches_all_and_is_not_told_to_close() {
    let server = server().await;
    let address = server.address();
    for version in [3, 4] {
        let polling = Polling::join(address, version).await;
        for n in 0..40 {
            post(address, &task(n + 100 * usize::from(version))).await;
        }
        // Without a cursor it would miss what the loop has not sent yet.
        let last = format!("\"t{}\"", 39 + 100 * usize::from(version));
        polling.wait_for(&last).await;
        drain(address, &json!({})).await;
        drained(address).await;
        let heard = polling.heard();
        assert_eq!(heard.matches("[\"task_update\"").count(), 40, "{heard}");
        let packets: Vec<_> = heard.split('\u{1e}').collect();
        assert!(
            !packets.iter().any(|p| *p == "1" || p.starts_with("41")),
            "{heard}"
        );
        serve_again(address).await;
        // Its session is unknown from now on, so it opens another one.
        let answer = polling.http.get(&polling.url).send().await.unwrap();
        assert_eq!(answer.status(), 400);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_producer_sent_before_is_answered_first() {
    let server = server().await;
    let address = server.address();
    let (mut producer, _) = Client::connect(address, json!({ "role": "producer" })).await;
    let mut calls = Vec::new();
    for n in 0..200 {
        calls.push(producer.call_later("publish", task(n)).await);
    }
    // The answer to the last one that came before the drain is the last one of all.
    assert_eq!(producer.ack(calls[0]).await["status"], "ok");
    drain(address, &json!({})).await;
    let mut answered = 1;
    for call in &calls[1..] {
        match producer.try_ack(*call).await {
            Some(answer) => assert_eq!(answer["status"], "ok", "{answer}"),
            None => break,
        }
        answered += 1;
    }
    drained(address).await;
    let (_, answer) = post(address, &task(1000)).await;
    until_folded(address, &answer["cursor"]).await;
    let (_, history) = get(address, "/api/v1/events?limit=1000&order=asc").await;
    let kept: Vec<&Value> = history["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| &e["id"])
        .collect();
    for (n, id) in kept.iter().take(answered).enumerate() {
        assert_eq!(*id, &json!(format!("e{n}")));
    }
    assert_eq!(
        kept.len(),
        answered + 1,
        "each event that is kept was answered"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn it_takes_an_admin_and_a_time_that_makes_sense() {
    let server = server().await;
    let address = server.address();
    let (status, _) = post(address, &json!({})).await;
    assert_eq!(status, 400);
    let plain = http_client()
        .post(format!("http://{address}{DRAIN}"))
        .send()
        .await
        .unwrap();
    assert_eq!(plain.status(), 401);
    for wish in [
        json!({ "seconds": 86_401 }),
        json!({ "seconds": "soon" }),
        json!({ "stop": 1 }),
        json!({ "second": 1 }),
    ] {
        let (status, answer) = request("POST", address, DRAIN, START_SECRET, Some(&wish)).await;
        assert_eq!(
            (status, &answer["error"]["code"]),
            (400, &json!("bad_request")),
            "{wish}"
        );
    }
    let (_, status) = request("GET", address, DRAIN, START_SECRET, None).await;
    assert_eq!(
        status,
        json!({ "state": "serving", "clients": 0, "stops": false, "alone": true })
    );
}

/// A drain over an hour moves its first client at once, and the others as soon as the time is set anew.
#[tokio::test(flavor = "multi_thread")]
async fn the_time_can_be_set_anew() {
    let server = server().await;
    let address = server.address();
    let mut clients = Vec::new();
    for _ in 0..4 {
        clients.push(Client::connect(address, json!({})).await.0);
    }
    let begun = drain(address, &json!({ "seconds": 3600 })).await;
    kit::until("the first one to be gone", async || {
        let (_, status) = request("GET", address, DRAIN, START_SECRET, None).await;
        (status["clients"] == 3).then_some(())
    })
    .await;
    let again = drain(address, &json!({ "seconds": 0 })).await;
    assert_eq!(again["since"], begun["since"]);
    drained(address).await;
    for client in &mut clients {
        while client.next().await.is_some() {}
    }
}
