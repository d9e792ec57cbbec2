//! A Seneca page that was away is told the figures that only Seneca's pages know.

use serde_json::{Value, json};

use kit::{Client, post, server_with, until_folded};

#[tokio::test(flavor = "multi_thread")]
async fn who_subscribes_while_it_catches_up_is_not_told_that_it_has_everything() {
    const COUNT: u64 = 6_000;
    let server = server_with(|c| c.server.max_client_buffer.set(64 * 1024).unwrap()).await;
    let address = server.address();
    let (first, hello) = Client::connect(address, json!({})).await;
    first.close().await;
    let mut last = Value::Null;
    for from in (0..COUNT).step_by(100) {
        let events: Vec<Value> = (from..from + 100)
            .map(|n| json!({ "type": "decision.logged", "data": { "what": "x".repeat(300), "n": n } }))
            .collect();
        last = post(address, &json!(events)).await.1["cursor"].clone();
    }
    until_folded(address, &last).await;
    let (mut client, _) = Client::connect(address, json!({ "cursor": hello["cursor"] })).await;
    client.emit("subscribe_pipeline_flow", json!({})).await;
    let mut seen = 0;
    let cursor = loop {
        let (name, update) = client.next().await.unwrap();
        match name.as_str() {
            "decision_event" => seen += 1,
            "active_flows_update" => break update["cursor"].clone(),
            "resumed" => panic!("it was too fast: {seen}"),
            _ => {}
        }
    };
    client.close().await;
    let (mut client, _) = Client::connect(address, json!({ "cursor": cursor })).await;
    loop {
        let (name, _) = client.next().await.unwrap();
        match name.as_str() {
            "decision_event" => seen += 1,
            "resumed" => break,
            _ => {}
        }
    }
    assert!(seen >= COUNT, "{seen}");
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_to_everybody_comes_again_to_who_was_away() {
    let server = server_with(|c| c.seneca.broadcast = true).await;
    let address = server.address();
    let decision = json!({ "type": "decision.logged", "data": { "what": "x" } });
    let (mut stays, _) = Client::connect(address, json!({})).await;
    let (mut goes, hello) = Client::connect(address, json!({})).await;
    post(address, &decision).await;
    stays.event("conversation_event").await;
    goes.event("conversation_event").await;
    let cursor = hello["cursor"].clone();
    goes.close().await;
    let (mut back, _) = Client::connect(address, json!({ "cursor": cursor })).await;
    back.event("decision_event").await;
    back.event("resumed").await;
    assert!(
        back.names().contains(&"conversation_event"),
        "{:?}",
        back.names()
    );
    server.shutdown().await;
}
