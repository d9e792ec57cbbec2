//! Connections by transport, door and role.

use futures_util::StreamExt;
use kit::{Client, counted, metrics, polling::Polling, server, source::Source, until};
use serde_json::json;

use super::{observed, performance};

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_told_by_transport_door_and_role() {
    let server = server().await;
    let address = server.address();
    let before = performance(address).await;
    assert_eq!(before["websocket_connections"], 0, "{before}");
    assert_eq!(before["connections_by_door"]["pipeline"], 0, "{before}");

    let (first, _) = Client::connect(address, json!(null)).await;
    let (second, _) = Client::connect(address, json!({ "role": "operator" })).await;
    let (third, _) = Client::connect(address, json!({ "role": "producer" })).await;
    let polled = [
        Polling::join(address, 4).await,
        Polling::join(address, 3).await,
    ];
    let mut stream = Source::open(address, "", None).await;
    assert_eq!(
        stream.next().await.expect("an event").name,
        "connection_established"
    );
    let url = format!("ws://{address}/api/v1/ws");
    let (mut guide, _) = tokio_tungstenite::connect_async(url).await.expect("opens");
    guide.next().await.expect("a greeting").expect("a message");

    let now = performance(address).await;
    assert_eq!(
        now["connections"],
        json!({ "websocket": 4, "polling": 2, "sse": 1 }),
        "{now}"
    );
    assert_eq!(now["websocket_connections"], 4);
    assert_eq!(
        now["connections_by_door"],
        json!({ "socketio": 5, "sse": 1, "guide": 1, "streams": 0, "visualization": 0, "pipeline": 0 })
    );
    assert_eq!(
        now["connections_by_role"],
        json!({ "observer": 5, "operator": 1, "producer": 1, "admin": 0 })
    );
    // Each was greeted once, and greetings are measured.
    assert_eq!(now["connect_ms"]["count"], 7, "{now}");
    assert!(now["connection_time"].as_f64().expect("a time") > 0.0);
    assert_eq!(observed(address, "stoa_connect_seconds_count").await, 7);
    let all = metrics(address).await;
    for (transport, door, role, count) in [
        ("websocket", "socketio", "observer", 1),
        ("websocket", "socketio", "operator", 1),
        ("websocket", "socketio", "producer", 1),
        ("websocket", "guide", "observer", 1),
        ("polling", "socketio", "observer", 2),
        ("sse", "sse", "observer", 1),
    ] {
        let line = format!(
            "stoa_connections_by_transport{{transport=\"{transport}\",door=\"{door}\",role=\"{role}\"}} {count}"
        );
        assert!(all.lines().any(|l| l == line), "{line} in {all}");
    }
    // A client on two namespaces is one connection.
    first.close().await;
    second.close().await;
    drop((third, polled, stream, guide));
    until("all to be gone", async || {
        let now = performance(address).await;
        // Nobody says goodbye to a session that polls: it is over when it has been silent for long enough.
        let open = now["connections"].clone();
        (open["websocket"] == 0 && open["sse"] == 0).then_some(())
    })
    .await;
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgraded_session_and_a_second_namespace_are_one_websocket() {
    let server = server().await;
    let address = server.address();
    let mut client = Client::open(address, "/", json!({ "role": "operator" }))
        .await
        .expect("connects");
    client.event("connection_established").await;
    client.send_text("40/admin,{\"role\":\"operator\"}").await;
    until("the second namespace", async || {
        let count = counted(address, "stoa_connections{namespace=\"/admin\"}").await;
        (count == 1).then_some(())
    })
    .await;
    let now = performance(address).await;
    assert_eq!(now["websocket_connections"], 1, "{now}");
    client.send_text("41").await;
    until("the first namespace's end", async || {
        let count = counted(address, "stoa_connections{namespace=\"/\"}").await;
        (count == 0).then_some(())
    })
    .await;
    assert_eq!(performance(address).await["websocket_connections"], 1);
    client.send_text("41/admin,").await;
    until("the end of both", async || {
        let now = performance(address).await;
        (now["websocket_connections"] == 0).then_some(())
    })
    .await;
    server.shutdown().await;
}
