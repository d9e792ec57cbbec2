//! Emissions that are not kept reach clients on all nodes, in the order of their sender.

use std::net::SocketAddr;

use kit::{Client, counted, counted_in, post, redis::Redis, server_with, until};
use serde_json::{Value, json};
use stoa::{config::JournalKind, server::Running};

use super::{linked, node};

async fn emit(address: SocketAddr, body: &Value) {
    let request = kit::http_client()
        .post(format!("http://{address}/api/v1/emit"))
        .json(body);
    let response = request.send().await.expect("an answer");
    assert_eq!(response.status(), 202);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_emission_reaches_the_clients_of_all_nodes_as_it_is() {
    let Some(engine) = Redis::start().await else {
        return;
    };
    let url = engine.url();
    let chat = async |name: &str| {
        server_with(|config| {
            config.journal.kind = JournalKind::Redis;
            config.journal.url = url.clone().into();
            config.cluster.node_id = name.into();
            config.namespaces.declared = vec!["/chat".into()];
        })
        .await
    };
    let (one, two) = (chat("one").await, chat("two").await);
    linked(&[&one, &two]).await;
    let rooms = json!({ "rooms": ["project:p1"] });
    let (mut here, _) = Client::connect(one.address(), rooms.clone()).await;
    let (mut there, hello) = Client::connect(two.address(), rooms).await;
    let (mut outside, _) = Client::connect(two.address(), json!({})).await;
    let mut chatting = Client::open(two.address(), "/chat", json!({}))
        .await
        .expect("it is let in");
    let data =
        json!({ "id": 7, "n": 12_345_678_901_234_567_890_u64, "nested": [null, 1.5, "é\n\"x\""] });
    let from = one.address();
    let placeholder = json!({ "_placeholder": true, "num": 0 });
    let emissions = json!([
        { "event": "said", "args": [data], "rooms": "project:p1" },
        { "event": "others", "args": "x", "except": [hello["client_id"]] },
        { "event": "only", "args": [1], "room": hello["client_id"] },
        { "event": "hasty", "args": [2], "volatile": true },
        { "event": "said", "args": [3], "namespace": "/chat" },
        { "event": "bytes", "args": [placeholder], "attachments": ["AP8H"] },
        { "event": "end" },
    ]);
    emit(from, &emissions).await;
    let names = async |client: &mut Client| {
        client.event("end").await;
        let all = client.so_far().await;
        all.into_iter().map(|(name, _)| name).collect::<Vec<_>>()
    };
    assert_eq!(here.event("said").await, data);
    assert_eq!(there.event("said").await, data);
    assert_eq!(there.event("only").await, 1);
    assert_eq!(outside.event("others").await, "x");
    assert_eq!(outside.event("hasty").await, 2);
    assert_eq!(chatting.event("said").await, 3);
    // The text of the packet comes before its attachment.
    assert_eq!(outside.binary().await, [0, 255, 7]);
    there.binary().await;
    assert!(!names(&mut there).await.contains(&"others".to_owned()));
    let seen = names(&mut outside).await;
    assert!(
        !seen.contains(&"said".to_owned()) && !seen.contains(&"only".to_owned()),
        "{seen:?}"
    );
    // One that its sender repeats at another node is known there.
    let once = json!({ "event": "once", "id": "i1" });
    emit(from, &once).await;
    outside.event("once").await;
    emit(two.address(), &once).await;
    assert_eq!(
        counted(two.address(), "stoa_emissions_duplicate_total").await,
        1
    );
    one.shutdown().await;
    two.shutdown().await;
}

/// The journal and the link are two ways: what is emitted after an event is not seen before it.
#[tokio::test(flavor = "multi_thread")]
async fn an_emission_comes_after_what_its_sender_published_before() {
    let Some(engine) = Redis::start().await else {
        return;
    };
    let (one, two) = (node(&engine, "one").await, node(&engine, "two").await);
    linked(&[&one, &two]).await;
    let (mut there, _) = Client::connect(two.address(), json!({})).await;
    for n in 0..100 {
        let event = json!({ "id": format!("e{n}"), "type": "decision.logged", "data": { "what": "x", "n": n } });
        let (status, answer) = post(one.address(), &event).await;
        assert_eq!(status, 202, "{answer}");
        emit(one.address(), &json!({ "event": "after", "args": [n] })).await;
    }
    let mut seen = Vec::new();
    while seen.len() < 200 {
        let (name, body) = there.next().await.expect("it stays connected");
        match name.as_str() {
            "after" => seen.push((1, body)),
            "decision_event" => seen.push((0, body["data"]["n"].clone())),
            _ => {}
        }
    }
    // Each comes after its event, and all are in their order; later events may overtake one.
    let place = |kind: i32, n: u64| {
        let is_it = |one: &(i32, Value)| *one == (kind, json!(n));
        seen.iter().position(is_it).expect("it came")
    };
    for n in 0..100 {
        assert!(place(0, n) < place(1, n), "{n}: {seen:?}");
        assert!(n == 0 || place(1, n - 1) < place(1, n), "{n}: {seen:?}");
    }
    one.shutdown().await;
    two.shutdown().await;
}

/// An emission whose place never comes is let go of, and holds up neither its sender's next ones nor others'.
#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_a_place_that_never_comes_is_dropped() {
    let Some(engine) = Redis::start().await else {
        return;
    };
    let url = engine.url();
    let one = server_with(|config| {
        config.journal.kind = JournalKind::Redis;
        config.journal.url = url.into();
        config.cluster.max_hold = 2.0.try_into().expect("a time");
        config.cluster.held_bytes = (64 << 10).try_into().expect("bytes");
    })
    .await;
    let (mut client, _) = Client::connect(one.address(), json!({})).await;
    post(one.address(), &json!({ "type": "custom.thing" })).await;
    let told = |event: &str, after: u64, args: String| {
        json!({
            "v": 1, "from": { "node": "x", "boot": "y" }, "kind": "emit",
            "body": {
                "event": event, "volatile": false, "id": null, "after": [7, after], "flow": [1, 1], "skips_own_rooms": false,
                "emission": { "namespace": "/", "args": args, "arguments": 1 },
            },
        })
        .to_string()
    };
    let tell = async |text: String| engine.command(&["PUBLISH", "stoa:{stoa}:n", &text]).await;
    tell(told("never", 1_000_000, "1".into())).await;
    tell(told("later", 0, "2".into())).await;
    // Beyond the bytes that one sender may hold up.
    tell(told(
        "large",
        1_000_000,
        format!("\"{}\"", "x".repeat(10_000)),
    ))
    .await;
    assert_eq!(client.event("later").await, 2);
    let seen = client.so_far().await;
    assert!(
        seen.iter()
            .all(|(name, _)| name != "never" && name != "large"),
        "{seen:?}"
    );
    let dropped = |server: &Running, start: &str| counted_in(server, start);
    assert_eq!(
        dropped(&one, "stoa_emissions_dropped_total{reason=\"late\"}"),
        1
    );
    until("the large one to be dropped", async || {
        (dropped(&one, "stoa_cluster_dropped_total{reason=\"held\"}") == 1).then_some(())
    })
    .await;
    one.shutdown().await;
}
