//! Accidents of the journal's file, its bounds and its clock, as clients see them: against a real server over the wire.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use kit::{
    Client, PATIENCE, config, counted_in, get, post, post_raw,
    process::{Process, serve, stoa},
    until_folded,
};
use serde_json::{Value, json};
use stoa::server::Running;

/// A server in this process with a journal in a file.
async fn server_on(path: &Path, change: impl FnOnce(&mut stoa::config::Config)) -> Running {
    let mut config = config();
    config.journal.kind = stoa::config::JournalKind::Sqlite;
    config.journal.path = path.to_owned();
    change(&mut config);
    stoa::server::start(&config).await.expect("it starts")
}

fn file() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("stoa.db");
    (folder, path)
}

fn decisions(from: u64, to: u64) -> Value {
    (from..to)
        .map(|n| json!({ "type": "decision.logged", "id": format!("d{n}"), "data": { "what": n.to_string() } }))
        .collect()
}

/// Waits until `/readyz` says so.
async fn until_ready(address: std::net::SocketAddr, status: u16, journal: &str) -> Value {
    let started = Instant::now();
    loop {
        let (code, body) = get(address, "/readyz").await;
        if code == status && body["parts"]["journal"]["status"] == journal {
            return body;
        }
        assert!(started.elapsed() < PATIENCE, "{code} {body}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_damaged_event_withholds_no_other_and_keeps_nobody_behind() {
    let (_folder, path) = file();
    let server = server_on(&path, |_| {}).await;
    let first = post(server.address(), &decisions(0, 1)).await.1["cursor"].clone();
    for batch in 0..5 {
        post(
            server.address(),
            &decisions(1 + batch * 500, 501 + batch * 500),
        )
        .await;
    }
    server.shutdown().await;
    let connection = rusqlite::Connection::open(&path).unwrap();
    // One in the middle, and the newest: the start reads that one too.
    for place in [700, 701, 2_501] {
        let broken = "UPDATE events SET event = '{broken' WHERE seq = ?1";
        assert_eq!(connection.execute(broken, [place]), Ok(1));
    }
    drop(connection);
    // The server starts, although an event after the saved state is damaged.
    let server = server_on(&path, |config| {
        config.journal.tail_bytes.set(64 * 1_024).unwrap();
    })
    .await;
    let address = server.address();
    let resume = |cursor: Value| async move {
        let auth = json!({ "cursor": cursor, "filters": { "types": ["decision_event"] } });
        let (mut client, _) = Client::connect(address, auth).await;
        let mut seen = Vec::new();
        loop {
            let (name, body) = client.next().await.expect("it stays connected");
            match name.as_str() {
                "decision_event" => seen.push(body["id"].as_str().unwrap().to_owned()),
                "resumed" => return (seen, body),
                _ => {}
            }
        }
    };
    // Several at once, from different places: those behind the damage and those that have it before them.
    let late = post(address, &decisions(9_000, 9_001)).await.1["cursor"].clone();
    let (all, few) = tokio::join!(resume(first), resume(late));
    assert_eq!(all.1["complete"], true, "{}", all.1);
    let expected = (1..2_500)
        .filter(|n| ![699, 700].contains(n))
        .map(|n| format!("d{n}"));
    let expected: Vec<String> = expected.chain(["d9000".into()]).collect();
    assert_eq!(all.0, expected);
    assert_eq!((few.0.len(), &few.1["complete"]), (0, &json!(true)));
    let ready = until_ready(address, 200, "degraded").await;
    assert_eq!(ready["parts"]["journal"]["damaged"], 3, "{ready}");
    assert_eq!(counted_in(&server, "stoa_journal_damaged_total"), 3);
    let (_, page) = get(address, "/api/v1/events?limit=1000&order=desc").await;
    assert_eq!(page["events"][0]["id"], "d9000");
    assert_eq!(
        page["events"][1]["id"], "d2499",
        "the damaged one is passed over"
    );
    server.shutdown().await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_that_is_gone_stops_acknowledging_and_says_so() {
    let (folder, path) = file();
    let server = server_on(&path, |_| {}).await;
    let address = server.address();
    assert_eq!(post(address, &decisions(0, 10)).await.0, 202);
    let elsewhere = folder.path().join("elsewhere");
    std::fs::rename(&path, &elsewhere).unwrap();
    let gone = Instant::now();
    let ready = until_ready(address, 503, "down").await;
    let reason = ready["parts"]["journal"]["reason"].as_str().unwrap();
    assert!(reason.contains("deleted or renamed"), "{reason}");
    assert!(gone.elapsed() < PATIENCE);
    let (status, body) = post(address, &decisions(10, 20)).await;
    assert_eq!(
        (status, &body["error"]["code"]),
        (503, &json!("unavailable")),
        "{body}"
    );
    assert_eq!(counted_in(&server, "stoa_journal_file_lost_total"), 1);
    // The state is still shown, and everything goes on when the file is back.
    assert_eq!(
        get(address, "/api/v1/events").await.1["events"]
            .as_array()
            .unwrap()
            .len(),
        10
    );
    std::fs::rename(&elsewhere, &path).unwrap();
    until_ready(address, 200, "ok").await;
    assert_eq!(post(address, &decisions(10, 20)).await.0, 202);
    server.shutdown().await;
}

#[tokio::test]
async fn while_nothing_can_be_written_what_waits_is_bounded_and_readiness_is_red() {
    let (_folder, path) = file();
    let server = server_on(&path, |config| {
        config.journal.queue_bytes.set(1 << 20).unwrap();
    })
    .await;
    let address = server.address();
    assert_eq!(post(address, &decisions(0, 10)).await.0, 202);
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let text = "x".repeat(50_000);
    let publish = |n: u64| {
        let body = json!({ "type": "note.x", "id": format!("n{n}"), "data": { "text": text } });
        tokio::spawn(async move { post(address, &body).await })
    };
    let mut waiting: Vec<_> = (0..5).map(publish).collect();
    let ready = until_ready(address, 503, "down").await;
    let reason = ready["parts"]["journal"]["reason"].as_str().unwrap();
    assert!(reason.contains("nothing could be written"), "{reason}");
    waiting.extend((5..60).map(publish));
    let started = Instant::now();
    // Those beyond the bound are told at once, while the others wait.
    while !waiting.iter().any(tokio::task::JoinHandle::is_finished) {
        assert!(started.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    other.execute_batch("ROLLBACK").unwrap();
    let mut counts = std::collections::BTreeMap::new();
    for call in waiting {
        let (status, body) = call.await.unwrap();
        if status == 503 {
            // A caller that waits for longer than the writer waits for the file is told so.
            let code = body["error"]["code"].as_str().unwrap();
            assert!(["overloaded", "unavailable"].contains(&code), "{body}");
        }
        *counts.entry(status).or_insert(0) += 1;
    }
    assert!(counts[&503] > 0, "{counts:?}");
    assert!(counted_in(&server, "stoa_journal_overloaded_total") > 0);
    until_ready(address, 200, "ok").await;
    server.shutdown().await;
}

#[tokio::test]
async fn events_that_are_dear_to_hold_come_through_and_are_read_page_by_page() {
    let (_folder, path) = file();
    let server = server_on(&path, |config| {
        config.journal.tail_bytes.set(200_000).unwrap();
    })
    .await;
    let address = server.address();
    let (mut watcher, established) = Client::connect(address, json!({})).await;
    let maps = vec![json!({ "": 0 }); 4_900];
    let body: Vec<Value> = (0..12)
        .map(|n| json!({ "type": "note.x", "id": format!("m{n}"), "data": { "l": maps } }))
        .collect();
    let mut cursor = Value::Null;
    for event in &body {
        let (status, answer) = post(address, event).await;
        assert_eq!(status, 202, "{answer}");
        cursor = answer["cursor"].clone();
    }
    let whole = |update: &Value| {
        update["data"]["l"]
            .as_array()
            .is_some_and(|l| l.len() == 4_900)
    };
    for n in 0..12 {
        let update = watcher.event("generic_update").await;
        assert_eq!(update["id"], format!("m{n}"));
        assert!(whole(&update));
    }
    until_folded(address, &cursor).await;
    let auth = json!({ "cursor": established["cursor"] });
    let (mut late, _) = Client::connect(address, auth).await;
    for n in 0..12 {
        assert_eq!(late.event("generic_update").await["id"], format!("m{n}"));
    }
    assert_eq!(late.event("resumed").await["complete"], true);
    for order in ["asc", "desc"] {
        let (_, page) = get(address, &format!("/api/v1/events?order={order}")).await;
        let mut ids: Vec<&str> = page["events"]
            .as_array()
            .unwrap()
            .iter()
            .map(|e| e["id"].as_str().unwrap())
            .collect();
        if order == "desc" {
            ids.reverse();
        }
        assert!(
            ids.iter().copied().eq((0..12)
                .map(|n| format!("m{n}"))
                .collect::<Vec<_>>()
                .iter()
                .map(String::as_str)),
            "{ids:?}"
        );
    }
    assert!(counted_in(&server, "stoa_journal_tail_bytes") <= 200_000);
    server.shutdown().await;
}

#[tokio::test]
async fn a_journal_in_memory_is_bounded_in_bytes() {
    let server = kit::server_with(|config| config.journal.max_bytes.set(1 << 20).unwrap()).await;
    let address = server.address();
    let text = "x".repeat(10_000);
    for batch in 0..15 {
        let events: Value = (batch * 20..batch * 20 + 20)
            .map(|n| json!({ "type": "note.x", "id": format!("n{n}"), "data": { "text": text } }))
            .collect();
        let (status, body) = post(address, &events).await;
        assert_eq!(status, 202, "{body}");
        until_folded(address, &body["cursor"]).await;
    }
    let (_, page) = get(address, "/api/v1/events?limit=1000").await;
    let kept = page["events"].as_array().unwrap().len();
    assert!((50..105).contains(&kept), "{kept}");
    let gone = counted_in(&server, "stoa_events_trimmed_total{reason=\"bytes\"}");
    assert!((195..=250).contains(&gone), "{gone}");
    server.shutdown().await;
}

/// Client and server share one thread here: what the server does on it, everybody waits for.
#[tokio::test]
async fn many_questions_to_the_history_are_all_answered_and_nobody_waits_for_them() {
    const QUESTIONS: usize = 60;
    let server = kit::server().await;
    let address = server.address();
    let mut last = Value::Null;
    for batch in 0..12 {
        last = post(address, &decisions(batch * 500, batch * 500 + 500))
            .await
            .1["cursor"]
            .clone();
    }
    until_folded(address, &last).await;
    let (mut bystander, _) = Client::connect(address, json!({})).await;
    let answered = Arc::new(AtomicUsize::new(0));
    let ask = |path: &'static str| {
        let answered = answered.clone();
        tokio::spawn(async move {
            let answer = get(address, path).await;
            answered.fetch_add(1, Ordering::Relaxed);
            answer
        })
    };
    let calls: Vec<_> = (0..QUESTIONS)
        .map(|_| ask("/api/v1/events?type=nothing.here"))
        .collect();
    let mut pongs = 0;
    while answered.load(Ordering::Relaxed) < QUESTIONS {
        bystander.call("ping", json!(null)).await;
        pongs += 1;
    }
    // Each question looks at thousands of events; if they were waited for, a pong or two would come.
    assert!(
        4 * pongs >= QUESTIONS,
        "{pongs} pongs beside {QUESTIONS} questions"
    );
    for call in calls {
        let (status, page) = call.await.unwrap();
        assert_eq!(
            (status, page["events"].as_array().map(Vec::len)),
            (200, Some(0))
        );
    }
    // However little one answer has looked at, the pages lead to the end.
    let (mut next, mut pages) = (json!(""), 0);
    while !next.is_null() {
        let path = format!(
            "/api/v1/events?type=nothing.here&after={}",
            next.as_str().unwrap()
        );
        next = get(address, &path).await.1["next"].take();
        pages += 1;
        assert!(pages < 20);
    }
    let (status, _) = post_raw(address, "application/json", "{}").await;
    assert_eq!(status, 400);
    server.shutdown().await;
}

#[tokio::test]
async fn repair_makes_a_copy_without_what_is_damaged_and_a_server_runs_on_it() {
    let (folder, path) = file();
    let server = server_on(&path, |_| {}).await;
    let cursor = post(server.address(), &decisions(0, 400)).await.1["cursor"].clone();
    server.shutdown().await;
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection
        .execute("UPDATE events SET event = 'x' WHERE seq = 200", [])
        .unwrap();
    drop(connection);
    let before = std::fs::read(&path).unwrap();
    let repair = stoa().arg("repair").arg(&path).output().unwrap();
    let said = String::from_utf8_lossy(&repair.stdout);
    assert!(
        repair.status.success() && said.contains("Event 200 can't be read"),
        "{repair:?}"
    );
    assert!(said.contains("399 events can be read"), "{said}");
    assert_eq!(std::fs::read(&path).unwrap(), before);
    let copy = folder.path().join("stoa.db.repaired");
    let repaired = Process::listening(&mut serve(&copy));
    let address = repaired.address;
    let (_, page) = get(address, "/api/v1/events?limit=1000").await;
    assert_eq!(page["events"].as_array().unwrap().len(), 399);
    let (mut client, _) = Client::connect(address, json!({ "cursor": cursor })).await;
    assert_eq!(
        client.event("resumed").await["complete"],
        true,
        "cursors hold on"
    );
}
