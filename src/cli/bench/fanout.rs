//! `stoa bench fanout`: one producer, many observers.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::json;
use tokio::sync::{oneshot, watch};

use super::{
    arguments::{Common, Dialect, FanoutArgs},
    client::Client,
    crowd::{self, Entry},
    feed::{Feed, Source},
    live::{INTERVAL, Live},
    packet::{Reader, Template},
    permit,
    process::{self, Usage},
    producer::{Load, Plan, Producer, Sent, Stage},
    report::{Report, grouped, ms},
    run::Run,
    tally::{Latencies, Tally},
    workers::Worker,
};
use crate::cli::failure::Failure;

/// Clients where none are asked for.
const OBSERVERS: u64 = 1_000;
/// Updates per second where none are asked for.
const RATE: f64 = 20.0;

pub(super) async fn fanout(args: FanoutArgs) -> Result<(), Failure> {
    let load = match (args.rate, args.in_flight) {
        (_, Some(in_flight)) => Load::Closed(in_flight),
        (rate, None) => Load::Open(rate.unwrap_or(RATE)),
    };
    let mut report = run(&args.common, &args.dialect, load)
        .await
        .map_err(Failure::Because)?;
    let (mode, said) = match load {
        Load::Open(rate) => (
            "rate",
            format!("{rate} updates/s, whatever the server does"),
        ),
        Load::Closed(1) => ("in_flight", "lockstep: one update on its way".to_owned()),
        Load::Closed(n) => (
            "in_flight",
            format!("as fast as it goes, {n} updates on their way"),
        ),
    };
    report.key("mode", mode);
    report.key(
        "rate",
        args.rate.or(args.in_flight.is_none().then_some(RATE)),
    );
    report.key("in_flight", args.in_flight);
    report.row("load", said);
    report.finish()
}

async fn run(common: &Common, dialect: &Dialect, load: Load) -> Result<Report, String> {
    let template = Template::new(&dialect.packet, dialect.marker.as_deref())?;
    let observers = common.observers.unwrap_or(OBSERVERS);
    let clients = usize::try_from(observers).unwrap_or(usize::MAX);
    if clients == 0 {
        return Err("--observers: a fan-out needs one at least".into());
    }
    let mut entry = Entry::new(common).await?;
    permit::check(&entry.target, clients, common.is_mine)?;
    entry.say(dialect);
    let entry = Arc::new(entry);
    let run = Run::new(
        observers,
        Reader::new(&common.namespace, &dialect.event, &template),
    );
    let mut workers = Vec::new();
    for _ in 0..common.threads {
        workers.push(Worker::start(Tally::new()?)?);
    }
    let mut live = Live::new();
    let of_run = run.clone();
    let observe = move |seat| crowd::observe(seat, of_run.clone());
    let (connected, tasks) = crowd::connect(&entry, clients, &workers, &mut live, observe).await?;

    let plan = Plan {
        load,
        warmup: Duration::from_secs(common.warmup),
        seconds: Duration::from_secs(common.seconds),
        size: dialect.size,
    };
    let watched = Watched {
        run: run.clone(),
        workers: &workers,
        pid: common.pid,
    };
    let producer_auth = crowd::producer_auth(common, dialect.producer_token.as_deref());
    // A closed loop goes on where the observers are, without a change of threads; an open one keeps its own time.
    let own = match load {
        Load::Open(_) => Some(Worker::start(())?),
        Load::Closed(_) => None,
    };
    let handle = own.as_ref().map_or(&workers[0].handle, |own| &own.handle);
    let (stage, stages) = watch::channel(Stage::Settling);
    let (tell, told) = oneshot::channel();
    let observers = workers.iter().map(|worker| worker.shared.clone()).collect();
    let (of_run, target) = (run.clone(), entry.target.clone());
    let (namespace, event) = (common.namespace.clone(), dialect.event.clone());
    handle.spawn(async move {
        let sent = match Client::open(&target, 0, &producer_auth).await {
            Ok((client, _)) => {
                let source = Source {
                    client,
                    template,
                    namespace,
                    event,
                    observers,
                };
                let feed = Feed::new(source, of_run);
                Producer::new(feed, plan, stage).run().await
            }
            Err(reason) => Err(format!("the producer: {reason}")),
        };
        tell.send(sent).ok();
    });
    let costs = watched.until(told, stages, &mut live).await;
    let Costs {
        sent,
        before,
        after,
        own_cpu,
    } = costs;
    let sent = sent.inspect_err(|_| run.ends(0));
    if let Ok(sent) = &sent {
        run.ends(sent.checked);
    }
    drop(live);
    crowd::end(tasks).await;
    let sent = sent?;

    let mut report = Report::new("fanout", entry.target.shown(), common.json);
    report.key("transport", common.transport.name());
    report.count("observers", "observers", run.observers);
    report.connected(&connected);
    fill(&mut report, &run, &workers, &sent)?;
    let deliveries = deliveries(&workers);
    report.server(before, after, deliveries);
    report.key("load", json!({ "cpu_seconds": own_cpu }));
    Ok(report)
}

