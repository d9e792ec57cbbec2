//! Producers take turns: one that floods, by whatever priority, is before nobody else by more than a few updates.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use kit::{
    Client, PATIENCE, counted,
    guarded::{grant, guarded, request, token},
    post, refused, server_with, wait_for,
};
use serde_json::{Value, json};
use stoa::{access::authn::Grant, config::Role};

/// The part of the flood that is kept before the others publish.
const FLOOD: usize = 4_000;

fn event(id: &str, priority: &str) -> Value {
    json!({ "type": "a.b", "data": { "task_id": id }, "priority": priority })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_is_not_before_others_whatever_it_claims() {
    for claimed in ["normal", "high"] {
        // Flushes a second apart: all of it waits when the other one's comes.
        let server = server_with(|c| {
            c.pace.flush_interval_ms.set(1_000).unwrap();
            c.performance.flush_max.set(200).unwrap();
            c.pace.producer_backlog.set((2 * FLOOD) as u64).unwrap();
        })
        .await;
        let address = server.address();
        let auth = json!({ "role": "producer" });
        let (mut watcher, _) = Client::connect(address, json!({})).await;
        let (mut flooder, _) = Client::connect(address, auth.clone()).await;
        let (mut good, _) = Client::connect(address, auth).await;
        for part in 0..FLOOD / 1_000 {
            let events: Vec<_> = (0..1_000)
                .map(|n| event(&format!("f{part}-{n}"), claimed))
                .collect();
            assert_eq!(
                flooder.call("publish", json!(events)).await["accepted"],
                1_000
            );
        }
        for n in 0..5 {
            let answer = good
                .call("publish", event(&format!("good{n}"), "normal"))
                .await;
            assert_eq!(answer["accepted"], 1);
        }
        let (mut before, mut seen) = (0, 0);
        while seen < 5 {
            let update = watcher.event("generic_update").await;
            let id = update["data"]["task_id"].as_str().unwrap();
            match id.starts_with("good") {
                true => seen += 1,
                false => before += 1,
            }
        }
        assert!(before < FLOOD / 2, "{claimed}: behind {before} of {FLOOD}");
        server.shutdown().await;
    }
}

/// The events of one producer that may be under way.
const UNDER_WAY: usize = 1_000;

/// The place of an answer's last event in the journal.
fn place(answer: &Value) -> usize {
    let cursor = answer["cursor"].as_str().expect("a cursor");
    let place = cursor.split('.').nth(1);
    let place = place.and_then(|seq| usize::from_str_radix(seq, 36).ok());
    place.unwrap_or_else(|| panic!("a place in {cursor}"))
}

/// The number of calls that waited for events of their own producer.
async fn waited(address: SocketAddr) -> usize {
    counted(address, "stoa_producers_waited_total").await as usize
}

fn calls(count: usize, events: usize) -> impl Iterator<Item = Value> {
    (0..count).map(move |call| {
        let events = (0..events).map(|n| event(&format!("f{call}-{n}"), "normal"));
        Value::Array(events.collect())
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_producer_waits_for_its_own_events_and_others_are_behind_few_of_them() {
    // Nothing is sent unless it is critical: all that is accepted stays under way.
    let server = server_with(|c| {
        c.pace.flush_interval_ms.set(3_600_000).unwrap();
        c.performance.flush_max.set(250).unwrap();
        c.pace.producer_backlog.set(UNDER_WAY as u64).unwrap();
    })
    .await;
    let address = server.address();
    let auth = json!({ "role": "producer" });
    let (mut watcher, _) = Client::connect(address, json!({})).await;
    let (mut flooder, _) = Client::connect(address, auth.clone()).await;
    let (mut good, _) = Client::connect(address, auth).await;
    let mut flood = Vec::new();
    for events in calls(8, UNDER_WAY / 2) {
        flood.push(flooder.call_later("publish", events).await);
    }
    for call in &flood[..2] {
        assert_eq!(flooder.ack(*call).await["accepted"], UNDER_WAY / 2);
    }
    wait_for("the third call to wait", async || waited(address).await > 0).await;
    // However much the flooder would publish: this is behind what it may have under way, and waits for nothing.
    let answer = good.call("publish", event("good", "normal")).await;
    assert_eq!(place(&answer), UNDER_WAY + 1);
    // Each critical event sends a part of what waits, and so lets the flooder go on.
    let mut before = 0;
    for n in 0..5 {
        let id = format!("critical{n}");
        good.call("publish", event(&id, "critical")).await;
        loop {
            let update = watcher.event("generic_update").await;
            let seen = update["data"]["task_id"].as_str().unwrap();
            before += usize::from(seen.starts_with('f'));
            if seen == id {
                break;
            }
        }
    }
    assert!(before <= UNDER_WAY, "behind {before}");
    assert_eq!(flooder.ack(flood[2]).await["accepted"], UNDER_WAY / 2);
    server.shutdown().await;
}

/// Each of the tokens names no user, so each is a producer of its own.
#[tokio::test(flavor = "multi_thread")]
async fn many_tokens_for_a_project_have_no_more_under_way_than_one() {
    const TOKENS: usize = 20;
    let server = guarded(|c| {
        c.pace.flush_interval_ms.set(3_600_000).unwrap();
        c.pace.producer_backlog.set(UNDER_WAY as u64).unwrap();
    })
    .await;
    let address = server.address();
    let token_for = |project: &str| {
        token(&Grant {
            projects: Some(vec![project.into()]),
            ..grant(Role::Producer)
        })
    };
    let publish = |project: &str, mut events: Value| {
        let token = token_for(project);
        for event in events.as_array_mut().expect("a list") {
            event["project_id"] = json!(project);
        }
        async move { request("POST", address, "/api/v1/events", &token, Some(&events)).await }
    };
    let flood: Vec<_> = calls(TOKENS, UNDER_WAY / 2)
        .map(|events| tokio::spawn(publish("p1", events)))
        .collect();
    let waiting = || {
        let text = server.metrics().text();
        let line = format!("stoa_producers_waited_total {}\n", TOKENS - 2);
        text.contains(&line)
    };
    let all_but_two = async {
        while !waiting() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, all_but_two)
        .await
        .expect("all wait but two");
    let (status, answer) = publish("p2", json!([event("good", "normal")])).await;
    assert_eq!(status, 202, "{answer}");
    assert!(place(&answer) <= UNDER_WAY + 1, "{answer}");
    flood.iter().for_each(tokio::task::JoinHandle::abort);
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_told_to_come_back_is_counted_once() {
    let server = server_with(|c| {
        c.pace.flush_interval_ms.set(3_600_000).unwrap();
        c.performance.max_lag.set(1).unwrap();
    })
    .await;
    let address = server.address();
    let (mut producer, _) = Client::connect(address, json!({ "role": "producer" })).await;
    for n in 0..2 {
        let answer = post(address, &event(&format!("{n}"), "normal")).await;
        assert_eq!(answer.0, 202, "{answer:?}");
    }
    let (events, own) = (event("a", "normal"), event("b", "normal"));
    let (http, socketio) = tokio::join!(post(address, &events), producer.call("publish", own));
    assert_eq!(http.0, 503, "{http:?}");
    assert_eq!(socketio["error"]["code"], "overloaded", "{socketio}");
    for door in ["http", "socketio"] {
        assert_eq!(refused(address, door, "overloaded").await, 1, "{door}");
    }
    server.shutdown().await;
}

/// An HTTP client may be one of several programs behind its address: its small call doesn't stand behind their large ones.
#[tokio::test(flavor = "multi_thread")]
async fn a_small_call_goes_past_the_large_ones_of_its_address_that_wait() {
    // Nothing is sent: what is accepted stays under way.
    let server = server_with(|c| {
        c.pace.flush_interval_ms.set(3_600_000).unwrap();
        c.pace.producer_backlog.set(UNDER_WAY as u64).unwrap();
    })
    .await;
    let address = server.address();
    let flood: Vec<_> = calls(6, 400)
        .map(|events| tokio::spawn(async move { post(address, &events).await }))
        .collect();
    wait_for(
        "all but two to wait, and those two to be taken",
        async || {
            let taken = counted(address, "stoa_events_total").await;
            waited(address).await >= 4 && taken == 800
        },
    )
    .await;
    let (status, answer) = post(address, &event("good", "normal")).await;
    assert_eq!((status, place(&answer)), (202, 801), "{answer}");
    flood.iter().for_each(tokio::task::JoinHandle::abort);
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_stream_goes_on_call_by_call() {
    let server = server_with(|c| c.pace.producer_backlog.set(1).unwrap()).await;
    let address = server.address();
    let (mut flooder, _) = Client::connect(address, json!({ "role": "producer" })).await;
    let (mut watcher, _) = Client::connect(address, json!({})).await;
    let mut flood = Vec::new();
    for events in calls(20, 200) {
        flood.push(flooder.call_later("publish", events).await);
    }
    for call in flood {
        assert_eq!(flooder.ack(call).await["accepted"], 200);
    }
    for n in 0..20 * 200 {
        let update = watcher.event("generic_update").await;
        assert_eq!(
            update["data"]["task_id"],
            format!("f{}-{}", n / 200, n % 200)
        );
    }
    assert!(waited(address).await > 0, "it waited for the hub");
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_critical_goes_at_once_while_other_updates_wait() {
    let server = server_with(|c| c.pace.flush_interval_ms.set(3_600_000).unwrap()).await;
    let address = server.address();
    let (mut watcher, _) = Client::connect(address, json!({})).await;
    // The loop turns each second anyway: so many rounds would not be over in time by that.
    let rounds = async {
        for n in 0..100 {
            post(address, &event(&format!("normal{n}"), "normal")).await;
            // A command is handled behind all that was accepted before it: then the hub has it, and it waits.
            watcher.call("join_room", json!("observers")).await;
            let critical = format!("critical{n}");
            post(address, &event(&critical, "critical")).await;
            while watcher.next().await.expect("it stays connected").1["data"]["task_id"]
                != critical.as_str()
            {}
        }
    };
    let in_time = tokio::time::timeout(PATIENCE, rounds).await;
    in_time.expect("a critical update does not wait for others");
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_about_one_thing_is_before_others_by_few_of_its_updates() {
    const CALLS: usize = 16;
    const EVENTS: usize = 1_000;
    const FLUSH: usize = 250;
    // Nothing is sent unless it is critical: what is accepted waits when the other one's comes.
    let server = server_with(|c| {
        c.pace.flush_interval_ms.set(3_600_000).unwrap();
        c.performance.flush_max.set(FLUSH as u64).unwrap();
        c.pace.producer_backlog.set((4 * EVENTS) as u64).unwrap();
    })
    .await;
    let address = server.address();
    let (mut watcher, _) = Client::connect(address, json!({})).await;
    let (mut good, _) = Client::connect(address, json!({ "role": "producer" })).await;
    // All of them name the same task, agent, run, job, node and message.
    let data = |n: usize| json!({ "task_id": "t", "agent_id": "a", "run_id": "r", "job_id": "j", "node_id": "n", "message_id": "m", "n": n });
    let answered = Arc::new(AtomicUsize::new(0));
    let calls = (0..CALLS).map(|call| {
        let events = call * EVENTS..(call + 1) * EVENTS;
        let events = events.map(|n| json!({ "type": "task.assigned", "data": data(n) }));
        let body = Value::Array(events.collect());
        let answered = answered.clone();
        async move {
            let mut answer = post(address, &body).await;
            answered.fetch_add(1, Ordering::Relaxed);
            // On a slow machine one may wait too long, and comes again as it is told to.
            while answer.0 == 503 {
                answer = post(address, &body).await;
            }
            answer
        }
    });
    let burst = tokio::spawn(futures_util::future::join_all(calls));
    wait_for("each call to be answered or to wait", async || {
        waited(address).await + answered.load(Ordering::Relaxed) >= CALLS
    })
    .await;
    let answer = good.call("publish", event("good", "normal")).await;
    let under_way = place(&answer) - 1;
    assert!(
        (2 * EVENTS..=4 * EVENTS).contains(&under_way),
        "{under_way} are under way"
    );
    // Each critical event sends a part of what waits, and so lets more of the burst in.
    let (mut flooded, mut before) = (Vec::new(), None);
    for n in 0..CALLS * EVENTS {
        let id = format!("critical{n}");
        good.call("publish", event(&id, "critical")).await;
        loop {
            let (_, update) = watcher.next().await.expect("it stays connected");
            flooded.extend(update["data"]["n"].as_u64());
            let task = &update["data"]["task_id"];
            if task == "good" {
                before = Some(flooded.len());
            }
            if *task == id {
                break;
            }
        }
        if flooded.len() == CALLS * EVENTS {
            break;
        }
    }
    let before = before.expect("it was said");
    assert!(before <= 2 * FLUSH, "behind {before} of one thing");
    for (status, answer) in burst.await.expect("all are answered") {
        assert_eq!((status, &answer["accepted"]), (202, &json!(EVENTS)));
    }
    // Nothing of it is lost or said twice.
    flooded.sort_unstable();
    flooded.dedup();
    assert_eq!(flooded.len(), CALLS * EVENTS);
    server.shutdown().await;
}
