//! kill -9, restart, full disk: what was acknowledged is there, once, for everybody who comes back.

use std::{
    collections::{HashMap, HashSet},
    net::SocketAddr,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use kit::{
    Client, PATIENCE,
    disk::on_small_disk,
    get, not_checked, post,
    process::{Process, serve},
    until_folded,
};
use serde_json::{Value, json};

/// A server on this journal and this port.
fn start(journal: &Path, port: u16) -> Process {
    Process::listening(serve(journal).env("STOA_SERVER__PORT", port.to_string()))
}

/// The records of one observer over all its connections.
#[derive(Default)]
struct Seen {
    cursor: Option<String>,
    /// The number of times that each event came.
    ids: HashMap<String, u32>,
    /// The last of each task's progress, and how many events its updates stood for.
    progress: HashMap<String, u64>,
    stood_for: u64,
}

impl Seen {
    fn apply(&mut self, name: &str, update: &Value) {
        if let Some(cursor) = update["cursor"].as_str() {
            self.cursor = Some(cursor.to_owned());
        }
        let id = || update["id"].as_str().expect("id").to_owned();
        match name {
            "decision_event" => *self.ids.entry(id()).or_default() += 1,
            "progress_update" => {
                *self.ids.entry(id()).or_default() += 1;
                let task = update["task_id"].as_str().expect("task").to_owned();
                self.progress
                    .insert(task, update["progress"].as_u64().expect("progress"));
                self.stood_for += update["coalesced"].as_u64().unwrap_or(1);
            }
            "snapshot" => panic!("nobody needs a snapshot here"),
            "resumed" => assert_eq!(update["complete"], true, "{update}"),
            _ => {}
        }
    }
}

const PRODUCERS: u64 = 4;
/// More of both make a longer run of the same: `STOA_CRASH_ROUNDS=20 STOA_CRASH_OBSERVERS=200`.
const ROUNDS: u64 = 3;
const OBSERVERS: u64 = 12;

fn number(variable: &str, usually: u64) -> u64 {
    let said = std::env::var(variable).ok();
    said.and_then(|number| number.parse().ok())
        .unwrap_or(usually)
}

/// Publishes until told to stop; the ids that were acknowledged. After a crash it publishes what was not acknowledged again.
async fn produce(
    who: u64,
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    acked: Arc<AtomicU64>,
) -> Vec<String> {
    let mut kept = Vec::new();
    let mut n = 0_u64;
    let mut unacknowledged: Option<Value> = None;
    while !stop.load(Ordering::Relaxed) {
        let Ok(mut client) = connect(
            address,
            json!({ "role": "producer", "filters": { "types": ["none"] } }),
        )
        .await
        else {
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        while !stop.load(Ordering::Relaxed) {
            let batch = unacknowledged.take().unwrap_or_else(|| {
                n += 10;
                (n - 10..n)
                    .map(|i| {
                        let id = format!("{who}-{i}");
                        if i % 2 == 0 {
                            json!({ "type": "decision.logged", "id": id, "data": { "what": "x" } })
                        } else {
                            json!({ "type": "task.progress", "id": id, "data": { "task_id": format!("t{who}"), "progress": i } })
                        }
                    })
                    .collect()
            });
            let Some(receipt) = client.try_call("publish", batch.clone()).await else {
                unacknowledged = Some(batch);
                break;
            };
            assert_eq!(receipt["rejected"], json!([]), "{receipt}");
            let ids = batch.as_array().expect("array").iter();
            kept.extend(ids.map(|e| e["id"].as_str().expect("id").to_owned()));
            acked.fetch_add(10, Ordering::Relaxed);
        }
    }
    kept
}

async fn connect(address: SocketAddr, auth: Value) -> Result<Client, ()> {
    // A listener that just died refuses, and one that dies meanwhile closes.
    let opening = tokio::spawn(async move { Client::connect(address, auth).await.0 });
    opening.await.map_err(|_| ())
}

/// Watches until it has seen everything; the server may die meanwhile.
async fn observe(
    address: SocketAddr,
    from: String,
    done: Arc<AtomicBool>,
    seen: Arc<tokio::sync::Mutex<Seen>>,
) {
    seen.lock().await.cursor = Some(from);
    while !done.load(Ordering::Relaxed) {
        let cursor = seen.lock().await.cursor.clone();
        let Ok(mut client) = connect(address, json!({ "cursor": cursor })).await else {
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        loop {
            match tokio::time::timeout(Duration::from_millis(200), client.next()).await {
                Ok(Some((name, update))) => seen.lock().await.apply(&name, &update),
                Ok(None) => break,
                Err(_) if done.load(Ordering::Relaxed) => return,
                Err(_) => {}
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_kill_9_and_reaches_everybody_once() {
    let rounds = number("STOA_CRASH_ROUNDS", ROUNDS);
    let observers = number("STOA_CRASH_OBSERVERS", OBSERVERS);
    let folder = tempfile::tempdir().expect("folder");
    let journal = folder.path().join("stoa.db");
    let mut stoa = start(&journal, 0);
    let address = stoa.address;
    let (first, hello) = Client::connect(address, json!({})).await;
    first.close().await;
    let from = hello["cursor"].as_str().expect("cursor").to_owned();
    let (stop, done) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicBool::new(false)),
    );
    let acked = Arc::new(AtomicU64::new(0));
    let producing: Vec<_> = (0..PRODUCERS)
        .map(|who| tokio::spawn(produce(who, address, stop.clone(), acked.clone())))
        .collect();
    let screens: Vec<_> = (0..observers)
        .map(|_| Arc::new(tokio::sync::Mutex::new(Seen::default())))
        .collect();
    let observing: Vec<_> = screens
        .iter()
        .map(|seen| tokio::spawn(observe(address, from.clone(), done.clone(), seen.clone())))
        .collect();
    for round in 0..rounds {
        let before = acked.load(Ordering::Relaxed);
        while acked.load(Ordering::Relaxed) < before + 1_000 + round * 137 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let port = stoa.kill();
        stoa = start(&journal, port);
    }
    stop.store(true, Ordering::Relaxed);
    let mut kept = HashSet::new();
    for producer in producing {
        kept.extend(producer.await.expect("produces"));
    }
    // The journal is the truth: acknowledged events, and perhaps some whose acknowledgement was lost.
    let mut stored: Vec<String> = Vec::new();
    let mut after = String::new();
    loop {
        let (_, page) = get(address, &format!("/api/v1/events?limit=1000{after}")).await;
        let events = page["events"].as_array().expect("events");
        stored.extend(
            events
                .iter()
                .map(|e| e["id"].as_str().expect("id").to_owned()),
        );
        let Some(next) = page["next"].as_str() else {
            break;
        };
        after = format!("&after={next}");
    }
    let all: HashSet<&String> = stored.iter().collect();
    assert_eq!(all.len(), stored.len(), "no event is kept twice");
    for id in &kept {
        assert!(all.contains(id), "{id} was acknowledged and is gone");
    }
    let decisions: HashSet<&str> = stored
        .iter()
        .map(String::as_str)
        .filter(|id| is_decision(id))
        .collect();
    let last: HashMap<&str, u64> =
        stored
            .iter()
            .filter(|id| !is_decision(id))
            .fold(HashMap::new(), |mut last, id| {
                let (who, n) = id.split_once('-').expect("id");
                last.insert(who, n.parse().expect("number"));
                last
            });
    let progress = stored.len() - decisions.len();
    for seen in &screens {
        // As long as anything comes it is only slow.
        let (mut count, mut since) = (0, std::time::Instant::now());
        loop {
            let seen = seen.lock().await;
            if seen.ids.len() > count {
                (count, since) = (seen.ids.len(), std::time::Instant::now());
            }
            let came: HashSet<&str> = seen
                .ids
                .keys()
                .map(String::as_str)
                .filter(|id| is_decision(id))
                .collect();
            let ends = last
                .iter()
                .all(|(who, n)| seen.progress.get(&format!("t{who}")) == Some(n));
            if came == decisions && ends {
                assert!(
                    seen.ids.values().all(|times| *times == 1),
                    "something came twice"
                );
                assert_eq!(
                    seen.stood_for, progress as u64,
                    "each is in exactly one update"
                );
                break;
            }
            assert!(
                since.elapsed() < PATIENCE,
                "{} of {} decisions",
                came.len(),
                decisions.len()
            );
            drop(seen);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    done.store(true, Ordering::Relaxed);
    for observer in observing {
        observer.await.expect("observes");
    }
    stoa.kill();
}

fn is_decision(id: &str) -> bool {
    id.rsplit('-')
        .next()
        .and_then(|n| n.parse::<u64>().ok())
        .is_some_and(|n| n % 2 == 0)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_state_after_a_restart_is_the_state_before_it() {
    let folder = tempfile::tempdir().expect("folder");
    let journal = folder.path().join("stoa.db");
    let stoa = start(&journal, 0);
    let text = std::fs::read_to_string("tests/data/marcus-events.jsonl").expect("data");
    let (status, answer) = kit::post_raw(stoa.address, "application/x-ndjson", text.clone()).await;
    assert_eq!((status, &answer["accepted"]), (202, &json!(1424)));
    let (mut client, _) = Client::connect(stoa.address, json!({ "snapshot": true })).await;
    until_folded(stoa.address, &answer["cursor"]).await;
    let mut before = client.call("get_state", json!({})).await;
    let port = stoa.kill();
    let stoa = start(&journal, port);
    let (_, mut after) = get(stoa.address, "/api/v1/state").await;
    for time in ["server_time", "timestamp", "status"] {
        before.as_object_mut().unwrap().remove(time);
        after.as_object_mut().unwrap().remove(time);
    }
    assert_eq!(before, after);
    let (_, again) = kit::post_raw(stoa.address, "application/x-ndjson", text).await;
    assert_eq!(
        (&again["accepted"], &again["duplicates"]),
        (&json!(0), &json!(1424))
    );
    assert_eq!(again["duplicate"], true);
    stoa.kill();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_told_and_passes() {
    let folder = tempfile::tempdir().expect("folder");
    let Some(mut command) = on_small_disk(folder.path()) else {
        not_checked("a full disk: this user may not mount a file system, not even for itself");
        return;
    };
    let stoa = Process::listening(&mut command);
    // The disk, as the server sees it.
    let seen = format!("/proc/{}/root{}", stoa.id(), folder.path().display());
    let ballast = Path::new(&seen).join("ballast");
    let address = stoa.address;
    let (mut watcher, _) = Client::connect(address, json!({})).await;
    let event = |n: u64| json!({ "type": "decision.logged", "id": format!("d{n}"), "data": { "what": "x".repeat(2_000), "n": n } });
    assert_eq!(post(address, &event(0)).await.0, 202);
    // Zeros until there is no more room.
    let filled = std::fs::write(&ballast, vec![0; 4 << 20]);
    assert!(filled.is_err(), "the disk is small");
    let mut accepted = vec![0];
    let mut n = 1;
    let refused = loop {
        let (status, answer) = post(address, &event(n)).await;
        if status != 202 {
            break (status, answer);
        }
        accepted.push(n);
        n += 1;
        assert!(n < 5_000, "it is never full");
    };
    assert_eq!(
        (refused.0, &refused.1["error"]["code"]),
        (503, &json!("unavailable")),
        "{refused:?}"
    );
    let (status, ready) = get(address, "/readyz").await;
    assert_eq!(
        (status, &ready["parts"]["journal"]["status"]),
        (503, &json!("down")),
        "{ready}"
    );
    std::fs::remove_file(&ballast).expect("removes");
    let started = std::time::Instant::now();
    while get(address, "/readyz").await.0 != 200 {
        assert!(started.elapsed() < PATIENCE, "it recovers by itself");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(post(address, &event(n)).await.0, 202, "the same one again");
    accepted.push(n);
    for n in accepted {
        assert_eq!(
            watcher.event("decision_event").await["data"]["n"],
            n,
            "nothing accepted is lost"
        );
    }
    stoa.kill();
}
