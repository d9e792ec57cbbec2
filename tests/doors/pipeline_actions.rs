//! `agent_action` at the pipeline's socket: performed by the Socket.IO clients in the agent's room.

use std::net::SocketAddr;

use kit::{Client, counted, door::DoorClient, server, server_with};
use serde_json::{Value, json};
use stoa::server::Running;

const PATH: &str = "/ws/dating_show/";

/// Joins the agent's performers.
async fn performer(address: SocketAddr, agent: &str) -> Client {
    let (mut client, _) = Client::connect(address, json!({ "role": "producer" })).await;
    let room = json!({ "room": format!("agent:{agent}:actions") });
    assert_eq!(client.call("join_room", room).await["status"], "ok");
    client
}

/// The next action that a performer is asked for: the id of its answer, and the action.
async fn asked(performer: &mut Client) -> (String, Value) {
    loop {
        let text = performer.text().await.expect("it stays");
        if text.contains("\"agent_action\"") {
            let body = text.find('[').expect("an event");
            let mut event: Value = serde_json::from_str(&text[body..]).expect("JSON");
            return (text[2..body].to_owned(), event[1].take());
        }
    }
}

async fn operator(address: SocketAddr, headers: &[(&'static str, &str)]) -> DoorClient {
    let mut client = DoorClient::open_with(address, PATH, headers).await.unwrap();
    client.until("connection_established").await;
    client
}

/// The seed's own message.
fn act() -> Value {
    json!({ "type": "agent_action", "agent_id": "agent_001", "action": "move", "params": { "location": "pool" } })
}

#[tokio::test]
async fn an_action_goes_to_the_agents_producer_and_its_answer_comes_back() {
    let server = server().await;
    let address = server.address();
    let mut performer = performer(address, "agent_001").await;
    let mut operator = operator(address, &[]).await;
    operator.send(&act()).await;
    let accepted = operator.next().await.unwrap();
    assert_eq!(accepted["type"], "agent_action_accepted");
    assert_eq!(accepted["agent_id"], "agent_001");
    let (id, action) = asked(&mut performer).await;
    assert_eq!(action["type"], "agent_action");
    assert_eq!(action["action"], "move");
    assert_eq!(action["params"], json!({ "location": "pool" }));
    assert_eq!(action["action_id"], accepted["action_id"]);
    assert_eq!(action["retry_count"], 0);
    performer
        .send_text(&format!("43{id}[{{\"moved\":true}}]"))
        .await;
    let result = operator.next().await.unwrap();
    assert_eq!(result["type"], "agent_action_result");
    assert_eq!(result["action_id"], accepted["action_id"]);
    assert_eq!(result["agent_id"], "agent_001");
    assert_eq!(result["status"], "ok");
    assert_eq!(result["result"], json!({ "moved": true }));
    assert!(result["timestamp"].is_f64(), "{result}");
}

#[tokio::test]
async fn without_a_producer_the_result_says_so() {
    let server = server().await;
    let mut operator = operator(server.address(), &[]).await;
    operator.send(&act()).await;
    let result = operator.next().await.unwrap();
    assert_eq!(result["type"], "agent_action_result");
    assert_eq!(result["status"], "error");
    assert_eq!(result["error"]["code"], "unavailable");
    operator.send(&json!({ "type": "ping" })).await;
    assert_eq!(operator.next().await.unwrap()["type"], "pong");
}

#[tokio::test]
async fn a_page_of_another_origin_makes_no_agent_act() {
    let server = server().await;
    let address = server.address();
    let mut performer = performer(address, "agent_001").await;
    let mut foreign = operator(address, &[("Origin", "http://localhost:9")]).await;
    foreign.send(&act()).await;
    assert_eq!(foreign.next().await.unwrap()["code"], "forbidden");
    performer.so_far().await;
    let heard = performer
        .other
        .iter()
        .any(|text| text.contains("agent_action"));
    assert!(!heard, "{:?}", performer.other);
}

async fn retries(server: &Running) -> u64 {
    counted(
        server.address(),
        "stoa_retries_total{what=\"agent_action\"}",
    )
    .await
}

#[tokio::test]
async fn an_action_whose_producer_left_is_sent_again_to_the_one_that_comes_back() {
    // So long a wait that the producer is back before it ends.
    let server = server_with(|config| {
        config.server.action_retry_delay.set(2.0).unwrap();
        config.server.action_timeout.set(60.0).unwrap();
    })
    .await;
    let address = server.address();
    let mut first = performer(address, "agent_001").await;
    let mut operator = operator(address, &[]).await;
    operator.send(&act()).await;
    let (_, action) = asked(&mut first).await;
    first.close().await;
    let mut second = performer(address, "agent_001").await;
    let (id, again) = asked(&mut second).await;
    assert_eq!(again["action_id"], action["action_id"]);
    assert_eq!(
        (&action["retry_count"], &again["retry_count"]),
        (&json!(0), &json!(1))
    );
    second.send_text(&format!("43{id}[\"done\"]")).await;
    let result = operator.until("agent_action_result").await;
    assert_eq!(
        (&result["status"], &result["result"]),
        (&json!("ok"), &json!("done"))
    );
    assert_eq!(retries(&server).await, 1);
}

#[tokio::test]
async fn an_action_that_nobody_takes_over_ends_after_its_retries() {
    let server = server_with(|config| {
        config.server.action_retry_delay.set(0.01).unwrap();
        config.server.action_timeout.set(60.0).unwrap();
    })
    .await;
    let address = server.address();
    let mut performer = performer(address, "agent_001").await;
    let mut operator = operator(address, &[]).await;
    operator.send(&act()).await;
    asked(&mut performer).await;
    performer.close().await;
    let result = operator.until("agent_action_result").await;
    assert_eq!(result["error"]["code"], "unavailable");
    let message = result["error"]["message"].as_str().unwrap();
    assert!(message.contains("3 retries"), "{message}");
    assert_eq!(retries(&server).await, 0, "nothing was sent again");
}
