//! Connects and disconnects: the service is asked, and told.

use axum::response::IntoResponse;
use futures_util::{SinkExt, StreamExt};
use kit::{Client, application::Application, polling::Polling};
use serde_json::{Value, json};

use crate::backend::{calls, client, served, server_of};

#[tokio::test]
async fn the_service_sees_who_connects_but_no_credential() {
    let (server, application) = served(|_| json!({})).await;
    let auth = json!({ "token": "not a token", "name": "anna", "color": "red" });
    let header = Some(("user-agent", "a browser"));
    let client = Client::open_with(server.address(), "/", auth, header).await;
    let client = client.expect("it is let in");
    let call = application
        .call_where("the connect", |call| call.is("connect"))
        .await
        .body;
    assert_eq!(call["auth"], json!({ "name": "anna", "color": "red" }));
    assert_eq!(call["headers"], json!({ "user-agent": "a browser" }));
    assert_eq!(call["address"], "127.0.0.1");
    assert!(
        call["query"]
            .as_str()
            .unwrap()
            .contains("transport=websocket")
    );
    assert_eq!(call["session"], Value::Null);
    drop(client);
    let left = application
        .call_where("the end", |call| call.is("disconnect"))
        .await
        .body;
    assert_eq!(left["client_id"], call["client_id"]);
}

#[tokio::test]
async fn a_refusal_comes_as_the_service_says_it() {
    let application = Application::start(|call| match call["auth"]["who"].as_str() {
        Some("plain") => json!({ "refuse": { "message": "no \"guests\"" } }),
        // An application that quotes its client.
        Some(quoted @ "\0stoa.refusal {\"message\":\"forged\"}") => {
            json!({ "refuse": { "message": quoted } })
        }
        _ => json!({ "refuse": { "message": "go away", "data": { "why": [1, "ü"] } } }),
    })
    .await;
    let server = server_of(&application.url, |_| {}).await;
    let plain = json!({ "message": "no \"guests\"" });
    let data = json!({ "message": "go away", "data": { "why": [1, "ü"] } });
    let mark = "\0stoa.refusal {\"message\":\"forged\"}";
    let forged = json!({ "message": mark });
    for (who, expected) in [("plain", plain), ("data", data), (mark, forged)] {
        let auth = json!({ "who": who });
        let refused = refused_by_websocket(server.address(), "", &auth).await;
        assert_eq!(refused, expected, "a WebSocket");
        let refused = refused_by_polling(server.address(), &auth).await;
        assert_eq!(refused, expected, "polling");
    }
    assert_eq!(calls(&server, "connect", "refused"), 6);
    assert_eq!(
        calls(&server, "disconnect", "ok"),
        0,
        "the service knows that they are not there"
    );
}

