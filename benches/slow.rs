//! Two hundred good observers beside sixty bad ones: some stop reading, some read 2 KB/s, some vanish. The good ones must
//! notice nothing, the server's memory must stay bounded, and who reads at all must end with the right state.
//!
//! `cargo bench --bench slow -- --seconds 60`; also `--good`, `--bad` (of each kind), `--rate` (events/s), `--buffer` (bytes
//! that may wait for one client), `--slow-rate` (bytes/s). `STOA_BIN` names another server than the one built here. Ends with code 1 on a fault.
//!
//! The kinds of bad observers:
//! - *stopped*: reads for a second, then never again, and keeps its connection.
//! - *vanished*: connects and is never heard of again. On loopback the kernel goes on acknowledging for a process that is
//!   alive, and without privileges nothing can keep it from doing so; so this one has the smallest receive buffer, reads
//!   nothing from its first byte on, answers no heartbeat and sends no FIN.
//! - *slow*: reads 2 KB/s with a small receive buffer, wants progress and blocked tasks, and like any real client connects
//!   again with its last cursor when it is sent away.
//!
//! The stream is like a busy team's: 98 of 100 events are progress of 50 tasks, which may be coalesced; 2 are decisions; one in
//! 4,000 is a blocked task, which like a decision is never coalesced, and also divides what is told of that task before and
//! after it. Decisions alone are 25 KB/s: nobody who reads 2 KB/s could ever have them all, and the slow ones don't want
//! them. Blocked tasks are one in two seconds, 0.3 KB/s and as much again for what they divide; the last values of all tasks
//! are 29 KB. So a round of all that is new takes 2 KB/s about 20 s, and two of them bring a client to the end.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    clippy::print_stdout,
    unreachable_pub
)]

#[path = "slow/clients.rs"]
mod clients;
#[path = "slow/judge.rs"]
mod judge;

use std::{
    process::ExitCode,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use clients::{SMALL, Shared, Slow, read_slowly, stop, watch};
use judge::{STALL, judge_good, judge_memory, judge_slow, judge_stuck, look};
use kit::{
    bench::argument,
    process::{Process, free_port},
};
use kit::{crowd, socket::Socket};
use serde_json::Value;
use tokio::task::JoinHandle;

/// The slow ones have so long after the last event.
const CATCH_UP: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    let seconds = argument("--seconds", 60) as u64;
    let (good, bad) = (argument("--good", 200), argument("--bad", 20));
    let (rate, buffer) = (
        argument("--rate", 2_000) as u64,
        argument("--buffer", 1_024 * 1_024),
    );
    let folder = tempfile::tempdir().expect("a folder");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let faults = runtime.block_on(async {
        let settings = [
            ("STOA_SERVER__STALL_TIMEOUT", STALL.to_string()),
            ("STOA_SERVER__MAX_CLIENT_BUFFER", buffer.to_string()),
        ];
        let server = Process::start(&folder.path().join("stoa.db"), free_port(), &settings).await;
        run(&server, seconds, rate, good, bad, buffer).await
    });
    // The connections need no farewell.
    runtime.shutdown_background();
    if faults.is_empty() {
        println!("\nNo faults.");
        return ExitCode::SUCCESS;
    }
    println!("\n**Faults:**\n");
    faults.iter().for_each(|fault| println!("- {fault}"));
    ExitCode::FAILURE
}

