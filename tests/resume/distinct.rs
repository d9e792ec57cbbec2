//! Many clients that come back at once, each from a place of its own.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Value, json};
use tokio::sync::Barrier;

use stoa::server::Running;

use kit::{Client, post, server_with};

const CLIENTS: usize = 200;
const EVENTS: u64 = 5_000;
const TASKS: u64 = 7;
/// So many passes over what was missed are read for all of them together; one by one it would be a hundred.
const PASSES: f64 = 12.0;

fn event(n: u64) -> Value {
    match n % 5 {
        0 => {
            json!({ "type": "decision.logged", "id": format!("d{n}"), "data": { "what": "x", "n": n } })
        }
        _ => {
            json!({ "type": "task.progress", "id": format!("p{n}"), "data": { "task_id": format!("t{}", n % TASKS), "progress": n } })
        }
    }
}

/// Checks that a client got exactly the events from `first` on, once and in order.
fn check(
    first: u64,
    decisions: &[u64],
    progress: &BTreeMap<u64, Vec<(u64, u64)>>,
    kinds: (bool, bool),
) {
    let all: Vec<u64> = (first..EVENTS).filter(|n| n % 5 == 0 && kinds.0).collect();
    assert_eq!(decisions, all, "from {first}");
    for task in 0..TASKS {
        let own: Vec<u64> = (first..EVENTS)
            .filter(|n| n % 5 != 0 && n % TASKS == task && kinds.1)
            .collect();
        let got = progress.get(&task).map_or(&[][..], |got| got);
        let mut left = &own[..];
        for &(n, coalesced) in got {
            let (these, rest) = left.split_at(coalesced as usize);
            assert_eq!(these.last(), Some(&n), "t{task} from {first}: {got:?}");
            left = rest;
        }
        assert_eq!(left, [0_u64; 0], "t{task} from {first}");
    }
}

fn read(server: &Running) -> f64 {
    let text = server.metrics().text();
    let mut lines = text.lines();
    let value = lines.find_map(|line| line.strip_prefix("stoa_replays_read_total "));
    value.expect("the counter").parse().expect("a number")
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_places_cost_a_few_passes_and_each_gets_exactly_what_it_missed() {
    let server = server_with(|_| {}).await;
    let address = server.address();
    let filters = json!({ "types": ["progress_update"] });
    let (mut watcher, _) = Client::connect(address, json!({ "filters": filters })).await;
    // All is sent: windows that are still open would go on live after the replay. It reads all the while: on a slow
    // machine, who reads nothing until all is posted is taken for gone.
    let watching = tokio::spawn(async move {
        let mut sent = 0;
        while sent < EVENTS - EVENTS / 5 {
            let update = watcher.event("progress_update").await;
            sent += update["coalesced"].as_u64().unwrap_or(1);
        }
    });
    let mut places = Vec::new();
    let step = EVENTS / CLIENTS as u64;
    for first in (0..EVENTS).step_by(step as usize) {
        let events: Vec<Value> = (first..first + step).map(event).collect();
        let (status, answer) = post(address, &json!(events)).await;
        assert_eq!(status, 202, "{answer}");
        places.push((
            first + step,
            answer["cursor"].as_str().expect("cursor").to_owned(),
        ));
    }
    watching.await.expect("the watcher saw all");
    let together = Arc::new(Barrier::new(CLIENTS));
    let clients: Vec<_> = places
        .into_iter()
        .enumerate()
        .map(|(at, (first, cursor))| {
            let together = together.clone();
            tokio::spawn(async move {
                let (filter, kinds) = match at % 4 {
                    0 => (json!({}), (true, true)),
                    1 => (json!({ "types": ["progress_update"] }), (false, true)),
                    2 => (json!({ "types": ["decision_event"] }), (true, false)),
                    _ => (
                        json!({ "types": ["decision_event", "progress_update"] }),
                        (true, true),
                    ),
                };
                let mut auth = json!({ "filters": filter });
                auth["cursor"] = json!(cursor);
                together.wait().await;
                let (mut client, _) = Client::connect(address, auth).await;
                let (mut decisions, mut progress) = (Vec::new(), BTreeMap::<u64, Vec<_>>::new());
                loop {
                    let (name, update) = client.next().await.expect("the connection holds");
                    match name.as_str() {
                        "decision_event" => {
                            decisions.push(update["data"]["n"].as_u64().expect("n"));
                        }
                        "progress_update" => {
                            let task = update["task_id"].as_str().expect("a task")[1..]
                                .parse()
                                .expect("a number");
                            let n = update["progress"].as_f64().expect("progress") as u64;
                            progress
                                .entry(task)
                                .or_default()
                                .push((n, update["coalesced"].as_u64().unwrap_or(1)));
                        }
                        "resumed" => {
                            assert_eq!(update["complete"], true, "{update}");
                            break;
                        }
                        _ => {}
                    }
                }
                check(first, &decisions, &progress, kinds);
            })
        })
        .collect();
    for client in clients {
        client.await.expect("it got what it missed");
    }
    let passes = read(&server) / EVENTS as f64;
    assert!(
        passes > 0.5,
        "{passes} passes are too few to have been counted"
    );
    assert!(passes < PASSES, "{passes} passes");
    println!("{passes} passes");
    server.shutdown().await;
}
