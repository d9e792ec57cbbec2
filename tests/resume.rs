//! Whoever comes back with a cursor gets exactly what was missed, and whoever reads slowly gets the rest later.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod common;

use std::collections::{BTreeMap, HashSet};

use common::{Client, post, server, server_with};
use serde_json::{Value, json};

/// Publishes decisions numbered by `range`.
async fn decide(address: std::net::SocketAddr, range: std::ops::Range<u64>) -> String {
    let events: Vec<Value> = range
        .map(|n| json!({ "type": "decision.logged", "id": format!("d{n}"), "data": { "what": "x", "n": n } }))
        .collect();
    let (status, answer) = post(address, &json!(events)).await;
    assert_eq!(status, 202, "{answer}");
    answer["cursor"].as_str().expect("cursor").to_owned()
}

async fn numbers(client: &mut Client, count: usize) -> (Vec<u64>, String) {
    let mut seen = Vec::new();
    let mut cursor = String::new();
    while seen.len() < count {
        let update = client.event("decision_event").await;
        seen.push(update["data"]["n"].as_u64().expect("n"));
        cursor = update["cursor"].as_str().expect("cursor").to_owned();
    }
    (seen, cursor)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_brings_what_was_missed_and_then_the_present() {
    let server = server().await;
    let address = server.address();
    let (mut client, hello) = Client::connect(address, json!({})).await;
    assert!(hello["cursor"].is_string());
    decide(address, 0..10).await;
    let (seen, cursor) = numbers(&mut client, 10).await;
    assert_eq!(seen, (0..10).collect::<Vec<_>>());
    client.close().await;
    let (mut watcher, _) = Client::connect(address, json!({})).await;
    decide(address, 10..300).await;
    numbers(&mut watcher, 290).await;
    let (mut client, hello) = Client::connect(address, json!({ "cursor": cursor })).await;
    assert_eq!(
        hello["cursor"], cursor,
        "until it has caught up it must begin again there"
    );
    let (seen, last) = numbers(&mut client, 290).await;
    assert_eq!(seen, (10..300).collect::<Vec<_>>());
    let resumed = client.event("resumed").await;
    assert_eq!(
        (
            &resumed["from"],
            &resumed["to"],
            &resumed["replayed"],
            &resumed["complete"]
        ),
        (&json!(cursor), &json!(last), &json!(290), &json!(true))
    );
    decide(address, 300..305).await;
    assert_eq!(
        numbers(&mut client, 5).await.0,
        (300..305).collect::<Vec<_>>()
    );
    assert!(
        client
            .so_far()
            .await
            .iter()
            .all(|(name, _)| name != "snapshot")
    );

    // The same by event, from further back, with its answer.
    let answer = client.call("resume", json!({ "cursor": cursor })).await;
    assert_eq!(
        (&answer["status"], &answer["replayed"], &answer["complete"]),
        (&json!("ok"), &json!(295), &json!(true))
    );
    assert_eq!(
        numbers(&mut client, 295).await.0,
        (10..305).collect::<Vec<_>>()
    );
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rooms_and_filters_hold_for_what_was_missed() {
    let server = server().await;
    let address = server.address();
    let (mut watcher, hello) = Client::connect(address, json!({})).await;
    let assigned = |n: u64, project: &str| json!({ "type": "task.assigned", "project_id": project, "data": { "agent_id": "a", "task_id": format!("t{n}"), "n": n } });
    let events: Vec<Value> = (0..40)
        .map(|n| assigned(n, if n % 4 == 0 { "p" } else { "q" }))
        .collect();
    post(address, &json!(events)).await;
    // Only what was sent to somebody can have been missed.
    for _ in 0..40 {
        watcher.event("task_assignment").await;
    }
    let auth = json!({ "cursor": hello["cursor"], "filters": { "projects": ["p"], "types": ["task_*"] }, "batch": true });
    let (mut client, _) = Client::connect(address, auth).await;
    let resumed = client.event("resumed").await;
    assert_eq!(resumed["replayed"], 10);
    let batch = client.event("batch").await;
    let updates = batch["updates"].as_array().expect("updates");
    let seen: Vec<u64> = updates
        .iter()
        .map(|u| u["payload"]["data"]["n"].as_u64().unwrap())
        .collect();
    assert_eq!(seen, (0..40).step_by(4).collect::<Vec<_>>());
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_with_the_same_filter_at_the_same_place_get_the_same() {
    let server = server().await;
    let address = server.address();
    let (mut watcher, hello) = Client::connect(address, json!({})).await;
    let events: Vec<Value> = (0..20)
        .map(|n| json!({ "type": "agent.status.changed", "data": { "agent_id": format!("a{n}"), "old_status": "idle", "new_status": "active" } }))
        .collect();
    post(address, &json!(events)).await;
    // Only what was sent to somebody can have been missed.
    for name in ["agent_status_change", "agent_update"] {
        for _ in 0..20 {
            watcher.event(name).await;
        }
    }
    for types in ["agent_status_change", "agent_update"] {
        let auth = json!({ "cursor": hello["cursor"], "filters": { "types": [types] } });
        let mut clients = Vec::new();
        for _ in 0..4 {
            clients.push(Client::connect(address, auth.clone()).await.0);
        }
        for client in &mut clients {
            let resumed = client.event("resumed").await;
            assert_eq!(resumed["replayed"], 20);
            let names: Vec<String> = client
                .so_far()
                .await
                .into_iter()
                .map(|(name, _)| name)
                .collect();
            assert_eq!(
                names.iter().filter(|name| *name == types).count(),
                20,
                "{names:?}"
            );
        }
    }
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_that_does_not_reach_back_brings_the_state() {
    let server = server_with(|c| c.journal.max_events = 50).await;
    let address = server.address();
    let (mut client, hello) = Client::connect(address, json!({})).await;
    decide(address, 0..200).await;
    numbers(&mut client, 200).await;
    let live = decide(address, 200..201).await;
    numbers(&mut client, 1).await;
    let foreign = format!("zzzzzz.{}", live.split('.').nth(1).expect("a place"));
    for cursor in [hello["cursor"].as_str().unwrap(), &foreign, "no cursor", ""] {
        let (mut late, _) = Client::connect(address, json!({ "cursor": cursor })).await;
        if cursor.is_empty() {
            continue;
        }
        let resumed = late.event("resumed").await;
        assert_eq!(
            (&resumed["complete"], &resumed["replayed"]),
            (&json!(false), &json!(0)),
            "{cursor}"
        );
        let snapshot = late.event("snapshot").await;
        assert_eq!(snapshot["counts"]["decisions"], 201);
        assert_eq!(snapshot["cursor"], resumed["to"]);
    }
    server.shutdown().await;
}

/// What a screen would have made of its updates, and whether any came twice.
#[derive(Default)]
struct Screen {
    cursor: String,
    ids: HashSet<(String, String)>,
    progress: BTreeMap<String, u64>,
    text: String,
    decisions: Vec<u64>,
    /// How many events each of the two updates of a status change has told of.
    statuses: BTreeMap<String, u64>,
}

impl Screen {
    fn apply(&mut self, name: &str, update: &Value) {
        if let Some(cursor) = update["cursor"].as_str() {
            self.cursor = cursor.to_owned();
        }
        let id = update["id"].as_str().unwrap_or_default().to_owned();
        match name {
            "progress_update" => {
                let task = update["task_id"].as_str().expect("task").to_owned();
                let progress = update["progress"].as_u64().expect("progress");
                let before = self.progress.insert(task, progress);
                assert!(
                    before.is_none_or(|b| b <= progress),
                    "an older value came later"
                );
            }
            "message_appended" => self.text += update["data"]["content"].as_str().expect("text"),
            "decision_event" => self
                .decisions
                .push(update["data"]["n"].as_u64().expect("n")),
            "agent_status_change" | "agent_update" => {
                *self.statuses.entry(name.to_owned()).or_default() +=
                    update["coalesced"].as_u64().unwrap_or(1);
            }
            _ => return,
        }
        let fresh = self.ids.insert((name.to_owned(), id));
        assert!(fresh, "{name} came twice: {update}");
    }
}

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
    let mut places = vec![(hello["cursor"].clone(), [0, 0])];
    while places.last().is_some_and(|(_, seen)| *seen != [5, 5]) {
        let (name, update) = client.next().await.expect("an update");
        let (_, mut seen) = places[places.len() - 1].clone();
        match name.as_str() {
            "agent_status_change" => seen[0] += told(&update),
            "agent_update" => seen[1] += told(&update),
            _ => continue,
        }
        places.push((update["cursor"].clone(), seen));
    }
    assert!(
        places.iter().any(|(_, seen)| seen[0] != seen[1]),
        "some are between the two: {places:?}"
    );
    for (cursor, seen) in places {
        let (mut late, _) = Client::connect(address, json!({ "cursor": cursor })).await;
        let (mut rest, mut decided) = (seen, false);
        loop {
            let (name, update) = late.next().await.expect("an update");
            match name.as_str() {
                "agent_status_change" => rest[0] += told(&update),
                "agent_update" => rest[1] += told(&update),
                "decision_event" => decided = true,
                "resumed" => {
                    assert_eq!(update["complete"], true);
                    break;
                }
                _ => {}
            }
        }
        assert_eq!(rest, [5, 5], "from {cursor}, after {seen:?}");
        // The decision went before the united ones, but for whoever left at once.
        assert_eq!(decided, seen[0] <= 1, "from {cursor}, after {seen:?}");
    }
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_client_is_parked_told_and_caught_up() {
    const DECISIONS: u64 = 250;
    const LAST: u64 = 4 * DECISIONS - 1;
    let server = server_with(|c| {
        c.server.max_client_buffer = 128 * 1024;
        // It is slow, not dead.
        c.server.stall_timeout = 120.0;
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
        "what could be united was"
    );
    server.shutdown().await;
}

/// What a page makes of a snapshot and the updates after it, for the facts that can be compared.
#[derive(Debug, Default, PartialEq)]
struct Folded {
    decisions: u64,
    status: BTreeMap<String, String>,
    progress: BTreeMap<String, u64>,
}

impl Folded {
    fn of_state(state: &Value) -> Self {
        let facts = |kind: &str, fact: &str| {
            let entities = state[kind].as_object().expect("entities").iter();
            let known = entities.filter(|(_, e)| !e[fact].is_null());
            known
                .map(|(id, e)| (id.clone(), e[fact].clone()))
                .collect::<Vec<_>>()
        };
        let text = |v: Value| v.as_str().expect("text").to_owned();
        Self {
            decisions: state["counts"]["decisions"].as_u64().expect("a count"),
            status: facts("agents", "status")
                .into_iter()
                .map(|(id, v)| (id, text(v)))
                .collect(),
            progress: facts("tasks", "progress")
                .into_iter()
                .map(|(id, v)| (id, v.as_u64().expect("a number")))
                .collect(),
        }
    }

    fn apply(&mut self, name: &str, update: &Value) {
        let text = |v: &Value| v.as_str().expect("text").to_owned();
        match name {
            "decision_event" => self.decisions += 1,
            "agent_status_change" => {
                self.status
                    .insert(text(&update["agent_id"]), text(&update["new_status"]));
            }
            "progress_update" => {
                let progress = update["progress"].as_u64().expect("a number");
                self.progress.insert(text(&update["task_id"]), progress);
            }
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_and_what_follows_it_is_the_state_whenever_one_joins() {
    const EVENTS: u64 = 1_500;
    // Nobody reads before all is published, however long that takes.
    let server = server_with(|c| {
        c.server.ping_interval = 600.0;
        c.server.stall_timeout = 600.0;
    })
    .await;
    let address = server.address();
    let publishing = tokio::spawn(async move {
        let (mut producer, _) = Client::connect(
            address,
            json!({ "role": "producer", "filters": { "types": ["none"] } }),
        )
        .await;
        let mut last = Value::Null;
        for n in 0..EVENTS {
            let event = match n % 3 {
                0 => json!({ "type": "decision.logged", "data": { "what": "x" } }),
                1 => {
                    json!({ "type": "task.progress", "data": { "task_id": format!("t{}", n % 5), "agent_id": "a0", "progress": n } })
                }
                _ => {
                    json!({ "type": "agent.status.changed", "data": { "agent_id": format!("a{}", n % 7), "old_status": "s", "new_status": format!("s{n}") } })
                }
            };
            last = producer.call("publish", event).await["cursor"].take();
        }
        last
    });
    // Each joins a random while after the one before, half of them by the cursor of a snapshot fetched over HTTP.
    let mut joined = Vec::new();
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    while !publishing.is_finished() || joined.is_empty() {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        tokio::time::sleep(std::time::Duration::from_micros(random % 40_000)).await;
        if random.is_multiple_of(2) {
            let (mut client, _) = Client::connect(address, json!({ "snapshot": true })).await;
            let snapshot = client.event("snapshot").await;
            joined.push((Folded::of_state(&snapshot), client));
        } else {
            let (_, snapshot) = common::get(address, "/api/v1/state").await;
            let auth = json!({ "cursor": snapshot["cursor"] });
            joined.push((
                Folded::of_state(&snapshot),
                Client::connect(address, auth).await.0,
            ));
        }
    }
    let last = publishing.await.expect("published");
    let mut state = common::get(address, "/api/v1/state").await.1;
    while state["cursor"] != last {
        state = common::get(address, "/api/v1/state").await.1;
    }
    let state = Folded::of_state(&state);
    assert_eq!(state.decisions, EVENTS / 3);
    for (mut folded, mut client) in joined {
        while folded != state {
            let (name, update) = client.next().await.expect("the connection holds");
            folded.apply(&name, &update);
            assert!(
                folded.decisions <= state.decisions,
                "something counts twice"
            );
        }
        // And nothing comes that would change it again.
        for (name, update) in client.so_far().await {
            folded.apply(&name, &update);
        }
        assert_eq!(folded, state);
    }
    server.shutdown().await;
}
