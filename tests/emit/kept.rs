//! Kept emissions: many at a time by one connection, and what a kill -9 leaves.

use std::path::Path;

use kit::{
    Client, counted, get,
    process::{Process, free_port, serve},
    server,
};
use serde_json::{Value, json};

use super::emit;

#[tokio::test(flavor = "multi_thread")]
async fn kept_ones_are_placed_while_earlier_ones_wait_for_their_answers() {
    const ALL: u64 = 400;
    let folder = tempfile::tempdir().unwrap();
    let server = kit::server_with(|config| {
        config.journal.kind = stoa::config::JournalKind::Sqlite;
        config.journal.path = folder.path().join("j.db");
    })
    .await;
    let address = server.address();
    let (mut client, _) = Client::connect(address, json!({})).await;
    let (mut sender, _) = Client::connect(address, json!({ "role": "producer" })).await;
    let mut acks = Vec::new();
    for n in 0..ALL {
        let emission = match n {
            7 => json!({ "event": "connect", "keep": true }),
            _ => json!({ "event": "n", "args": n, "keep": true }),
        };
        acks.push(sender.call_later("emit_to", emission).await);
    }
    for n in (0..ALL).filter(|n| *n != 7) {
        assert_eq!(client.event("n").await, n);
    }
    let mut refused = Vec::new();
    for (n, ack) in acks.into_iter().enumerate() {
        let answer = sender.ack(ack).await;
        match answer["status"].as_str() {
            Some("ok") => assert!(answer["cursor"].is_string(), "{answer}"),
            _ => refused.push((n, answer["error"]["code"].clone())),
        }
    }
    assert_eq!(
        refused,
        [(7, json!("invalid_event"))],
        "answers keep their order"
    );
    assert_eq!(
        counted(address, "stoa_emissions_total{keep=\"true\"}").await,
        ALL - 1
    );
    let transactions = counted(address, "stoa_journal_transactions_total").await;
    assert!(
        transactions < ALL,
        "{transactions} transactions for {ALL} emissions"
    );
    server.shutdown().await;
}

fn start(journal: &Path, port: u16) -> Process {
    Process::listening(serve(journal).env("STOA_SERVER__PORT", port.to_string()))
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_kill_kept_ones_come_once_in_their_order_and_nothing_else_comes() {
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("j.db");
    let port = free_port();
    let mut cursor = Value::Null;
    let mut next = 0_u64;
    for round in 0..3 {
        let process = start(&journal, port);
        let address = process.address;
        let auth = json!({ "rooms": ["the lobby"], "cursor": cursor });
        let (mut watcher, _) = Client::connect(address, auth).await;
        if !cursor.is_null() {
            watcher.event("resumed").await;
            let missed = watcher.so_far().await;
            let came: Vec<_> = missed
                .iter()
                .filter(|(name, _)| name == "chat")
                .map(|(_, n)| n.as_u64().unwrap())
                .collect();
            // Since the cursor: what was kept in the round before, each once, and nothing that was not.
            let kept: Vec<_> = (next - 40..next).filter(|n| n % 2 == 0).collect();
            assert_eq!(came, kept, "round {round}");
        }
        // A cursor before this round's emissions.
        let (_, history) = get(address, "/api/v1/state").await;
        cursor = history["cursor"].clone();
        assert!(cursor.is_string(), "{history}");
        for n in next..next + 40 {
            let emission = json!({
                "event": "chat", "args": n, "rooms": "the lobby", "keep": n % 2 == 0, "id": format!("c{n}"),
            });
            let (status, answer) = emit(address, &emission).await;
            assert_eq!(status, 202, "{answer}");
            assert_eq!(
                watcher.event("chat").await,
                n,
                "to who is there, all in order"
            );
        }
        next += 40;
        process.kill();
    }
    // A repetition of what was kept before the kill is known; of what was not, nothing is.
    let process = start(&journal, port);
    for (n, fresh) in [(next - 2, 0), (next - 1, 1)] {
        let again = json!({
            "event": "chat", "args": n, "rooms": "the lobby", "keep": n % 2 == 0, "id": format!("c{n}"),
        });
        let (_, answer) = emit(process.address, &again).await;
        assert_eq!(answer["accepted"], fresh, "{n}: {answer}");
    }
    let (_, page) = get(process.address, "/api/v1/events?type=chat&limit=1000").await;
    assert_eq!(page["events"].as_array().unwrap().len() as u64, next / 2);
    process.kill();
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_and_keys_stay_as_they_are_written() {
    let server = server().await;
    let address = server.address();
    let (mut client, _) = Client::connect(address, json!({ "role": "producer" })).await;
    let emission = r#"{"event":"out","args":[{"z":1.50,"a":{"_placeholder":true,"num":1},"m":[{"y":1,"b":2}]}]}"#;
    client
        .send_text(&format!(r#"452-9000["emit_to",[{emission},{{"event":"x","args":[{{"_placeholder":true,"num":0}}]}}]]"#))
        .await;
    client.send_binary(vec![7]).await;
    client.send_binary(vec![8, 9]).await;
    loop {
        let text = client.text().await.unwrap();
        if text.starts_with("451-") {
            let expected =
                r#"451-["out",{"z":1.50,"a":{"_placeholder":true,"num":0},"m":[{"y":1,"b":2}]}]"#;
            assert_eq!(text, expected);
            break;
        }
    }
    assert_eq!(
        client.binary().await,
        [8, 9],
        "each emission has its own bytes"
    );
    server.shutdown().await;
}