/// The measured deliveries so far.
fn deliveries(workers: &[Worker<Tally>]) -> u64 {
    let each = workers
        .iter()
        .filter_map(|worker| worker.shared.lock().ok());
    each.map(|shared| shared.tally.deliveries).sum()
}

/// The latencies so far.
fn latencies(workers: &[Worker<Tally>]) -> Result<Latencies, String> {
    let mut all = Latencies::new()?;
    for worker in workers {
        if let Ok(shared) = worker.shared.lock() {
            all.add(&shared.tally.latencies);
        }
    }
    Ok(all)
}

/// The figures of the observers and the producer.
fn fill(
    report: &mut Report,
    run: &Run,
    workers: &[Worker<Tally>],
    sent: &Sent,
) -> Result<(), String> {
    let (mut bytes, mut others, mut last) = (0, 0, sent.start);
    for worker in workers {
        if let Ok(shared) = worker.shared.lock() {
            let tally = &shared.tally;
            bytes += tally.bytes;
            others += tally.others;
            last = last.max(tally.last);
        }
    }
    let deliveries = deliveries(workers);
    let seconds = last.saturating_sub(sent.start) as f64 / 1e9;
    let per_second = |count: u64| {
        if seconds > 0.0 {
            count as f64 / seconds
        } else {
            0.0
        }
    };
    report.key("seconds", seconds);
    report.row("measured", format!("{seconds:.2} s"));
    report.count("updates", "updates", sent.measured);
    report.rate("updates_per_second", "updates/s", per_second(sent.measured));
    report.count("deliveries", "deliveries", deliveries);
    report.rate(
        "deliveries_per_second",
        "deliveries/s",
        per_second(deliveries),
    );
    let each = bytes.checked_div(deliveries).unwrap_or_default();
    report.count("bytes_per_delivery", "bytes of a delivery", each);
    report.latencies("latency_ms", "latency", &latencies(workers)?);
    if let Some(late) = &sent.late {
        report.latencies("producer_late_ms", "producer late", late);
    }
    report.count("others", "other packets", others);
    report.sequence(run.faults());
    report.count("disconnected", "disconnected", run.gone());
    if let Some(reason) = run.reason() {
        report.fault(format!(
            "{} of {} connections ended during the run: {reason}",
            run.gone(),
            run.observers
        ));
    }
    if sent.measured == 0 {
        report.fault("nothing was measured: the updates of the warm-up did not get through".into());
    }
    Ok(())
}

/// A run as it is looked at from outside.
struct Watched<'a> {
    run: Arc<Run>,
    workers: &'a [Worker<Tally>],
    pid: Option<u32>,
}

/// The outcome of the producer, and what the measured time cost.
struct Costs {
    sent: Result<Sent, String>,
    before: Option<Usage>,
    after: Option<Usage>,
    /// The processor time of this process.
    own_cpu: Option<f64>,
}

impl Watched<'_> {
    /// Shows the run until the producer is done.
    async fn until(
        &self,
        mut told: oneshot::Receiver<Result<Sent, String>>,
        mut stages: watch::Receiver<Stage>,
        live: &mut Live,
    ) -> Costs {
        let usage = || self.pid.and_then(process::usage);
        let (mut before, mut own) = (None, None);
        let mut ticks = tokio::time::interval_at(tokio::time::Instant::now() + INTERVAL, INTERVAL);
        let mut last = (Instant::now(), 0);
        loop {
            tokio::select! {
                sent = &mut told => {
                    let sent = sent.unwrap_or_else(|_| Err("the producer ended without a word".into()));
                    let own_cpu = process::own_cpu_seconds().zip(own).map(|(now, then)| now - then);
                    return Costs { sent, before, after: usage(), own_cpu };
                }
                Ok(()) = stages.changed() => {
                    if *stages.borrow_and_update() >= Stage::Measuring && own.is_none() {
                        before = usage();
                        own = process::own_cpu_seconds();
                    }
                }
                _ = ticks.tick() => {
                    let delivered = self.run.delivered();
                    let rate = (delivered - last.1) as f64 / last.0.elapsed().as_secs_f64();
                    last = (Instant::now(), delivered);
                    let stage = *stages.borrow();
                    live.show(&self.line(stage, rate));
                }
            }
        }
    }

    fn line(&self, stage: Stage, rate: f64) -> String {
        let rate = grouped(rate);
        match stage {
            Stage::Settling => format!(
                "{} of {} observers get updates",
                self.run.ready(),
                self.run.observers
            ),
            Stage::WarmingUp => format!("warming up: {rate} deliveries/s"),
            Stage::Draining => "waiting for the last updates".to_owned(),
            Stage::Measuring => {
                let so_far = latencies(self.workers).ok();
                let so_far = so_far.filter(|latencies| latencies.count() > 0);
                let shown = so_far.map_or(String::new(), |all| {
                    format!(
                        "  p50 {}  p99 {}  max {} ms",
                        ms(all.at(50.0)),
                        ms(all.at(99.0)),
                        ms(all.max())
                    )
                });
                format!("{rate} deliveries/s{shown}")
            }
        }
    }
}
