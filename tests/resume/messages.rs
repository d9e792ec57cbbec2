//! The text of a message is joined within one role, live and where it is caught up with.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use kit::{Client, post, server};

const ROUNDS: usize = 6;

/// A round of one message: the user's words, the assistant's, and more of those without a role.
fn round(n: usize) -> Vec<Value> {
    let part = |role: Option<&str>, content: String| {
        let mut data = json!({ "run_id": "r", "message_id": "m", "content": content });
        if let Some(role) = role {
            data["role"] = role.into();
        }
        json!({ "type": "agent.message.appended", "data": data })
    };
    vec![
        part(Some("user"), format!("ask{n} ")),
        part(Some("assistant"), format!("answer{n} ")),
        part(None, format!("more{n} ")),
    ]
}

/// The text of the message that a screen shows, by role, once all of its events were told.
async fn told(client: &mut Client) -> BTreeMap<String, String> {
    let mut texts: BTreeMap<String, String> = BTreeMap::new();
    let (mut events, mut last) = (0, String::new());
    while events < ROUNDS as u64 * 3 {
        let update = client.event("message_appended").await;
        events += update["coalesced"].as_u64().unwrap_or(1);
        if let Some(role) = update["data"]["role"].as_str() {
            last = role.to_owned();
        }
        *texts.entry(last.clone()).or_default() += update["data"]["content"].as_str().unwrap();
    }
    texts
}

#[tokio::test(flavor = "multi_thread")]
async fn text_is_joined_within_one_role() {
    let server = server().await;
    let address = server.address();
    let (mut watcher, hello) = Client::connect(address, json!({})).await;
    let events: Vec<Value> = (0..ROUNDS).flat_map(round).collect();
    let (status, answer) = post(address, &json!(events)).await;
    assert_eq!((status, &answer["accepted"]), (202, &json!(ROUNDS * 3)));
    let all = |parts: &[&str]| {
        let rounds = (0..ROUNDS).flat_map(|n| parts.iter().map(move |part| format!("{part}{n} ")));
        rounds.collect::<String>()
    };
    let said: BTreeMap<String, String> = [
        ("user".to_owned(), all(&["ask"])),
        ("assistant".to_owned(), all(&["answer", "more"])),
    ]
    .into();
    assert_eq!(told(&mut watcher).await, said);
    // A client that comes back gets the same.
    let (mut late, _) = Client::connect(address, json!({ "cursor": hello["cursor"] })).await;
    assert_eq!(told(&mut late).await, said);
    server.shutdown().await;
}
