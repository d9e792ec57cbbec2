//! A client that reads slowly is parked, told so, and caught up.

use serde_json::json;

use super::screen::Screen;
use kit::{Client, post, server_with};

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_client_is_parked_told_and_caught_up() {
    const DECISIONS: u64 = 250;
    const LAST: u64 = 4 * DECISIONS - 1;
    let server = server_with(|c| {
        c.server.max_client_buffer.set(128 * 1024).unwrap();
        // It is slow, not dead.
        c.server.stall_timeout.set(120.0).unwrap();
    })
    .await;
    let address = server.address();
    let (mut slow, _) = Client::connect(address, json!({})).await;
    let (mut good, _) = Client::connect(
        address,
        json!({ "filters": { "types": ["progress_update"] } }),
    )
    .await;
    let filler = "x".repeat(8_000);
    for n in 0..DECISIONS {
        let mut events = vec![
            json!({ "type": "decision.logged", "id": format!("d{n}"), "data": { "what": filler, "n": n } }),
        ];
        events.extend((4 * n..4 * n + 4).map(|n| {
            json!({ "type": "task.progress", "id": format!("p{n}"), "data": { "task_id": "t", "agent_id": "a", "progress": n } })
        }));
        post(address, &json!(events)).await;
    }
    good.event_where("progress_update", |u| u["progress"] == LAST)
        .await;
    let mut screen = Screen::default();
    let (mut parked, mut caught_up) = (0, 0);
    while caught_up < parked || parked == 0 || screen.progress.get("t") != Some(&LAST) {
        let Some((name, update)) = slow.next().await else {
            panic!("it was disconnected");
        };
        match update["code"].as_str() {
            Some("parked") => parked += 1,
            Some("caught_up") => caught_up += 1,
            _ => screen.apply(&name, &update),
        }
    }
    assert_eq!(screen.decisions, (0..DECISIONS).collect::<Vec<_>>());
    assert!(
        screen.ids.len() < 5 * DECISIONS as usize,
        "what could be coalesced was"
    );
    server.shutdown().await;
}