async fn refused_by_websocket(address: std::net::SocketAddr, query: &str, auth: &Value) -> Value {
    let url = format!("ws://{address}/socket.io/?EIO=4&transport=websocket{query}");
    let (mut socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
    let connect = tokio_tungstenite::tungstenite::Message::text(format!("40{auth}"));
    socket.send(connect).await.unwrap();
    loop {
        let message = socket.next().await.unwrap().unwrap().into_text().unwrap();
        if let Some(body) = message.strip_prefix("44") {
            return serde_json::from_str(body).unwrap();
        }
    }
}

async fn refused_by_polling(address: std::net::SocketAddr, auth: &Value) -> Value {
    let client = kit::http_client();
    let url = format!("http://{address}/socket.io/?EIO=4&transport=polling");
    let open = client.get(&url).send().await.unwrap().text().await.unwrap();
    let open: Value = serde_json::from_str(&open[1..]).unwrap();
    let url = format!("{url}&sid={}", open["sid"].as_str().unwrap());
    client
        .post(&url)
        .body(format!("40{auth}"))
        .send()
        .await
        .unwrap();
    loop {
        let text = client.get(&url).send().await.unwrap().text().await.unwrap();
        if let Some(body) = text
            .split('\u{1e}')
            .find_map(|packet| packet.strip_prefix("44"))
        {
            return serde_json::from_str(body).unwrap();
        }
    }
}

#[tokio::test]
async fn what_a_connect_wants_done_is_done_before_the_first_event() {
    let application = Application::start(|call| match call["type"].as_str() {
        Some("connect") => {
            json!({ "do": [{ "join": "project:p1" }, { "session": { "name": "anna" } }] })
        }
        _ => json!({ "ack": [call["rooms"], call["session"]] }),
    })
    .await;
    let server = server_of(&application.url, |_| {}).await;
    let mut client = Client::open(server.address(), "/", json!({}))
        .await
        .unwrap();
    let answer = crate::backend::answer_to(&mut client, r#"["hello"]"#).await;
    let answer: Value = serde_json::from_str(&answer["437000".len()..]).unwrap();
    assert!(
        answer[0].as_array().unwrap().contains(&json!("project:p1")),
        "{answer}"
    );
    assert_eq!(answer[1], json!({ "name": "anna" }));
}

#[tokio::test]
async fn a_disconnect_comes_after_the_clients_events_with_its_reason() {
    let application = Application::serve(|call: Value| async move {
        if call["type"] == "event" {
            // The client is gone long before these are handled.
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        axum::Json(json!({})).into_response()
    })
    .await;
    let server = server_of(&application.url, |_| {}).await;
    let mut client = client(&server).await;
    for n in 0..5 {
        client.emit("step", json!(n)).await;
    }
    client.send_text("41").await;
    application
        .call_where("the end", |call| call.is("disconnect"))
        .await;
    let kinds: Vec<_> = application
        .calls()
        .iter()
        .map(|call| call.body["type"].clone())
        .collect();
    assert_eq!(
        kinds,
        [
            "connect",
            "event",
            "event",
            "event",
            "event",
            "event",
            "disconnect"
        ]
    );
    let steps = application
        .calls()
        .into_iter()
        .filter(|call| call.is("event"));
    let steps: Vec<_> = steps.map(|call| call.body["args"][0].clone()).collect();
    assert_eq!(steps, [0, 1, 2, 3, 4]);
    assert_eq!(application.calls()[6].body["reason"], "client disconnect");
}

#[tokio::test]
async fn what_was_emitted_to_a_client_comes_before_its_disconnect() {
    let (server, _application) = served(|call| {
        let id = &call["client_id"];
        let bye = json!({ "event": "bye", "args": ["x"], "rooms": id });
        json!({ "do": [{ "emit": bye }, { "disconnect": id }] })
    })
    .await;
    for _ in 0..10 {
        let mut websocket = client(&server).await;
        websocket.emit("kick", json!(null)).await;
        let mut heard = Vec::new();
        while heard.last().is_none_or(|text| text != "41") {
            heard.push(websocket.text().await.expect("a packet"));
        }
        assert!(
            heard.iter().any(|text| text == r#"42["bye","x"]"#),
            "{heard:?}"
        );
        let polls = Polling::join(server.address(), 4).await;
        polls.send(r#"42["kick"]"#).await;
        polls.wait_for(r#"42["bye","x"]"#).await;
    }
}

#[tokio::test]
async fn the_reason_of_a_disconnect_is_in_the_words_of_socketio() {
    let (server, application) = served(|call| match call["event"].as_str() {
        Some("leave_me") => json!({ "do": [{ "disconnect": call["client_id"] }] }),
        _ => json!({}),
    })
    .await;
    let reason = async |application: &Application, number: usize| {
        let ends = || {
            application
                .calls()
                .into_iter()
                .filter(|call| call.is("disconnect"))
        };
        kit::wait_for("a disconnect", async || ends().count() == number).await;
        ends().last().unwrap().body["reason"].clone()
    };
    client(&server).await.close().await;
    assert_eq!(reason(&application, 1).await, "transport close");
    let mut put_out = client(&server).await;
    put_out.emit("leave_me", json!(null)).await;
    while put_out.text().await.expect("a packet") != "41" {}
    assert_eq!(reason(&application, 2).await, "server disconnect");
    // The connection is still there: the client may come again on it.
    put_out.send_text("40").await;
    while !put_out.text().await.expect("a packet").starts_with("40") {}
    put_out.send_text("41").await;
    assert_eq!(reason(&application, 3).await, "client disconnect");
    let polls = Polling::join(server.address(), 4).await;
    polls.send(r#"42["leave_me"]"#).await;
    assert_eq!(reason(&application, 4).await, "server disconnect");
    drop(client(&server).await);
    let lost = reason(&application, 5).await;
    assert!(
        lost == "transport error" || lost == "transport close",
        "{lost}"
    );
}

#[tokio::test]
async fn clients_come_and_go_unasked_where_the_settings_say_so() {
    let application = Application::start(|_| json!({ "refuse": { "message": "never" } })).await;
    let server = server_of(&application.url, |config| {
        config.backend.connect = false;
        config.backend.disconnect = false;
    })
    .await;
    let mut one = client(&server).await;
    one.call("anything", json!(null)).await;
    one.close().await;
    let mut other = client(&server).await;
    other.call("anything", json!(null)).await;
    assert!(application.calls().iter().all(|call| call.is("event")));
    // Operators and Seneca's pages are no clients of an application.
    Client::open(server.address(), "/conversations", json!({}))
        .await
        .unwrap();
}

#[tokio::test]
async fn nobody_comes_in_without_the_session_data_by_which_the_service_knows_it() {
    let application = Application::start(|call| match call["type"].as_str() {
        Some("connect") => {
            let session = json!({ "kept": call["auth"]["keep"], "query": call["query"] });
            json!({ "do": [{ "join": "project:p1" }, { "session": session }] })
        }
        _ => json!({ "ack": [call["session"]["kept"], call["rooms"]] }),
    })
    .await;
    let server = server_of(&application.url, |_| {}).await;
    let auth = json!({ "keep": "anna" });
    let mut client = Client::connect(server.address(), auth).await.0;
    assert_eq!(client.call("who", json!(null)).await, "anna");
    let long = json!({ "keep": "x".repeat(20_000) });
    let refused = refused_by_websocket(server.address(), "", &long).await;
    let message = refused["message"].as_str().unwrap();
    assert!(message.contains("max_session_bytes"), "{message}");
    let left = application
        .call_where("the end", |call| call.is("disconnect"))
        .await
        .body;
    assert_ne!(
        left["client_id"], client.sid,
        "the service learns that it is out"
    );
    // A query of any length would go into the data of ever so many clients.
    let query = format!("&x={}", "y".repeat(4_096));
    let refused = refused_by_websocket(server.address(), &query, &json!({})).await;
    let message = refused["message"].as_str().unwrap();
    assert!(message.contains("[backend] max_query_bytes"), "{message}");
    assert_eq!(calls(&server, "connect", "ok"), 2);
}

#[tokio::test]
async fn without_a_token_a_page_observes_and_is_put_into_rooms_by_the_service_alone() {
    let (server, _application) = served(|call| match call["event"].as_str() {
        Some("enter") => json!({ "ack": ["in"], "do": [
            { "join": "staff" },
            { "emit": { "event": "minutes", "args": [7], "rooms": ["staff"], "keep": true } },
        ] }),
        _ => json!({}),
    })
    .await;
    let page = Some("http://localhost:1234");
    let open = |auth| Client::open_from(server.address(), "/", auth, page);
    let mut member = open(json!({})).await.expect("it may watch");
    assert_eq!(member.call("enter", json!(null)).await, "in");
    assert_eq!(member.event("minutes").await, 7);
    let mut stranger = open(json!({ "role": "producer" }))
        .await
        .expect("it may watch");
    let hello = stranger.event("connection_established").await;
    assert_eq!(hello["role"], "observer");
    let said = stranger.call("join_room", json!({ "room": "staff" })).await;
    assert_eq!(said["error"]["code"], "forbidden_room", "{said}");
    assert!(said.to_string().contains("[backend] url"), "{said}");
    let refused = open(json!({ "rooms": ["staff"] })).await.err();
    assert!(refused.unwrap().starts_with("forbidden_room"));
    for (event, argument) in [
        (
            "emit_to",
            json!({ "event": "forged", "args": [], "rooms": ["staff"] }),
        ),
        (
            "publish",
            json!({ "type": "agent.status.changed", "agent_id": "a" }),
        ),
        ("get_stats", json!({})),
        ("agent_action", json!({ "agent_id": "a", "action": "stop" })),
    ] {
        let said = stranger.call(event, argument).await;
        assert_eq!(said["error"]["code"], "forbidden", "{event}: {said}");
    }
    let joined = stranger
        .call("join_room", json!({ "room": "task:1" }))
        .await;
    assert_eq!(
        joined["status"], "ok",
        "rooms of Stoa's things are as open as before"
    );
    let url = format!("http://{}/api/v1", server.address());
    let http = kit::http_client();
    let from_page =
        |request: reqwest::RequestBuilder| request.header("origin", "http://localhost:1234");
    let members = from_page(http.get(format!("{url}/rooms/staff/members")));
    assert_eq!(members.send().await.unwrap().status(), 403);
    let history = from_page(http.get(format!("{url}/events")))
        .send()
        .await
        .unwrap();
    let history = history.text().await.unwrap();
    assert!(!history.contains("minutes"), "{history}");
    let emit = http
        .post(format!("{url}/emit"))
        .json(&json!({ "event": "forged", "rooms": ["staff"] }));
    assert_eq!(from_page(emit).send().await.unwrap().status(), 403);

    // A program of this machine is trusted as before, unless others reach the server, too.
    let mut program = Client::connect(server.address(), json!({ "role": "producer" }))
        .await
        .0;
    let emission = json!({ "event": "news", "args": [1], "rooms": ["staff"] });
    assert_eq!(program.call("emit_to", emission).await["status"], "ok");
    assert_eq!(member.event("news").await, 1);
    let (exposed, _application) = exposed().await;
    let (_, hello) = Client::connect(exposed.address(), json!({ "role": "operator" })).await;
    assert_eq!(hello["role"], "observer");
}

/// A server that may be reached by more than this machine, with a service.
async fn exposed() -> (stoa::server::Running, Application) {
    let application = Application::start(|_| json!({})).await;
    let server = server_of(&application.url, |config| {
        config.server.allow_insecure = true;
    })
    .await;
    (server, application)
}
