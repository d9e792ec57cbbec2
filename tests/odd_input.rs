//! Input of honest producers that is not quite JSON, or not quite an event: it is read by its one evident meaning, and
//! an unreadable part takes nothing else with it.

use futures_util::{SinkExt, StreamExt};
use tokio_tungstenite::connect_async;

use kit::{Client, counted, post, post_raw, server};
use serde_json::{Value, json};

fn codes(answer: &Value) -> Vec<(u64, String)> {
    let rejected = answer["rejected"].as_array().unwrap();
    let of = |r: &Value| {
        let code = r["error"]["code"].as_str().unwrap().to_owned();
        (r["index"].as_u64().unwrap(), code)
    };
    rejected.iter().map(of).collect()
}

const NAN: &str =
    r#"{"type":"loss.measured","data":{"loss":NaN,"best":-Infinity,"all":[1,Infinity,1e999]}}"#;
const HALF: &str = r#"{"type":"text.said","data":{"text":"cut \ud83d here"}}"#;

#[tokio::test(flavor = "multi_thread")]
async fn numbers_that_are_none_and_halves_of_pairs_are_taken_over_http() {
    let server = server().await;
    let address = server.address();
    let (mut watcher, _) = Client::connect(address, json!({})).await;
    for (media, body) in [
        ("application/json", NAN.to_owned()),
        ("application/json", format!("\u{feff}[{NAN}]")),
        ("application/json", format!("\u{feff}\u{feff} [{NAN}]")),
        ("application/x-ndjson", format!("\u{feff}{NAN}\n")),
    ] {
        let (status, answer) = post_raw(address, media, body).await;
        assert_eq!((status, &answer["accepted"]), (202, &json!(1)), "{answer}");
        let update = watcher.event("generic_update").await;
        assert_eq!(
            update["data"],
            json!({ "loss": null, "best": null, "all": [1, null, null] })
        );
    }
    let (status, answer) = post_raw(address, "application/json", HALF).await;
    assert_eq!(status, 202, "{answer}");
    let update = watcher.event("generic_update").await;
    assert_eq!(update["data"]["text"], "cut \u{fffd} here");
    let mended = |what: &str| format!("stoa_input_mended_total{{what=\"{what}\"}}");
    assert_eq!(counted(address, &mended("number")).await, 16);
    assert_eq!(counted(address, &mended("surrogate")).await, 1);
    assert!(counted(address, &mended("byte_order_mark")).await >= 1);
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_client_says_of_itself_may_be_odd() {
    let server = server().await;
    let address = server.address();
    let auths = [
        r#"{"role":"observer","name":"cut \ud83d here"}"#,
        r#"{"role":"observer","theirs":[1e999,NaN,"\udc00"]}"#,
    ];
    for auth in auths {
        let (mut socket, _) = connect_async(format!(
            "ws://{address}/socket.io/?EIO=4&transport=websocket"
        ))
        .await
        .unwrap();
        socket.send(format!("40{auth}").into()).await.unwrap();
        loop {
            let frame = socket.next().await.unwrap().unwrap();
            let text = frame.into_text().unwrap();
            assert!(!text.starts_with("44"), "{auth}: {text}");
            if text.starts_with("40") {
                break;
            }
        }
    }
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_no_text_harm_their_own_line_at_most() {
    let server = server().await;
    let address = server.address();
    let (mut watcher, _) = Client::connect(address, json!({})).await;
    let mut body =
        b"{\"type\":\"a.one\"}\n{\"type\":\"a.two\",\"data\":{\"name\":\"caf\xe9\"}}\n".to_vec();
    body.extend_from_slice(b"\xff\xfe\n{\"type\":\"a.three\"}\n");
    let (status, answer) = post_raw(address, "application/x-ndjson", body).await;
    assert_eq!((status, &answer["accepted"]), (202, &json!(3)), "{answer}");
    assert_eq!(codes(&answer), [(2, "bad_request".to_owned())]);
    for (source_type, data) in [
        ("a.one", json!({})),
        ("a.two", json!({ "name": "caf\u{fffd}" })),
        ("a.three", json!({})),
    ] {
        let update = watcher.event("generic_update").await;
        assert_eq!(
            (&update["source_type"], &update["data"]),
            (&json!(source_type), &data)
        );
    }
    server.shutdown().await;
}

/// A list with everything that may be wrong with one of its elements.
fn mixed() -> String {
    let deep = format!("{}1{}", "{\"x\":".repeat(200), "}".repeat(200));
    format!(
        "[{{\"type\":\"a.one\"}}, {{type: no}}, {NAN}, {{\"type\":\"a.deep\",\"data\":{deep}}}, {HALF}, NaN, {{\"type\":\"a.last\"}}]"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_list_each_event_stands_for_itself() {
    let server = server().await;
    let address = server.address();
    let expected = [(1, "bad_request"), (3, "too_deep"), (5, "unknown_shape")]
        .map(|(index, code)| (index, code.to_owned()));
    let (status, answer) = post_raw(address, "application/json", mixed()).await;
    assert_eq!((status, &answer["accepted"]), (202, &json!(4)), "{answer}");
    assert_eq!(codes(&answer), expected);

    let (mut producer, _) = Client::connect(address, json!({ "role": "producer" })).await;
    producer
        .send_text(&format!(
            "42900[\"publish\",{}]",
            json!([{ "type": "a.b" }, 5])
        ))
        .await;
    let answer = producer.ack(900).await;
    assert_eq!((&answer["accepted"], codes(&answer).len()), (&json!(1), 1));
    // Halves of pairs and what is too deep come through every parser before; each is its own entry.
    let deep = format!("{}1{}", "{\"x\":".repeat(200), "}".repeat(200));
    producer
        .send_text(&format!("42901[\"publish\",[{{\"type\":\"a.one\"}},{{\"type\":\"a.deep\",\"data\":{deep}}},{HALF}]]"))
        .await;
    let answer = producer.ack(901).await;
    assert_eq!(answer["accepted"], 2, "{answer}");
    assert_eq!(codes(&answer), [(1, "too_deep".to_owned())]);
    // Of anything but events a list is one thing.
    producer
        .send_text(&format!("42902[\"join_room\",[\"task:t1\",{deep}]]"))
        .await;
    assert_eq!(producer.ack(902).await["error"]["code"], "too_deep");
    let update = producer.call("publish", json!({ "type": "a.b" })).await;
    assert_eq!(update["accepted"], 1, "and the connection lives on");
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_without_an_end_is_refused_as_a_whole() {
    let server = server().await;
    for body in [
        "[{\"type\":\"a.b\"},",
        "[{\"type\":\"a.b\"}",
        "[{\"type\":\"a.b\"}] x",
    ] {
        let (status, answer) = post_raw(server.address(), "application/json", body).await;
        assert_eq!(
            (status, &answer["error"]["code"]),
            (400, &json!("bad_request")),
            "{body}"
        );
    }
    let (status, _) = post(server.address(), &json!([])).await;
    assert_eq!(status, 202, "an empty list is no mistake");
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_may_hold_white_space_and_ids_are_trimmed() {
    let server = server().await;
    let address = server.address();
    let (mut watcher, _) = Client::connect(address, json!({ "rooms": ["task:t1"] })).await;
    let event = json!({ "type": "task.updated\n", "id": " e1 ", "source": "Market Researcher\n", "data": {
        "task_id": " t1\n", "task_name": "Research the market.\n\tThen write.\n", "agent_name": "Writer\t", "status": 200 } });
    let (status, answer) = post(address, &event).await;
    assert_eq!(status, 202, "{answer}");
    let update = watcher.event("task_update").await;
    assert_eq!(update["id"], "e1");
    assert_eq!(update["data"]["task_id"], "t1");
    assert_eq!(
        update["data"]["task_name"],
        "Research the market.\n\tThen write."
    );
    assert_eq!(update["data"]["agent_name"], "Writer");
    assert_eq!(update["data"]["status"], "200");
    let mended = |what: &str| format!("stoa_input_mended_total{{what=\"{what}\"}}");
    assert!(counted(address, &mended("white_space")).await >= 5);
    assert_eq!(counted(address, &mended("text_as_number")).await, 1);
    // By an id with something invisible inside nobody would find the thing again.
    for event in [
        json!({ "type": "task.updated", "data": { "task_id": "t\n1" } }),
        json!({ "type": "task.updated", "id": "a\u{0}b", "data": {} }),
    ] {
        let (status, answer) = post(address, &event).await;
        assert_eq!(
            (status, &answer["error"]["code"]),
            (400, &json!("invalid_data"))
        );
    }
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_one_evident_meaning_is_taken_by_it() {
    let server = server().await;
    let address = server.address();
    let (mut watcher, _) = Client::connect(address, json!({})).await;
    let event = json!({ "type": "task.progress", "data": { "task_id": "t1", "progress": "50%" } });
    assert_eq!(post(address, &event).await.0, 202);
    assert_eq!(watcher.event("progress_update").await["progress"], 50);
    for (priority, becomes) in [
        (json!("urgent"), "normal"),
        (json!(1), "normal"),
        (json!("HIGH"), "high"),
        (json!("Medium"), "normal"),
    ] {
        let event = json!({ "type": "a.b", "data": {}, "priority": priority });
        assert_eq!(post(address, &event).await.0, 202, "{priority}");
        assert_eq!(
            watcher.event("generic_update").await["priority"],
            becomes,
            "{priority}"
        );
    }
    let odd = "stoa_input_mended_total{what=\"priority\"}";
    assert_eq!(counted(address, odd).await, 2);
    for (timestamp, becomes) in [
        (json!("9999-12-31T23:59:59Z"), "9999-12-31T23:59:59.000Z"),
        (json!("1779544800123"), "2026-05-23T14:00:00.123Z"),
        (
            json!(1_779_544_800_123_456_u64),
            "2026-05-23T14:00:00.123456Z",
        ),
        (
            json!(1_779_544_800_123_456_000_u64),
            "2026-05-23T14:00:00.123456Z",
        ),
    ] {
        let event = json!({ "type": "a.b", "data": {}, "timestamp": timestamp });
        assert_eq!(post(address, &event).await.0, 202, "{timestamp}");
        let update = watcher.event("generic_update").await;
        assert_eq!(update["timestamp"], becomes, "{timestamp}");
    }
    let (status, _) = post(address, &json!({ "type": "a.b", "data": null })).await;
    assert_eq!(status, 202);
    assert_eq!(watcher.event("generic_update").await["data"], json!({}));
    for (event, code) in [
        (
            json!({ "type": "task.progress", "data": { "progress": "half" } }),
            "invalid_data",
        ),
        (
            json!({ "type": "task.progress", "data": ["a"] }),
            "invalid_data",
        ),
        (
            json!({ "type": "task.progress", "data": "{'a': 1}" }),
            "invalid_data",
        ),
        (
            json!({ "type": "task progress", "data": {} }),
            "invalid_type",
        ),
        (
            json!({ "type": "task/progress", "data": {} }),
            "invalid_type",
        ),
        (
            json!({ "type": "a.b", "data": {}, "priority": [1] }),
            "bad_request",
        ),
    ] {
        let (status, answer) = post(address, &event).await;
        assert_eq!(
            (status, &answer["error"]["code"]),
            (400, &json!(code)),
            "{event}"
        );
    }
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn shapes_of_frameworks_are_told_what_to_send() {
    let server = server().await;
    let address = server.address();
    for (body, code, says) in [
        (
            json!({ "event_kind": "part_start", "index": 0 }),
            "missing_type",
            "Pydantic-AI",
        ),
        (
            json!({ "object": "trace.span", "id": "s1" }),
            "missing_type",
            "OpenAI",
        ),
        (
            json!({ "resourceSpans": [] }),
            "missing_type",
            "OpenTelemetry",
        ),
        (
            json!({ "name": "chat", "context": { "trace_id": "0x1" } }),
            "missing_type",
            "OpenTelemetry",
        ),
        (
            json!({ "jsonrpc": "2.0", "method": "tools/call" }),
            "missing_type",
            "MCP",
        ),
        (
            json!({ "role": "assistant", "content": "Hello" }),
            "missing_type",
            "agent.message.appended",
        ),
        (
            json!([["researcher:1"], "messages", { "content": "x" }]),
            "unknown_shape",
            "LangGraph",
        ),
        (
            json!({ "type": "messages", "ns": [], "data": [{}, {}] }),
            "invalid_data",
            "LangGraph",
        ),
        (
            json!({ "type": "x.y", "data": "Event(a=1)" }),
            "invalid_data",
            "default=str",
        ),
        (json!({ "data": {} }), "missing_type", "add \"type\""),
    ] {
        let (status, answer) = post(address, &body).await;
        assert_eq!(
            (status, &answer["error"]["code"]),
            (400, &json!(code)),
            "{body}"
        );
        let message = answer["error"]["message"].as_str().unwrap();
        assert!(message.contains(says), "{message}");
    }
    server.shutdown().await;
}

/// On one thread, where whoever doesn't give way holds up everybody.
#[tokio::test(flavor = "current_thread")]
async fn uploads_of_nothing_but_bad_lines_give_way_to_others() {
    const UPLOADS: usize = 8;
    const LINES: usize = 20_000;
    let server = server().await;
    let address = server.address();
    let (mut good, _) = Client::connect(address, json!({})).await;
    let mut uploads: Vec<_> = (0..UPLOADS)
        .map(|_| {
            tokio::spawn(async move {
                let (status, answer) =
                    post_raw(address, "application/x-ndjson", "{}\n".repeat(LINES)).await;
                assert_eq!(status, 400);
                let listed = answer["rejected"].as_array().unwrap().len() as u64;
                let more = answer["rejected_more"].as_u64().unwrap();
                assert_eq!(listed + more, LINES as u64);
            })
        })
        .collect();
    let mut pings = 0;
    while uploads.iter().any(|upload| !upload.is_finished()) {
        good.call("ping", json!(null)).await;
        pings += 1;
    }
    for upload in uploads.drain(..) {
        upload.await.unwrap();
    }
    assert!(pings > 8, "answered {pings} times meanwhile");
    server.shutdown().await;
}

/// Text that takes a hundred times its length once it is read is refused before it is.
#[tokio::test(flavor = "multi_thread")]
async fn what_would_take_much_memory_is_refused_unread() {
    let server = server().await;
    let address = server.address();
    let many = vec![r#"{"":0}"#; 60_000].join(",");
    let large = format!(r#"{{"type":"a.b","data":{{"l":[{many}]}}}}"#);
    for body in [large.clone(), format!("[{{\"type\":\"a.b\"}},{large}]")] {
        let (status, answer) = post_raw(address, "application/json", body).await;
        let rejected = answer["rejected"].as_array().unwrap().last().unwrap();
        assert_eq!(rejected["error"]["code"], "too_large", "{status} {answer}");
        let message = rejected["error"]["message"].as_str().unwrap();
        assert!(message.contains("max_elements"), "{message}");
    }
    server.shutdown().await;
}

/// Media types have no case, and several arguments are several events.
#[tokio::test(flavor = "multi_thread")]
async fn several_events_are_taken_in_whatever_way_they_are_given() {
    let server = server().await;
    let address = server.address();
    let lines = "{\"type\":\"a.b\"}\n{\"type\":\"a.c\"}\n";
    for media in [
        "Application/X-NDJSON; charset=utf-8",
        "application/JSONL ;x=1",
    ] {
        let (status, answer) = post_raw(address, media, lines).await;
        assert_eq!(
            (status, &answer["accepted"]),
            (202, &json!(2)),
            "{media}: {answer}"
        );
    }
    let (mut producer, _) = Client::connect(address, json!({ "role": "producer" })).await;
    let text = r#"{"type":"a.b","data":{"n":1}},{"type":"a.b","data":{"n":NaN}}"#;
    producer
        .send_text(&format!(r#"427["publish",{text}]"#))
        .await;
    let answer = producer.ack(7).await;
    assert_eq!(answer["accepted"], 2, "{answer}");
    // Text beside an event that is none is passed over, as ever.
    producer
        .send_text(r#"428["publish",{"type":"a.b"},7]"#)
        .await;
    let answer = producer.ack(8).await;
    assert_eq!(answer["accepted"], 1, "{answer}");
    server.shutdown().await;
}

/// A line is not held back until many have come, nor lost when the upload is cut.
#[tokio::test(flavor = "multi_thread")]
async fn a_slow_upload_is_published_as_it_arrives() {
    let server = server().await;
    let address = server.address();
    let (mut watcher, _) = Client::connect(address, json!({})).await;
    let (lines, body) = tokio::sync::mpsc::channel::<std::io::Result<Vec<u8>>>(1);
    let body =
        futures_util::stream::unfold(body, async |mut body| Some((body.recv().await?, body)));
    let body = reqwest::Body::wrap_stream(body);
    let upload = tokio::spawn(async move { post_raw(address, "application/x-ndjson", body).await });
    // Each line is sent only when the one before it was seen.
    for n in 0..5 {
        let line = format!("{{\"type\":\"a.b\",\"data\":{{\"n\":{n}}}}}\n{{\"type\":");
        let line = if n == 0 {
            line
        } else {
            format!("\"a.x\"}}\n{line}")
        };
        lines.send(Ok(line.into_bytes())).await.unwrap();
        watcher
            .event_where("generic_update", |update| update["data"]["n"] == n)
            .await;
    }
    lines.send(Ok(b"\"a.x\"}".to_vec())).await.unwrap();
    drop(lines);
    let (status, answer) = upload.await.unwrap();
    assert_eq!((status, &answer["accepted"]), (202, &json!(10)), "{answer}");
    server.shutdown().await;
}
