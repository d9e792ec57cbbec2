//! `stoa bench ingest`: how many events a second the server takes, and how soon it has them for sure.

use std::{
    sync::{Arc, PoisonError, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use serde_json::json;

use super::{
    arguments::{IngestArgs, Via},
    crowd::{self, Entry},
    live::{INTERVAL, Live},
    ndjson,
    packet::{Reader, Template},
    permit, process, publish,
    report::{Report, grouped, mib, ms},
    requests::Ingest,
    run::Run,
    tally::Tally,
    workers::Worker,
};
use crate::cli::failure::Failure;

pub(super) async fn ingest(args: IngestArgs) -> Result<(), Failure> {
    run(&args).await.map_err(Failure::Because)?.finish()
}

async fn run(args: &IngestArgs) -> Result<Report, String> {
    let common = &args.common;
    let observers = common.observers.unwrap_or_default();
    let clients = usize::try_from(observers).unwrap_or(usize::MAX);
    let entry = Entry::new(common).await?;
    let sockets = clients.saturating_add(usize::try_from(args.in_flight).unwrap_or(usize::MAX));
    permit::check(&entry.target, sockets, common.is_mine)?;
    let entry = Arc::new(entry);
    let template = Template::new(&args.body, Some("-"))?;
    let watching = Run::new(observers, Reader::new(&common.namespace, "", &template));
    let mut workers = Vec::new();
    for _ in 0..common.threads {
        workers.push(Worker::start(Tally::new()?)?);
    }
    let mut live = Live::new();
    let of_run = watching.clone();
    let observe = move |seat| crowd::observe(seat, of_run.clone());
    let (_, tasks) = crowd::connect(&entry, clients, &workers, &mut live, observe).await?;

    let pad = padding(&template, args.size)?;
    let ingest = Ingest::new(
        entry.target.clone(),
        template,
        pad,
        args.batch,
        args.in_flight,
    )?;
    // Requests are made on a thread of their own, whatever the observers do.
    let own = Worker::start(())?;
    let work = match args.via {
        Via::Publish => {
            let auth = crowd::producer_auth(common, None);
            let (ingest, emit) = (ingest.clone(), args.emit.clone());
            own.handle
                .spawn(async move { publish::run(&ingest, &auth, &emit).await })
        }
        Via::Ndjson => {
            let (ingest, token) = (ingest.clone(), common.token.clone());
            own.handle.spawn(ndjson::run(ingest, token))
        }
    };
    tokio::time::sleep(Duration::from_secs(common.warmup)).await;
    let usage = || common.pid.and_then(process::usage);
    let (before, own_before) = (usage(), process::own_cpu_seconds());
    let start = ingest.now();
    ingest.measure_from(start);
    let end = Instant::now() + Duration::from_secs(common.seconds);
    while Instant::now() < end && !work.is_finished() {
        let left = end.saturating_duration_since(Instant::now());
        tokio::time::sleep(left.min(INTERVAL)).await;
        live.show(&line(&ingest, start));
    }
    ingest.is_over.store(true, Relaxed);
    let done = work
        .await
        .unwrap_or_else(|_| Err("the producer ended without a word".into()));
    let (after, own_after) = (usage(), process::own_cpu_seconds());
    drop(live);
    crowd::end(tasks).await;
    if ingest.answers() == 0 {
        done.clone()?;
    }

    let mut report = Report::new("ingest", entry.target.shown(), common.json);
    let via = match args.via {
        Via::Publish => "publish",
        Via::Ndjson => "ndjson",
    };
    report.key("via", via);
    report.key("in_flight", args.in_flight);
    report.key("batch", args.batch);
    report.row(
        "way",
        format!(
            "{via}, {} requests on their way, {} events each",
            args.in_flight, args.batch
        ),
    );
    report.count("observers", "observers", observers);
    let acks = ingest.acks.lock().unwrap_or_else(PoisonError::into_inner);
    let seconds = acks.last.saturating_sub(start) as f64 / 1e9;
    report.key("seconds", seconds);
    report.row("measured", format!("{seconds:.2} s"));
    report.count("events", "events", acks.measured);
    report.rate(
        "events_per_second",
        "events/s",
        acks.measured as f64 / seconds.max(1e-9),
    );
    report.latencies("ack_ms", "acknowledged", &acks.latencies);
    let sent = ingest.sent();
    report.count("sent", "sent, with the warm-up", sent);
    report.count("accepted", "accepted", acks.accepted);
    report.count("duplicates", "duplicates", acks.duplicates);
    report.count("rejected", "rejected", acks.rejected);
    if let Some(refusal) = &acks.refusal {
        report.fault(format!(
            "{} events were rejected; the first answer: {refusal}",
            acks.rejected
        ));
    }
    let unanswered = sent.saturating_sub(acks.accepted + acks.duplicates + acks.rejected);
    report.count("unanswered", "unanswered", unanswered);
    match done {
        Err(reason) => report.fault(reason),
        Ok(()) if unanswered > 0 => {
            report.fault(format!("{unanswered} events were not acknowledged"));
        }
        Ok(()) => {}
    }
    if let (Some(before), Some(after)) = (before, after) {
        let cpu = (after.cpu_seconds - before.cpu_seconds).max(0.0);
        let each = cpu * 1e6 / (acks.measured as f64).max(1.0);
        report.key(
            "server",
            json!({ "cpu_seconds": cpu, "rss_bytes": after.rss_bytes, "cpu_us_per_event": each }),
        );
        report.row(
            "server",
            format!(
                "{cpu:.2} s of processor time, {:.1} MiB, {each:.2} µs an event",
                mib(after.rss_bytes)
            ),
        );
    }
    let own_cpu = own_after.zip(own_before).map(|(now, then)| now - then);
    report.key("load", json!({ "cpu_seconds": own_cpu }));
    Ok(report)
}

/// The padding that makes an event so large.
fn padding(template: &Template, size: Option<u64>) -> Result<usize, String> {
    let Some(size) = size else {
        return Ok(0);
    };
    if !template.pads {
        return Err("--size: there is no {pad} in --body".into());
    }
    let mut bare = Vec::new();
    template.write(&mut bare, 0, 0);
    usize::try_from(size)
        .ok()
        .and_then(|size| size.checked_sub(bare.len()))
        .ok_or_else(|| {
            format!(
                "--size {size}: an event without padding is {} bytes",
                bare.len()
            )
        })
}

fn line(ingest: &Ingest, start: u64) -> String {
    let now = ingest.now();
    let acks = ingest.acks.lock().unwrap_or_else(PoisonError::into_inner);
    let rate = acks.measured as f64 * 1e9 / now.saturating_sub(start).max(1) as f64;
    format!(
        "{} events/s  acknowledged p50 {}  p99 {}  max {} ms",
        grouped(rate),
        ms(acks.latencies.at(50.0)),
        ms(acks.latencies.at(99.0)),
        ms(acks.latencies.max())
    )
}
