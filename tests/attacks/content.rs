//! JSON that is deep, long, huge or ambiguous, and bodies that are more than they seem.

use serde_json::json;

use kit::{
    Client, post_raw,
    raw::{assert_served, body_json, http},
    server, server_with,
};

fn nested(open: &str, close: &str, levels: usize) -> String {
    format!("{}1{}", open.repeat(levels), close.repeat(levels))
}

/// Row 21. Depth beyond what any event has is refused by every door, at 129 levels and at a hundred thousand, where a parser
/// that calls itself would have no stack left.
#[tokio::test(flavor = "multi_thread")]
async fn depth_is_refused_and_overflows_no_stack() {
    let server = server().await;
    let address = server.address();
    for levels in [129, 100_000] {
        for data in [nested("{\"x\":", "}", levels), nested("[", "]", levels)] {
            let event = format!("{{\"type\":\"a.b\",\"data\":{{\"x\":{data}}}}}");
            for (media, status) in [("application/json", 400), ("application/x-ndjson", 400)] {
                let (got, answer) = post_raw(address, media, format!("{event}\n")).await;
                assert_eq!(got, status, "{levels} {media}: {answer}");
                let code = answer["error"]["code"].as_str().unwrap_or_default();
                let of_line = answer["rejected"][0]["error"]["code"]
                    .as_str()
                    .unwrap_or(code);
                assert!(
                    ["too_deep", "bad_request", "too_large"].contains(&of_line),
                    "{levels} {media}: {answer}"
                );
            }
            // A whole body of it, without an event around.
            assert_eq!(
                post_raw(address, "application/json", data.clone()).await.0,
                400
            );

            let (mut producer, _) = Client::connect(address, json!({ "role": "producer" })).await;
            for (ack, event) in [
                (1_001, format!("[\"publish\",{event}]")),
                (1_002, format!("[\"join_room\",{data}]")),
            ] {
                producer.send_text(&format!("42{ack}{event}")).await;
                let answer = producer.ack(ack).await;
                // An event is measured before it is read, and the longer one is too large already.
                let large = ack == 1_001 && levels > 50_000;
                let code = if large { "too_large" } else { "too_deep" };
                assert_eq!(answer["error"]["code"], code, "{answer}");
            }
            assert_eq!(
                producer.call("publish", json!({ "type": "a.b" })).await["accepted"],
                1
            );

            // In place of the event's name: that is no event, which is answered, and the connection lives.
            let mut raw = kit::raw::Raw::join(address).await;
            raw.send(&kit::raw::text(&format!("42[{data}]")))
                .await
                .unwrap();
            raw.wait_for("42[\"error\"").await;

            // In the CONNECT payload: refused, and told so.
            let mut raw = kit::raw::Raw::open(address).await;
            raw.send(&kit::raw::text(&format!("40{{\"filters\":{data}}}")))
                .await
                .unwrap();
            raw.wait_for("44").await;
        }
    }
    // In a query, within what a request's head may be.
    let deep = nested("[", "]", 2_000);
    let (status, ..) = http(
        address,
        &format!("GET /api/v1/stream?types={deep} HTTP/1.1"),
        b"",
    )
    .await;
    assert_eq!(status, 400);
    assert_served(address).await;
    server.shutdown().await;
}

/// Row 21. A million elements are refused by size or by number, wherever they stand.
#[tokio::test(flavor = "multi_thread")]
async fn a_million_elements_are_refused() {
    let server = server_with(|c| c.server.max_http_buffer_size.set(8_000_000).unwrap()).await;
    let address = server.address();
    let million = format!("[{}0]", "0,".repeat(999_999));
    let inside = format!("{{\"type\":\"a.b\",\"data\":{{\"x\":{million}}}}}");
    for body in [&million, &inside] {
        let (status, answer) = post_raw(address, "application/json", body.clone()).await;
        assert!((400..=413).contains(&status), "{status} {answer}");
        assert_eq!(answer["error"]["code"], "too_large", "{answer}");
    }
    let (mut producer, _) = Client::connect(address, json!({ "role": "producer" })).await;
    for (ack, body, code) in [
        (1_001, format!("[\"publish\",{million}]"), "too_large"),
        (1_002, format!("[\"publish\",{inside}]"), "too_large"),
        (
            1_003,
            format!("[\"subscribe\",{{\"rooms\":{million}}}]"),
            "bad_request",
        ),
        (
            1_004,
            format!("[\"subscribe\",{{\"filters\":{{\"types\":{million}}}}}]"),
            "bad_request",
        ),
        (
            1_005,
            million.replacen("[0", "[\"nothing\"", 1),
            "unknown_event",
        ),
    ] {
        producer.send_text(&format!("42{ack}{body}")).await;
        assert_eq!(producer.ack(ack).await["error"]["code"], code, "{ack}");
    }
    // An object of half a million keys is as large.
    let keys: String = (0..500_000).map(|n| format!("\"{n}\":0,")).collect();
    let (status, answer) = post_raw(
        address,
        "application/json",
        format!("{{{keys}\"type\":\"a.b\"}}"),
    )
    .await;
    assert_eq!(answer["error"]["code"], "too_large", "{status} {answer}");
    assert_served(address).await;
    server.shutdown().await;
}

