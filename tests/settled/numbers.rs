//! Ids that are written as numbers: each number is one id, with all of its digits.

use serde_json::{Value, json};

use kit::{Client, get, post_raw, server, until_folded};

/// A trace's id has 128 bits; the next one is the same as a double.
const LONG: [&str; 2] = [
    "121702245401190315326841853937164860428",
    "121702245401190315326841853937164860429",
];

async fn publish(address: std::net::SocketAddr, events: &[String]) -> Value {
    let lines = events.join("\n");
    let (status, answer) = post_raw(address, "application/x-ndjson", lines).await;
    assert_eq!(status, 202, "{answer}");
    assert_eq!(answer["accepted"], events.len(), "{answer}");
    answer["cursor"].clone()
}

fn keys(state: &Value, map: &str) -> Vec<String> {
    let things = state[map].as_object().unwrap();
    things.keys().cloned().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn long_numbers_are_ids_with_all_of_their_digits() {
    let server = server().await;
    let address = server.address();
    let (mut watcher, _) = Client::connect(address, json!({})).await;
    let room = format!("run:{}", LONG[1]);
    watcher.call("join_room", json!({ "room": room })).await;
    let events: Vec<String> = LONG
        .iter()
        .map(|id| {
            format!(
                r#"{{"type":"agent.run.started","data":{{"agent_id":"a","run":{{"id":{id}}}}}}}"#
            )
        })
        .collect();
    publish(address, &events).await;
    // By the other door too, beside the data, with NaN in it, and with an attachment.
    let (mut producer, _) = Client::connect(address, json!({ "role": "producer" })).await;
    let task = |n: usize, more: &str| {
        let id = LONG[n];
        format!(r#"{{"type":"task.created","task_id":{id},"data":{{"n":{n}{more}}}}}"#)
    };
    let list = format!("[{},{}]", task(0, ",\"x\":NaN"), task(1, ""));
    producer
        .send_text(&format!(r#"42900["publish",{list}]"#))
        .await;
    assert_eq!(producer.ack(900).await["accepted"], 2);
    let more = r#","file":{"_placeholder":true,"num":0}"#;
    producer
        .send_text(&format!(r#"451-901["publish",{}]"#, task(1, more)))
        .await;
    producer.send_binary(vec![1, 2, 3]).await;
    let answer = producer.ack(901).await;
    assert_eq!(answer["accepted"], 1, "{answer}");
    until_folded(address, &answer["cursor"]).await;
    let (_, state) = get(address, "/api/v1/state").await;
    assert_eq!(keys(&state, "runs"), LONG);
    assert_eq!(keys(&state, "tasks"), LONG);
    let path = format!("/api/v1/events?run_id={}", LONG[0]);
    let (_, page) = get(address, &path).await;
    let found: Vec<&Value> = page["events"].as_array().unwrap().iter().collect();
    assert_eq!(found.len(), 1, "{page}");
    assert_eq!(found[0]["data"]["run"]["id"], LONG[0], "{page}");
    let told = watcher
        .event_where("agent_run_update", |u| u["data"]["run"]["id"] == LONG[1])
        .await;
    assert_eq!(told["hint"]["target"]["id"], LONG[1], "{told}");
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_integral_float_is_the_integer() {
    let server = server().await;
    let address = server.address();
    let written = [
        "42",
        "42.0",
        "4.2e1",
        "\"42\"",
        "9007199254740993",
        "9007199254740993.0",
        "9007199254740992.0",
        "1.5",
    ];
    let events: Vec<String> = written
        .iter()
        .map(|id| format!(r#"{{"type":"task.updated","data":{{"task_id":{id}}}}}"#))
        .collect();
    let cursor = publish(address, &events).await;
    until_folded(address, &cursor).await;
    let (_, state) = get(address, "/api/v1/state").await;
    let mut there = keys(&state, "tasks");
    there.sort();
    let expected = ["1.5", "42", "9007199254740992", "9007199254740993"];
    assert_eq!(there, expected);
    // An event's own id too: what is sent again is the same.
    let own = |id: &str| format!(r#"{{"type":"note.added","id":{id},"data":{{}}}}"#);
    publish(address, &[own("7"), own(LONG[0]), own(LONG[1])]).await;
    let again = [own("7.0"), own(LONG[0])].join("\n");
    let (_, answer) = post_raw(address, "application/x-ndjson", again).await;
    assert_eq!(answer["duplicates"], 2, "{answer}");
    // A number that is no id stays a number.
    let event = format!(
        r#"{{"type":"note.added","data":{{"n":42.5,"id":7,"m":{}}}}}"#,
        LONG[0]
    );
    publish(address, &[event]).await;
    let (_, page) = get(address, "/api/v1/events?order=desc&limit=1").await;
    let data = &page["events"][0]["data"];
    assert!(
        data["n"] == 42.5 && data["id"] == 7 && data["m"].is_f64(),
        "{page}"
    );
    server.shutdown().await;
}
