//! Screens that leave in the middle of whatever it is, and come back there.

use serde_json::{Value, json};

use super::decide;
use super::screen::Screen;
use kit::{Client, post, server};

#[tokio::test(flavor = "multi_thread")]
async fn a_screen_that_keeps_leaving_misses_nothing_and_gets_nothing_twice() {
    const ROUNDS: u64 = 400;
    let server = server().await;
    let address = server.address();
    let (first, hello) = Client::connect(address, json!({})).await;
    first.close().await;
    let publishing = tokio::spawn(async move {
        let (mut producer, _) = Client::connect(
            address,
            json!({ "role": "producer", "filters": { "types": ["none"] } }),
        )
        .await;
        for n in 0..ROUNDS {
            let events = json!([
                { "type": "task.progress", "id": format!("p{n}"), "data": { "task_id": format!("t{}", n % 3), "agent_id": "a", "progress": n } },
                { "type": "agent.message.appended", "id": format!("m{n}"), "data": { "run_id": "r", "message_id": "m", "role": "assistant", "content": format!("{n} ") } },
                { "type": "agent.status.changed", "id": format!("s{n}"), "data": { "agent_id": format!("b{}", n % 2), "old_status": "x", "new_status": "y" } },
                { "type": "decision.logged", "id": format!("d{n}"), "data": { "what": "x", "n": n } },
            ]);
            let receipt = producer.call("publish", events).await;
            assert_eq!(receipt["accepted"], 4);
        }
    });
    let mut screen = Screen {
        cursor: hello["cursor"].as_str().expect("cursor").to_owned(),
        ..Screen::default()
    };
    let (mut visits, mut stay) = (0, 1);
    let expected_text: String = (0..ROUNDS).map(|n| format!("{n} ")).collect();
    let done = |screen: &Screen| {
        screen.text.len() >= expected_text.len()
            && screen.decisions.len() == ROUNDS as usize
            && screen.progress.values().copied().max() == Some(ROUNDS - 1)
            && screen.statuses.values().sum::<u64>() >= 2 * ROUNDS
    };
    while !done(&screen) {
        let auth = json!({ "cursor": screen.cursor });
        let (mut client, _) = Client::connect(address, auth).await;
        visits += 1;
        stay = stay * 7 % 61;
        for _ in 0..=stay {
            let Some((name, update)) = client.next().await else {
                break;
            };
            screen.apply(&name, &update);
            if done(&screen) {
                break;
            }
        }
        // Gone without a word, in the middle of whatever it is.
        drop(client);
    }
    publishing.await.expect("published");
    assert_eq!(screen.text, expected_text);
    assert_eq!(screen.decisions.len(), ROUNDS as usize);
    assert!(screen.decisions.is_sorted(), "{:?}", screen.decisions);
    let both = ["agent_status_change", "agent_update"].map(|name| (name.to_owned(), ROUNDS));
    assert_eq!(screen.statuses, both.into());
    assert!(visits > 5, "{visits}");
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_leaves_between_two_updates_of_an_event_gets_the_other_one_and_not_both() {
    let server = server().await;
    let address = server.address();
    let (mut client, hello) = Client::connect(address, json!({})).await;
    let changes: Vec<Value> = (0..5)
        .map(|n| json!({ "type": "agent.status.changed", "data": { "agent_id": "a", "old_status": format!("s{n}"), "new_status": format!("s{}", n + 1) } }))
        .collect();
    assert_eq!(post(address, &json!(changes)).await.0, 202);
    decide(address, 0..1).await;
    let told = |update: &Value| update["coalesced"].as_u64().unwrap_or(1);
    let count = |seen: &mut [u64; 3], name: &str, update: &Value| match name {
        "agent_status_change" => seen[0] += told(update),
        "agent_update" => seen[1] += told(update),
        "decision_event" => seen[2] += 1,
        _ => {}
    };
    let mut places = vec![(hello["cursor"].clone(), [0, 0, 0])];
    while places.last().is_some_and(|(_, seen)| *seen != [5, 5, 1]) {
        let (name, update) = client.next().await.expect("an update");
        let (_, mut seen) = places[places.len() - 1].clone();
        count(&mut seen, &name, &update);
        places.push((update["cursor"].clone(), seen));
    }
    assert!(
        places.iter().any(|(_, seen)| seen[0] != seen[1]),
        "some are between the two: {places:?}"
    );
    for (cursor, seen) in places {
        let (mut late, _) = Client::connect(address, json!({ "cursor": cursor })).await;
        let mut all = seen;
        loop {
            let (name, update) = late.next().await.expect("an update");
            if name == "resumed" {
                assert_eq!(update["complete"], true);
                break;
            }
            count(&mut all, &name, &update);
        }
        assert_eq!(all, [5, 5, 1], "from {cursor}, after {seen:?}");
    }
    server.shutdown().await;
}