async fn run(
    server: &Process,
    seconds: u64,
    rate: u64,
    good: usize,
    bad: usize,
    buffer: usize,
) -> Vec<String> {
    let address = server.address;
    let shared = Arc::new(Shared {
        address,
        slow_rate: argument("--slow-rate", 2_048),
        began: Instant::now(),
        packets: Mutex::default(),
        received: AtomicU64::new(0),
        done: AtomicBool::new(false),
    });
    let mut watching = Vec::new();
    for _ in 0..good {
        let socket = Socket::connect(address, "{}", Some("connection_established")).await;
        watching.push(tokio::spawn(watch(
            socket.expect("it connects"),
            shared.clone(),
        )));
    }
    let mut stuck = Vec::new();
    for _ in 0..bad {
        let socket = Socket::connect(address, "{}", None)
            .await
            .expect("it connects");
        stuck.push(tokio::spawn(stop(
            socket,
            Duration::from_secs(1),
            shared.clone(),
        )));
        let socket = Socket::connect_small(address, "{}", SMALL)
            .await
            .expect("it connects");
        stuck.push(tokio::spawn(stop(socket, Duration::ZERO, shared.clone())));
    }
    let slow: Vec<_> = (0..bad)
        .map(|_| {
            let progress = crowd::Progress::of_slow();
            Arc::new(Mutex::new(Slow {
                progress,
                ..Slow::default()
            }))
        })
        .collect();
    let slowly: Vec<JoinHandle<()>> = slow
        .iter()
        .map(|seen| tokio::spawn(read_slowly(seen.clone(), shared.clone())))
        .collect();
    tokio::time::sleep(Duration::from_millis(500)).await;
    let base = server.memory("VmRSS").unwrap_or(0);
    let looking = tokio::spawn(look(server.id(), shared.clone()));

    let events = seconds * rate;
    let (published, mut faults) = publish(&shared, events, rate).await;
    let ended = shared.began.elapsed();
    quiet(&shared).await;
    while shared.began.elapsed() < ended + CATCH_UP
        && slow
            .iter()
            .any(|s| s.lock().expect("no panic").complete_at.is_none())
    {
        for seen in &slow {
            let mut seen = seen.lock().expect("no panic");
            if seen.complete_at.is_none() && seen.progress.has_last_steps(events) {
                seen.complete_at = Some(shared.began.elapsed());
            }
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let cut: Vec<Option<Duration>> = {
        shared.done.store(true, Ordering::Relaxed);
        let mut cut = Vec::new();
        for task in stuck {
            cut.push(task.await.expect("no panic"));
        }
        cut
    };
    slowly.iter().for_each(JoinHandle::abort);
    let looks = looking.await.expect("no panic");
    let mut seen = Vec::new();
    for task in watching {
        seen.push(task.await.expect("no panic"));
    }

    println!(
        "\n## {good} good observers, {bad} stopped, {bad} at {} bytes/s, {bad} vanished; {events} events in {:.1} s\n",
        shared.slow_rate,
        (ended - published[0]).as_secs_f64()
    );
    judge_good(&shared, &seen, &published, events, &mut faults);
    judge_memory(&looks, base, good + 3 * bad, buffer, &mut faults);
    judge_stuck(&cut, &looks, &mut faults);
    judge_slow(&slow, ended, &mut faults);
    faults
}

/// The time at which each event's publishing call began, and what was refused.
async fn publish(shared: &Shared, events: u64, rate: u64) -> (Vec<Duration>, Vec<String>) {
    let client = reqwest::Client::builder()
        .no_proxy()
        .build()
        .expect("a client");
    let url = format!("http://{}/api/v1/events", shared.address);
    let batch = (rate / 100).max(1);
    let (mut published, mut faults) = (Vec::new(), Vec::new());
    let start = Instant::now();
    let mut n = 0;
    while n < events {
        let due = start + Duration::from_secs_f64(n as f64 / rate as f64);
        tokio::time::sleep_until(due.into()).await;
        let to = (n + batch).min(events);
        let body: Vec<Value> = (n..to)
            .map(|n| crowd::event(n, "a decision or a step of the work"))
            .collect();
        published.resize(to as usize, shared.began.elapsed());
        let sent = client.post(&url).json(&body).send().await;
        let answer = match sent {
            Ok(answer) => answer.json::<Value>().await.unwrap_or_default(),
            Err(error) => Value::String(error.to_string()),
        };
        if answer["accepted"] != to - n && faults.len() < 5 {
            faults.push(format!("publishing {n} to {to}: {answer}"));
        }
        n = to;
    }
    (published, faults)
}

/// Waits until nothing comes any more.
async fn quiet(shared: &Shared) {
    let (mut last, mut since) = (0, Instant::now());
    while since.elapsed() < Duration::from_millis(1_500) {
        tokio::time::sleep(Duration::from_millis(50)).await;
        // Aggregates come once a second for ever; they are few.
        let now = shared.received.load(Ordering::Relaxed) / 1_000;
        if now != last {
            (last, since) = (now, Instant::now());
        }
    }
}
