//! Events a second: into the journal, and through a whole node; beside SQLite, and beside the engine's own `XADD`.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use kit::{appends::APPENDERS, bench::median, redis::Redis};
use redis::pipe;
use serde_json::json;
use stoa::{
    breaker::Breaker,
    event::{Event, ParseContext, parse},
    journal::{
        Acks, Durability, HeldBytes, Journal, RedisJournal, RedisOptions, Retention, SqliteJournal,
        SqliteOptions,
    },
    timestamp::Timestamp,
};

use super::nodes::{load, node, result, shared};

/// No run of appends is longer: events are made beforehand.
const MOST: usize = 200_000;
const BATCH: usize = 100;

fn event(n: usize) -> Event {
    let value = json!({ "type": "task.progress", "id": format!("e{n}"), "source": format!("agent_{}", n % 20),
        "data": { "task_id": format!("task_{}", n % 500), "agent_id": format!("agent_{}", n % 20),
                  "progress": n % 101, "message": "Implementing the authentication endpoints and their tests" } });
    let intake = ParseContext {
        now: Timestamp::now(),
        producer: "bench",
        max_depth: 32,
    };
    parse(value, &intake).expect("it is an event")
}

fn retention() -> Retention {
    Retention {
        max_events: usize::MAX,
        max_age: Duration::from_secs(86_400),
        max_bytes: 1 << 40,
    }
}

/// The journal by itself, in batches of a hundred, beside one `XADD` for each of the same texts in pipelines of a hundred.
pub async fn journals(rounds: usize, limit: Duration) {
    let mut rates = [const { Vec::new() }; 4];
    for _ in 0..rounds {
        let folder = tempfile::tempdir().expect("a folder");
        rates[0].push(on_engine(limit).await);
        rates[1].push(added(limit).await);
        for (at, durability) in [(2, Durability::Process), (3, Durability::Disk)] {
            rates[at].push(in_file(folder.path(), durability, limit).await);
        }
    }
    let rates = rates.map(|rates| median(rates.into_iter()));
    println!("\n## The journal by itself: events/s in batches of {BATCH}\n");
    println!(
        "{APPENDERS} appenders at once; the engine on the same machine, with `appendfsync everysec`.\n"
    );
    println!("| | events/s | the engine's journal is × |\n|---|--:|--:|");
    let names = [
        "on the engine",
        "the engine's own `XADD` in one pipeline",
        "in a file, `durability = \"process\"`",
        "in a file, `durability = \"disk\"`",
    ];
    for (name, rate) in names.iter().zip(rates) {
        println!("| {name} | {rate:.0} | {:.2} |", rates[0] / rate);
    }
}

async fn engine() -> Redis {
    let lasting = ["--appendonly", "yes", "--appendfsync", "everysec"];
    Redis::with(&lasting).await.expect("one is installed")
}

async fn on_engine(limit: Duration) -> f64 {
    let engine = engine().await;
    let options = RedisOptions {
        url: engine.url(),
        sentinels: Vec::new(),
        deployment: "bench".into(),
        node: "a".into(),
        acks: Acks::Primary,
        sessions_age: Duration::from_secs(3_600),
        timeout: Duration::from_secs(5),
        retention: retention(),
        held: HeldBytes::default(),
    };
    appended(RedisJournal::open(options).expect("it opens"), limit).await
}

async fn in_file(folder: &Path, durability: Durability, limit: Duration) -> f64 {
    let options = SqliteOptions {
        path: folder.join(format!("{durability:?}.db")),
        durability,
        retention: retention(),
        held: HeldBytes::default(),
        breaker: Breaker::alone("journal", Duration::from_millis(200)),
    };
    appended(SqliteJournal::open(&options).expect("it opens"), limit).await
}

/// Events appended a second.
async fn appended(journal: impl Journal, limit: Duration) -> f64 {
    kit::appends::appended(Arc::new(journal), (0..MOST).map(event), BATCH, limit).await
}

/// Entries added a second by pipelines of `XADD`, with the texts that the journal keeps.
async fn added(limit: Duration) -> f64 {
    let engine = engine().await;
    let mut connection = engine.connection().await;
    let texts: Vec<String> = (0..MOST).map(|n| event(n).to_stored()).collect();
    let (mut count, begun) = (0, Instant::now());
    for batch in texts.chunks(BATCH) {
        let mut pipe = pipe();
        for text in batch {
            pipe.cmd("XADD")
                .arg("s")
                .arg("*")
                .arg("d")
                .arg(text)
                .ignore();
        }
        pipe.exec_async(&mut connection)
            .await
            .expect("they are added");
        count += batch.len();
        if begun.elapsed() > limit {
            break;
        }
    }
    count as f64 / begun.elapsed().as_secs_f64()
}

/// A whole node: requests of a hundred events by HTTP.
pub async fn nodes(rounds: usize, limit: Duration) {
    let kinds = ["redis", "sqlite", "memory"];
    let mut rates = kinds.map(|_| Vec::new());
    let mut costs = kinds.map(|_| Vec::new());
    for _ in 0..rounds {
        for (at, kind) in kinds.iter().enumerate() {
            let (folder, engine) = (tempfile::tempdir().expect("a folder"), engine().await);
            let url = engine.url();
            let settings = match *kind {
                "redis" => shared(&url, "a").to_vec(),
                kind => vec![("STOA_JOURNAL__KIND", kind)],
            };
            let node = node(folder.path(), &settings, None).await;
            let asked = ["--via", "ndjson", "--batch", "100", "--in-flight", "8"];
            let load = load("ingest", &node, limit.as_secs(), &asked).spawn();
            let found = tokio::task::spawn_blocking(|| result(load.expect("it starts")));
            let found = found.await.expect("no panic");
            let number = |value: &serde_json::Value| value.as_f64().expect("a number");
            rates[at].push(number(&found["events_per_second"]));
            let (cpu, events) = (&found["server"]["cpu_seconds"], &found["events"]);
            costs[at].push(number(cpu) * 1e6 / number(events));
        }
    }
    let rates = rates.map(|rates| median(rates.into_iter()));
    let costs = costs.map(|costs| median(costs.into_iter()));
    println!("\n## Through a node: events/s, NDJSON in batches of {BATCH}\n");
    println!(
        "| journal | events/s | on the engine is × | the node's processor time of an event, µs |\n|---|--:|--:|--:|"
    );
    for ((kind, rate), cost) in kinds.iter().zip(rates).zip(costs) {
        println!(
            "| `{kind}` | {rate:.0} | {:.2} | {cost:.1} |",
            rates[0] / rate
        );
    }
}
