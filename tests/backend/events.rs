//! Events: as they were sent to the service, and its answer as it is to the client.

use aws_lc_rs::hmac;
use kit::application::SECRET;
use serde_json::{Value, json};

use crate::backend::{answer_to, calls, client, served};

#[tokio::test]
async fn an_event_goes_as_it_was_sent_and_the_answer_comes_back_as_it_is() {
    let (server, application) = served(|call| match call["event"].as_str() {
        Some("two") => json!({ "ack": [1, { "a": "b" }] }),
        Some("one") => json!({ "ack": "one" }),
        Some("none") => json!({ "ack": [] }),
        _ => json!({}),
    })
    .await;
    let mut client = client(&server).await;
    let two = r#"["two",{"text":"hi","n":1.0},null,[2]]"#;
    assert_eq!(answer_to(&mut client, two).await, r#"437000[1,{"a":"b"}]"#);
    assert_eq!(
        answer_to(&mut client, r#"["one"]"#).await,
        r#"437000["one"]"#
    );
    assert_eq!(answer_to(&mut client, r#"["none"]"#).await, "437000[]");
    assert_eq!(
        answer_to(&mut client, r#"["silent"]"#).await,
        "437000[]",
        "handled, and nothing is said"
    );
    let call = application
        .call_where("the event", |call| call.body["event"] == "two")
        .await;
    let text = std::str::from_utf8(&call.bytes).unwrap();
    assert!(
        text.contains(r#""args":[{"text":"hi","n":1.0},null,[2]]"#),
        "{text}"
    );
    assert_eq!(call.body["ack"], true);
    assert_eq!(call.body["namespace"], "/");
    assert_eq!(call.body["role"], "observer");
    assert_eq!(call.body["user"], Value::Null);
    assert_eq!(call.body["session"], Value::Null);
    let rooms = call.body["rooms"].as_array().unwrap();
    assert!(rooms.contains(&json!("general")) && rooms.contains(&call.body["client_id"]));
    assert!(
        !text.contains(&client.sid) || call.body["client_id"] == *client.sid,
        "the transport's id is a credential"
    );
    assert_eq!(calls(&server, "event", "ok"), 4);
}

#[tokio::test]
async fn every_call_is_signed() {
    let (server, application) = served(|_| json!({})).await;
    let mut client = client(&server).await;
    client.call("hello", json!("you")).await;
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    let all = application.calls();
    assert_eq!(all.len(), 2, "connect and the event");
    for call in all {
        let header = |name: &str| call.headers[name].to_str().unwrap().to_owned();
        let signed = [header("stoa-timestamp").as_bytes(), b".", &call.bytes].concat();
        let signature = header("stoa-signature");
        let tag = data_encoding::HEXLOWER.decode(signature.strip_prefix("v1=").unwrap().as_bytes());
        hmac::verify(&key, &signed, &tag.unwrap()).expect("the signature is right");
        assert_eq!(header("content-type"), "application/json");
    }
}

#[tokio::test]
async fn an_unhandled_event_and_a_refused_one_are_told() {
    let (server, _application) = served(|call| match call["event"].as_str() {
        Some("post") => json!({ "refuse": { "message": "not now", "data": { "again_in": 5 } } }),
        _ => json!({ "unhandled": true }),
    })
    .await;
    let mut client = client(&server).await;
    let refused = client.call("post", json!({})).await;
    let error = json!({ "code": "refused", "message": "not now", "data": { "again_in": 5 } });
    assert_eq!(refused, json!({ "status": "error", "error": error }));
    let unhandled = client.call("typing", json!({})).await;
    assert_eq!(unhandled["error"]["code"], "unknown_event");
    assert_eq!(
        unhandled["error"]["message"],
        "the application has no handler for \"typing\""
    );
    assert_eq!(calls(&server, "event", "refused"), 1);
    assert_eq!(calls(&server, "event", "unhandled"), 1);
}

#[tokio::test]
async fn stoas_own_events_stay_its_own_but_those_that_applications_name() {
    let (server, application) = served(|call| match call["event"].as_str() {
        Some("join") => json!({ "ack": ["joined by the application"] }),
        _ => json!({ "unhandled": true }),
    })
    .await;
    let mut client = client(&server).await;
    assert_eq!(
        client.call("join", json!({ "room": "project:p1" })).await,
        "joined by the application"
    );
    // The service has no handler for it, so it is Stoa's.
    let left = client.call("leave", json!({ "room": "project:p1" })).await;
    assert_eq!(left["status"], "ok");
    let joined = client
        .call("join_room", json!({ "room": "project:p1" }))
        .await;
    assert_eq!(joined["members"], 1);
    assert_eq!(client.call("ping", json!(null)).await["status"], "ok");
    let watched = client.call("presence", json!({ "room": "project:p1" }));
    assert_eq!(watched.await["status"], "ok");
    let names: Vec<_> = application
        .calls()
        .iter()
        .map(|call| call.body["event"].clone())
        .collect();
    assert_eq!(names, [Value::Null, json!("join"), json!("leave")]);
}

#[tokio::test]
async fn session_data_stays_with_the_client() {
    let (server, application) = served(|call| {
        let count = call["session"]["count"].as_u64().unwrap_or_default();
        match call["event"].as_str() {
            Some("large") => json!({ "do": [{ "session": { "text": "x".repeat(20_000) } }] }),
            _ => json!({ "ack": [count], "do": [{ "session": { "count": count + 1 } }] }),
        }
    })
    .await;
    let mut one = client(&server).await;
    let mut other = client(&server).await;
    for count in 0..3 {
        assert_eq!(one.call("count", json!(null)).await, count);
    }
    assert_eq!(other.call("count", json!(null)).await, 0);
    other.call("large", json!(null)).await;
    assert_eq!(
        other.call("count", json!(null)).await,
        1,
        "what is too large is not kept"
    );
    assert_eq!(
        kit::counted_in(&server, "stoa_backend_sessions_refused_total"),
        1
    );
    let failed = "stoa_operations_total{operation=\"session\",code=\"too_large\"}";
    assert_eq!(kit::counted_in(&server, failed), 1);
    one.close().await;
    let left = application
        .call_where("the end", |call| call.is("disconnect"))
        .await;
    assert_eq!(left.body["session"], json!({ "count": 3 }));
}

#[tokio::test]
async fn bytes_go_to_the_service_and_come_back() {
    let (server, application) = served(|call| {
        json!({ "ack": [{ "_placeholder": true, "num": 0 }, "thanks"], "attachments": call["attachments"] })
    })
    .await;
    let mut client = client(&server).await;
    let event = r#"451-7000["photo",{"name":"a","bytes":{"_placeholder":true,"num":0}}]"#;
    client.send_text(event).await;
    client.send_binary(vec![1, 2, 255]).await;
    let answer = loop {
        let text = client.text().await.expect("an answer");
        if text.starts_with("46") {
            break text;
        }
    };
    assert_eq!(
        answer,
        r#"461-7000[{"_placeholder":true,"num":0},"thanks"]"#
    );
    assert_eq!(client.binary().await, [1, 2, 255]);
    let call = application
        .call_where("the event", |call| call.is("event"))
        .await;
    let expected = json!([{ "name": "a", "bytes": { "_placeholder": true, "num": 0 } }]);
    assert_eq!(call.body["args"], expected);
    assert_eq!(call.body["attachments"], json!(["AQL/"]));
}
