//! `stoa bench connect`: how fast clients get in, and what an idle one costs.

use std::{sync::Arc, time::Duration};

use serde_json::json;
use tokio::time::Instant;

use super::{
    arguments::ConnectArgs,
    crowd::{self, Entry},
    live::{INTERVAL, Live},
    packet::{Reader, Template},
    permit, process,
    report::{Report, mib},
    run::Run,
    tally::Tally,
    workers::Worker,
};
use crate::cli::failure::Failure;

/// Clients where none are asked for.
const CLIENTS: u64 = 1_000;

pub(super) async fn connect(args: ConnectArgs) -> Result<(), Failure> {
    run(&args).await.map_err(Failure::Because)?.finish()
}

async fn run(args: &ConnectArgs) -> Result<Report, String> {
    let common = &args.common;
    let count = common.observers.unwrap_or(CLIENTS);
    let clients = usize::try_from(count).unwrap_or(usize::MAX);
    if clients == 0 {
        return Err("--observers: one client at least is needed".into());
    }
    let entry = Entry::new(common).await?;
    permit::check(&entry.target, clients, common.is_mine)?;
    let entry = Arc::new(entry);
    // Nothing is published, so no event is counted.
    let none = Template::new("{seq}", Some("-"))?;
    let run = Run::new(count, Reader::new(&common.namespace, "", &none));
    let mut workers = Vec::new();
    for _ in 0..common.threads {
        workers.push(Worker::start(Tally::new()?)?);
    }
    let mut live = Live::new();
    let usage = || common.pid.and_then(process::usage);
    let before = usage();
    let of_run = run.clone();
    let observe = move |seat| crowd::observe(seat, of_run.clone());
    let (connected, tasks) = crowd::connect(&entry, clients, &workers, &mut live, observe).await?;
    let at_once = usage();
    let end = Instant::now() + Duration::from_secs(common.seconds);
    while Instant::now() < end {
        tokio::time::sleep_until(end.min(Instant::now() + INTERVAL)).await;
        let left = end.saturating_duration_since(Instant::now()).as_secs();
        live.show(&format!(
            "{clients} clients are idle, {left} s to go, {} connections ended",
            run.gone()
        ));
    }
    let after = usage();
    drop(live);
    crowd::end(tasks).await;

    let mut report = Report::new("connect", entry.target.shown(), common.json);
    report.key("transport", common.transport.name());
    report.count("observers", "clients", count);
    report.connected(&connected);
    report.row(
        "connected in",
        format!("{:.2} s", connected.time.as_secs_f64()),
    );
    report.rate("connects_per_second", "connects/s", connected.per_second());
    report.latencies("tcp_ms", "TCP", &connected.tcp);
    report.latencies("handshake_ms", "handshake", &connected.handshake);
    report.latencies("connect_ms", "Socket.IO connect", &connected.connect);
    report.count("disconnected", "disconnected", run.gone());
    if let Some(reason) = run.reason() {
        let gone = run.gone();
        report.fault(format!("{gone} of {clients} connections ended: {reason}"));
    }
    if let (Some(before), Some(at_once), Some(after)) = (before, at_once, after) {
        let cpu = (at_once.cpu_seconds - before.cpu_seconds).max(0.0);
        let idle = (after.cpu_seconds - at_once.cpu_seconds).max(0.0);
        let each = after.rss_bytes.saturating_sub(before.rss_bytes) / count;
        report.key(
            "server",
            json!({
                "cpu_seconds": cpu,
                "idle_cpu_seconds": idle,
                "rss_bytes": after.rss_bytes,
                "rss_bytes_before": before.rss_bytes,
                "bytes_per_connection": each,
            }),
        );
        let (seconds, all) = (common.seconds, mib(after.rss_bytes));
        report.row(
            "server",
            format!("{cpu:.2} s of processor time to connect, {idle:.2} s in {seconds} s idle; {all:.1} MiB"),
        );
        report.row(
            "memory",
            format!("{:.1} KiB a connection", each as f64 / 1024.0),
        );
    }
    Ok(report)
}
