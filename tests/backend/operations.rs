//! Operations: what an application wants done, in an answer and by HTTP.

use aws_lc_rs::hmac;
use kit::{
    Client,
    application::SECRET,
    guarded::{admin, grant, guarded, observer, producer, token},
};
use serde_json::{Value, json};
use stoa::{access::authn::Grant, config::Role, server::Running};

use crate::backend::{client, served};

/// Has operations carried out for the service; the results.
pub(crate) async fn operate(server: &Running, operations: Value) -> Vec<Value> {
    let body = json!({ "operations": operations }).to_string();
    let signed = sign(kit::guarded::now(), &body);
    let (status, answer) = post(server, body, &signed).await;
    assert_eq!(status, 200, "{answer}");
    answer["results"].as_array().expect("results").clone()
}

/// Has the service's operations carried out that are written so; the answer as it is written.
pub(crate) async fn answered(server: &Running, body: String) -> String {
    let signed = sign(kit::guarded::now(), &body);
    send(server, body, &signed).await.text().await.unwrap()
}

async fn post(server: &Running, body: String, headers: &[(&'static str, String)]) -> (u16, Value) {
    let response = send(server, body, headers).await;
    (response.status().as_u16(), response.json().await.unwrap())
}

async fn send(
    server: &Running,
    body: String,
    headers: &[(&'static str, String)],
) -> reqwest::Response {
    let mut request = kit::http_client()
        .post(format!("http://{}/api/v1/operations", server.address()))
        .header("content-type", "application/json");
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    request.body(body).send().await.unwrap()
}

/// The headers by which the service proves itself.
fn sign(time: u64, body: &str) -> [(&'static str, String); 2] {
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    let tag = hmac::sign(&key, format!("{time}.{body}").as_bytes());
    let signature = format!("v1={}", data_encoding::HEXLOWER.encode(tag.as_ref()));
    [
        ("stoa-timestamp", time.to_string()),
        ("stoa-signature", signature),
    ]
}

fn bearer(token: &str) -> [(&'static str, String); 1] {
    [("authorization", format!("Bearer {token}"))]
}

#[tokio::test]
async fn rooms_clients_and_sessions_are_seen_and_changed() {
    let (server, _application) = served(|call| json!({ "ack": [call["client_id"]] })).await;
    let mut one = client(&server).await;
    let mut other = client(&server).await;
    let one_id = one.call("who", json!(null)).await;
    let other_id = other.call("who", json!(null)).await;
    let results = operate(
        &server,
        json!([
            { "join": "project:p1", "client": one_id },
            { "join": "project:p1", "client": other_id },
            { "session": { "name": "anna" }, "client": one_id },
            { "client": one_id },
            { "rooms_of": other_id },
            { "members": "project:p1" },
            { "leave": "project:p1", "client": one_id },
            { "members": "project:p1" },
            { "close_room": "project:p1" },
            { "members": "project:p1" },
        ]),
    )
    .await;
    assert!(
        results.iter().all(|result| result["status"] == "ok"),
        "{results:?}"
    );
    assert_eq!(results[1]["members"], 2);
    assert_eq!(results[3]["session"], json!({ "name": "anna" }));
    assert_eq!(results[3]["client_id"], one_id);
    assert!(results[3]["connected_at"].is_string());
    assert!(
        results[4]["rooms"]
            .as_array()
            .unwrap()
            .contains(&json!("project:p1"))
    );
    let mut members = results[5]["members"].as_array().unwrap().clone();
    let mut both = vec![one_id.clone(), other_id.clone()];
    members.sort_by_key(Value::to_string);
    both.sort_by_key(Value::to_string);
    assert_eq!(members, both);
    assert_eq!(results[7]["members"], json!([other_id]));
    assert_eq!(results[9]["members"], json!([]));
}

#[tokio::test]
async fn one_that_fails_leaves_the_others() {
    let (server, _application) = served(|_| json!({})).await;
    let results = operate(
        &server,
        json!([
            { "join": "project:p1", "client": "nobody" },
            { "jion": "project:p1" },
            7,
            { "join": "a\u{7}b", "client": "nobody" },
            { "leave": "project:p1" },
            { "members": "project:p1" },
        ]),
    )
    .await;
    let codes: Vec<_> = results
        .iter()
        .map(|result| result["error"]["code"].clone())
        .collect();
    let bad = json!("bad_request");
    assert_eq!(
        codes,
        [
            json!("not_found"),
            bad.clone(),
            bad.clone(),
            bad.clone(),
            bad,
            Value::Null
        ]
    );
    assert_eq!(
        kit::counted_in(
            &server,
            "stoa_operations_total{operation=\"unknown\",code=\"bad_request\"}"
        ),
        2
    );
}

#[tokio::test]
async fn a_client_is_called_and_its_answer_comes_back() {
    let (server, _application) = served(|call| json!({ "ack": [call["client_id"]] })).await;
    let mut client = client(&server).await;
    let id = client.call("who", json!(null)).await;
    let call = json!([{ "call": { "client": id, "event": "sum", "args": [1, { "b": 2 }], "timeout_ms": 60_000 } }]);
    let asking = operate(&server, call);
    let answering = async {
        loop {
            let text = client.text().await.expect("a packet");
            let Some(asked) = text.strip_prefix("42") else {
                continue;
            };
            let Some((ack, arguments)) = asked.split_once('[') else {
                continue;
            };
            if ack.is_empty() {
                continue;
            }
            assert_eq!(arguments, r#""sum",1,{"b":2}]"#);
            client.send_text(&format!("43{ack}[3,\"done\"]")).await;
            return;
        }
    };
    let (results, ()) = tokio::join!(asking, answering);
    assert_eq!(
        results,
        [json!({ "status": "ok", "args": [3, "done"], "attachments": [] })]
    );
    let late = operate(
        &server,
        json!([{ "call": { "client": id, "event": "sum", "timeout_ms": 50 } }]),
    )
    .await;
    assert_eq!(late[0]["error"]["code"], "timeout");
    let misplaced = operate(
        &server,
        json!([{ "call": { "client": id, "event": "sum", "attachments": ["AAA="] } }]),
    )
    .await;
    assert_eq!(misplaced[0]["error"]["code"], "bad_request");
}

#[tokio::test]
async fn in_an_answer_they_are_about_the_caller_and_questions_are_refused() {
    let (server, _application) = served(|call| match call["event"].as_str() {
        Some("enter") => {
            json!({ "ack": ["in"], "do": [{ "join": "project:p1" }, { "members": "project:p1" }] })
        }
        _ => json!({ "ack": [call["rooms"]] }),
    })
    .await;
    let mut client = client(&server).await;
    assert_eq!(client.call("enter", json!(null)).await, "in");
    let rooms = client.call("rooms", json!(null)).await;
    assert!(
        rooms.as_array().unwrap().contains(&json!("project:p1")),
        "{rooms}"
    );
    assert_eq!(
        kit::counted_in(
            &server,
            "stoa_operations_total{operation=\"members\",code=\"bad_request\"}"
        ),
        1
    );
}

#[tokio::test]
async fn they_are_for_the_service_and_for_trusted_producers() {
    let (server, _application) = served(|_| json!({})).await;
    let body = json!({ "operations": [{ "members": "general" }] }).to_string();
    let now = kit::guarded::now();
    assert_eq!(post(&server, body.clone(), &sign(now, &body)).await.0, 200);
    assert_eq!(
        post(&server, body.clone(), &sign(now - 1_000, &body))
            .await
            .0,
        401,
        "too old"
    );
    assert_eq!(
        post(&server, body.clone(), &sign(now, "another body"))
            .await
            .0,
        401
    );
    // Nobody is the service by saying nothing, not even a program of this machine while no token is asked for.
    let origin = [("origin", "http://localhost:1234".to_owned())];
    for headers in [&[][..], &origin, &bearer("no token")] {
        let (status, said) = post(&server, body.clone(), headers).await;
        assert_eq!(status, 403, "{said}");
        assert!(said.to_string().contains("secret that the start prints"));
    }
    let starter = bearer(kit::START_SECRET);
    assert_eq!(post(&server, body.clone(), &starter).await.0, 200);

    let guarded = guarded(|config| {
        config.backend.url = "http://127.0.0.1:9/stoa".into();
        config.backend.secret = SECRET.into();
        config.backend.connect = false;
        config.backend.disconnect = false;
    })
    .await;
    assert_eq!(post(&guarded, body.clone(), &[]).await.0, 401, "no token");
    assert_eq!(
        post(&guarded, body.clone(), &sign(now, &body)).await.0,
        200,
        "the service needs none"
    );
    let limited = token(&Grant {
        projects: Some(vec!["shop".into()]),
        ..grant(Role::Producer)
    });
    for (token, expected) in [
        (observer("anna", &[]), 403),
        (limited, 403),
        (producer(), 200),
        (admin(), 200),
    ] {
        let header = bearer(&token);
        assert_eq!(post(&guarded, body.clone(), &header).await.0, expected);
    }
    // A producer sends to clients; users are known to the service by session data, which is not a producer's.
    let auth = json!({ "token": admin() });
    let client = Client::connect(guarded.address(), auth).await.0;
    let id = &client.sid;
    let about = json!([
        { "session": { "user": "root" }, "client": id },
        { "client": id },
    ]);
    let body = json!({ "operations": about }).to_string();
    let (_, said) = post(&guarded, body.clone(), &bearer(&admin())).await;
    assert_eq!(said["results"][1]["session"], json!({ "user": "root" }));
    let (_, said) = post(&guarded, body, &bearer(&producer())).await;
    assert_eq!(said["results"][0]["error"]["code"], "forbidden", "{said}");
    assert_eq!(said["results"][1]["status"], "ok", "{said}");
    assert_eq!(said["results"][1]["session"], Value::Null, "{said}");
}

#[tokio::test]
async fn what_an_answer_emits_comes_before_its_acknowledgement() {
    let (server, _application) = served(|call| match call["event"].as_str() {
        Some("enter") => json!({ "ack": ["in"], "do": [{ "join": "the lobby" }] }),
        _ => json!({ "ack": ["said"], "do": [
            { "emit": { "event": "chat", "args": [call["args"][0], 2], "rooms": "the lobby" } },
        ] }),
    })
    .await;
    let mut one = client(&server).await;
    let mut other = client(&server).await;
    assert_eq!(one.call("enter", json!(null)).await, "in");
    assert_eq!(other.call("enter", json!(null)).await, "in");
    one.send_text(r#"427001["say","hello"]"#).await;
    assert_eq!(one.text().await.unwrap(), r#"42["chat","hello",2]"#);
    assert_eq!(one.text().await.unwrap(), r#"437001["said"]"#);
    assert_eq!(other.event("chat").await, "hello");
    let emit =
        json!([{ "emit": { "event": "news", "args": [] } }, { "emit": { "event": "connect" } }]);
    let results = operate(&server, emit).await;
    assert_eq!(results[0]["accepted"], 1, "{results:?}");
    assert_eq!(results[1]["status"], "error", "{results:?}");
    other.event("news").await;
}
