//! Messages of a bus: how many in a second come through, and how late, from a real Redis to a client's socket.
//!
//! `cargo bench --bench bus`; also `--rate` (messages/s), `--seconds` of each round. `STOA_BIN` names another server than the one
//! built here. Messages are python-socketio's, in a pipeline every 5 ms; each holds the time at which it was published. Ends with
//! code 1 when a message is lost, and says where: before Stoa, refused by its door of the bus, or dropped because the client had no
//! room.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    clippy::print_stdout,
    unreachable_pub
)]

use std::{
    net::SocketAddr,
    process::ExitCode,
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;
use kit::{
    Client,
    bench::argument,
    metrics::{counted, metrics, sum},
    process::{Process, free_port},
    redis::Redis,
    wait_for,
};
use serde_json::{Value, json};

/// The time between two pipelines.
const BEAT: Duration = Duration::from_millis(5);

/// The time between two messages that say that a round is over.
const END_INTERVAL: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    let rate = argument("--rate", 20_000);
    let seconds = argument("--seconds", 5);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let faults = runtime.block_on(run(rate, seconds));
    runtime.shutdown_background();
    kit::bench::verdict(&faults, "Every message came through.")
}

async fn run(rate: usize, seconds: usize) -> Vec<String> {
    let redis = Redis::start().await.expect("Redis is installed");
    let folder = tempfile::tempdir().expect("a folder");
    let settings = [
        ("STOA_BUS__URL", redis.url()),
        ("STOA_JOURNAL__KIND", "memory".to_owned()),
    ];
    let journal = folder.path().join("stoa.db");
    let server = Process::start(&journal, free_port(), &settings).await;
    let address = server.address;
    wait_for("the bus", async || {
        counted(address, "stoa_bus_connected").await > 0
    })
    .await;
    println!("\n| messages/s | delivered/s | lost | p50, ms | p99, ms |\n|--:|--:|--:|--:|--:|");
    let mut faults = Vec::new();
    for rate in [rate / 4, rate / 2, rate] {
        let before = Counts::of(address).await;
        let lost = round(&redis, address, rate, seconds).await;
        if lost > 0 {
            let place = Counts::of(address).await.since(&before);
            let sent = rate * seconds;
            faults.push(format!(
                "{lost} messages were lost at {rate}/s: of {sent} published, and some that say the end, {place}"
            ));
        }
    }
    faults
}

/// The server's own counts of messages on their way.
struct Counts {
    received: u64,
    refused: u64,
    dropped: u64,
    connects: u64,
}

impl Counts {
    async fn of(address: SocketAddr) -> Self {
        let metrics = metrics(address).await;
        Self {
            received: sum(&metrics, "stoa_bus_received_total"),
            refused: sum(&metrics, "stoa_bus_refused_total"),
            dropped: sum(&metrics, "stoa_emissions_dropped_total"),
            connects: sum(&metrics, "stoa_bus_connects_total"),
        }
    }

    fn since(&self, before: &Self) -> String {
        format!(
            "{} came to Stoa, {} were refused there, {} dropped before a client without room; the bus was connected {} times anew",
            self.received - before.received,
            self.refused - before.refused,
            self.dropped - before.dropped,
            self.connects - before.connects,
        )
    }
}

/// One round at a rate; the number of messages that were lost.
async fn round(redis: &Redis, address: SocketAddr, rate: usize, seconds: usize) -> u64 {
    let (mut watcher, _) = Client::connect(address, json!({})).await;
    let total = rate * seconds;
    let begun = Instant::now();
    let mut connection = redis.connection().await;
    let publishing = tokio::spawn(async move {
        let mut sent = 0;
        let mut beats = tokio::time::interval(BEAT);
        while sent < total {
            beats.tick().await;
            let due = (begun.elapsed().as_secs_f64() * rate as f64) as usize;
            let mut pipeline = redis::pipe();
            while sent < due.min(total) {
                let body = json!({
                    "method": "emit", "event": "n", "binary": false, "namespace": "/", "room": null,
                    "skip_sid": null, "callback": null, "host_id": "0".repeat(32),
                    "data": [begun.elapsed().as_micros() as u64, { "sensor": "s1", "value": sent, "unit": "°C" }],
                });
                pipeline.publish("socketio", body.to_string()).ignore();
                sent += 1;
            }
            let sent: redis::RedisResult<()> = pipeline.query_async(&mut connection).await;
            sent.expect("published");
        }
        // Pub/sub may lose this, too.
        let last = json!({ "method": "emit", "event": "end", "data": [rate], "binary": false });
        let mut ends = tokio::time::interval(END_INTERVAL);
        loop {
            ends.tick().await;
            let sent: redis::RedisResult<()> = redis::cmd("PUBLISH")
                .arg("socketio")
                .arg(last.to_string())
                .query_async(&mut connection)
                .await;
            sent.expect("published");
        }
    });
    let end = format!("42[\"end\",{rate}");
    let mut late = Histogram::<u64>::new(3).expect("a histogram");
    loop {
        let text = watcher.text().await.expect("it is connected");
        if text.starts_with(&end) {
            break;
        }
        let Some(packet) = text.strip_prefix("42").filter(|t| t.starts_with("[\"n\"")) else {
            continue;
        };
        let packet: Value = serde_json::from_str(packet).expect("JSON");
        let sent = packet[1].as_u64().expect("a time");
        let now = begun.elapsed().as_micros() as u64;
        late.record(now.saturating_sub(sent)).expect("a latency");
    }
    let took = begun.elapsed().as_secs_f64();
    publishing.abort();
    let lost = total as u64 - late.len();
    let ms = |quantile| late.value_at_quantile(quantile) as f64 / 1_000.0;
    println!(
        "| {rate} | {:.0} | {lost} | {:.1} | {:.1} |",
        late.len() as f64 / took,
        ms(0.5),
        ms(0.99)
    );
    lost
}