/// Row 21. Numbers beyond what a double holds, and keys that stand twice: one value for everybody.
#[tokio::test(flavor = "multi_thread")]
async fn huge_numbers_and_double_keys_are_one_thing_to_everybody() {
    let server = server().await;
    let address = server.address();
    let (mut watcher, _) = Client::connect(address, json!({})).await;
    let digits = "9".repeat(50_000);
    for number in ["1e400", "-1e400", "1e999999999999", digits.as_str()] {
        let event = format!("{{\"type\":\"custom.n\",\"data\":{{\"n\":{number}}}}}");
        let (status, answer) = post_raw(address, "application/json", event).await;
        assert_eq!(status, 202, "{answer}");
        let update = watcher.event("generic_update").await;
        assert_eq!(update["data"]["n"], json!(null), "{update}");
    }
    for number in [
        "18446744073709551616",
        "-9223372036854775809",
        "1e308",
        "1e-400",
        "-0",
        "0.1e1",
    ] {
        let event = format!("{{\"type\":\"custom.n\",\"data\":{{\"n\":{number}}}}}");
        assert_eq!(
            post_raw(address, "application/json", event).await.0,
            202,
            "{number}"
        );
        let update = watcher.event("generic_update").await;
        assert!(
            update["data"]["n"].as_f64().unwrap().is_finite(),
            "{update}"
        );
    }
    // A timestamp, a limit or a progress of such a size is no time, no limit, and no reason to fail.
    for (body, status) in [
        (r#"{"type":"a.b","timestamp":1e300}"#, 400),
        (r#"{"type":"a.b","timestamp":-9223372036854775808}"#, 400),
        (
            r#"{"type":"task.progress","data":{"task_id":"t","progress":1e308}}"#,
            202,
        ),
        (
            r#"{"type":"task.progress","data":{"task_id":"t","progress":-1e308}}"#,
            202,
        ),
    ] {
        assert_eq!(
            post_raw(address, "application/json", body).await.0,
            status,
            "{body}"
        );
    }
    for limit in ["18446744073709551616", "-1", "1e9"] {
        let ack = 1_001;
        watcher
            .send_text(&format!("42{ack}[\"get_history\",{{\"limit\":{limit}}}]"))
            .await;
        assert_eq!(watcher.ack(ack).await["status"], "error", "{limit}");
    }

    let double = r#"{"type":"first.type","type":"second.type","data":{"v":1},"data":{"v":2,"v":3},"id":"twice"}"#;
    assert_eq!(post_raw(address, "application/json", double).await.0, 202);
    let update = watcher
        .event_where("generic_update", |u| u["id"] == "twice")
        .await;
    let history = watcher
        .call("get_history", json!({ "type": "second.type" }))
        .await;
    assert_eq!(update["source_type"], "second.type", "{update}");
    assert_eq!(update["data"]["v"], 3, "{update}");
    assert_eq!(history["events"][0]["data"]["v"], 3, "{history}");
    // A role given twice is one role, and the one that holds is the one that is shown.
    let mut raw = kit::raw::Raw::open(address).await;
    raw.send(&kit::raw::text(
        r#"40{"role":"producer","role":"observer"}"#,
    ))
    .await
    .unwrap();
    let hello = raw.wait_for("42[\"connection_established\"").await;
    assert!(hello.contains("\"role\":\"observer\""), "{hello}");
    raw.send(&kit::raw::text(r#"421["publish",{"type":"a.b"}]"#))
        .await
        .unwrap();
    assert!(raw.wait_for("431[").await.contains("forbidden"));
    assert_served(address).await;
    server.shutdown().await;
}

/// Row 30. The bodies of sessions are never compressed, and a compressed body that nobody can undo is not read as it is.
#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_nobody_can_undo_are_refused_unread() {
    let server = server().await;
    let address = server.address();
    let event = br#"{"type":"decision.logged","data":{"what":"packed"}}"#;
    for coding in ["br", "zstd", "compress", "gzip, gzip", "deflate, gzip", "x"] {
        for (path, media) in [
            ("/api/v1/events", "application/json"),
            ("/api/v1/events", "application/x-ndjson"),
        ] {
            let head = format!(
                "POST {path} HTTP/1.1\r\nContent-Type: {media}\r\nContent-Encoding: {coding}"
            );
            let (status, head, body) = http(address, &head, event).await;
            let told = body_json(&body);
            assert_eq!(status, 415, "{coding}: {told}");
            let message = told["error"]["message"].as_str().unwrap();
            assert!(message.contains("gzip, deflate"), "{message}");
            assert!(
                head.to_lowercase()
                    .contains("accept-encoding: gzip, deflate"),
                "{head}"
            );
        }
    }
    assert_eq!(kit::refused(address, "http", "unknown_encoding").await, 12);
    let sid = crate::attacks::malformed::poll(address, 4).await;
    let head = format!(
        "POST /socket.io/?EIO=4&transport=polling&sid={sid} HTTP/1.1\r\nContent-Encoding: gzip"
    );
    let (status, ..) = http(address, &head, &gzip(b"40")).await;
    assert_eq!(status, 400);
    let (mut client, _) = Client::connect(address, json!({})).await;
    assert_eq!(
        client.call("get_history", json!({})).await["events"],
        json!([])
    );
    assert_served(address).await;
    server.shutdown().await;
}

/// A whole gzip file.
fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut encoder, content).expect("to memory");
    encoder.finish().expect("to memory")
}
