//! A node that dies while clients are parked.

use kit::{
    Client, metrics::counted, post, process::free_port, redis::Redis, socket::Socket, until,
};
use serde_json::{Value, json};

use super::{event, node, process_at};

const DECISIONS: u64 = 400;

/// A slow client is behind when its node is killed: another node sends it all that it has not got.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_was_parked_goes_on_at_another_node() {
    let Some(engine) = Redis::lasting().await else {
        return;
    };
    let further = [
        ("STOA_SERVER__MAX_CLIENT_BUFFER", "131072"),
        // It is slow, not dead.
        ("STOA_SERVER__STALL_TIMEOUT", "120"),
    ];
    let dies = process_at(&engine.url(), "one", free_port(), &further);
    let two = node(&engine, "two").await;
    let greeting = Some("connection_established");
    let mut slow = Socket::connect(dies.address, "{}", greeting).await.unwrap();
    let filler = "x".repeat(8_000);
    let mut published = 0;
    // Until the network holds no more for it.
    until("the client to be parked", async || {
        let batch = (published..published + 20).map(|n| {
            json!({ "type": "decision.logged", "id": format!("d{n}"), "data": { "what": filler, "n": n } })
        });
        let (status, answer) = post(dies.address, &batch.collect()).await;
        assert_eq!(status, 202, "{answer}");
        published += 20;
        let parked = counted(dies.address, "stoa_observers_parked_total").await;
        (published >= DECISIONS && parked > 0).then_some(())
    })
    .await;
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    while seen.len() < 20 {
        let reading = slow.read(|packet| {
            let packet: Vec<Value> = serde_json::from_slice(packet).unwrap();
            if packet[0] == "decision_event" {
                seen.push(packet[1]["data"]["n"].as_u64().unwrap());
            }
            if let Some(place) = packet[1]["cursor"].as_str() {
                place.clone_into(&mut cursor);
            }
        });
        reading.await.unwrap();
    }
    dies.kill();
    let (mut back, _) = Client::connect(two.address(), json!({ "cursor": cursor })).await;
    while (seen.len() as u64) < published {
        let update = event(&mut back, "decision_event").await;
        seen.push(update["data"]["n"].as_u64().unwrap());
    }
    assert_eq!(seen, (0..published).collect::<Vec<_>>());
    assert_eq!(event(&mut back, "resumed").await["complete"], true);
    two.shutdown().await;
}
