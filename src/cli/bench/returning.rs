//! `stoa bench resume` and `stoa bench storm`: clients leave, miss updates, and come back.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use serde_json::json;
use tokio::sync::{Semaphore, watch};

use super::{
    arguments::ReturnArgs,
    client::Client,
    crowd::{self, Entry, Seat},
    feed::{Feed, PATIENCE, Source},
    live::{INTERVAL, Live},
    packet::{Reader, Template},
    permit, process,
    report::Report,
    returner::{self, Place, ReturnTimes, Returns},
    run::{Run, Schedule},
    tally::{Latencies, Tally},
    workers::Worker,
};
use crate::cli::failure::Failure;

/// Clients where none are asked for.
const CLIENTS: u64 = 1_000;

/// The two ways in which clients come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// So many at a time as may be opened at a time; it is of Stoa, whose cursors it is about.
    Resume,
    /// All at once.
    Storm,
}

pub(super) async fn come_back(args: ReturnArgs, way: Way) -> Result<(), Failure> {
    run(&args, way).await.map_err(Failure::Because)?.finish()
}

async fn run(args: &ReturnArgs, way: Way) -> Result<Report, String> {
    let (common, dialect) = (&args.common, &args.dialect);
    let template = Template::new(&dialect.packet, dialect.marker.as_deref())?;
    let count = common.observers.unwrap_or(CLIENTS);
    let clients = usize::try_from(count).unwrap_or(usize::MAX);
    if clients == 0 {
        return Err("--observers: one client at least is needed".into());
    }
    let mut entry = Entry::new(common).await?;
    permit::check(&entry.target, clients, common.is_mine)?;
    entry.say(dialect);
    let entry = Arc::new(entry);
    let run = Run::new(
        count,
        Reader::new(&common.namespace, &dialect.event, &template),
    );
    let mut workers = Vec::new();
    for _ in 0..common.threads {
        workers.push(Worker::start(Tally::new()?)?);
    }
    let (place, places) = watch::channel(Place::Here);
    let returns = Arc::new(Returns {
        run: run.clone(),
        entry: entry.clone(),
        place: places,
        gate: Semaphore::new(if way == Way::Storm {
            clients
        } else {
            entry.concurrency
        }),
        from_start: way == Way::Storm,
        with_cursor: AtomicU64::new(0),
        away: AtomicU64::new(0),
        back: AtomicU64::new(0),
        retries: AtomicU64::new(0),
        incomplete: AtomicU64::new(0),
        times: Mutex::new(ReturnTimes {
            connected: Latencies::new()?,
            complete: Latencies::new()?,
        }),
    });
    let mut live = Live::new();
    let of_returns = returns.clone();
    let work = move |seat: Seat| returner::live(seat, of_returns.clone());
    let (connected, tasks) = crowd::connect(&entry, clients, &workers, &mut live, work).await?;
    let auth = crowd::producer_auth(common, dialect.producer_token.as_deref());
    let (client, _) = Client::open(&entry.target, 0, &auth)
        .await
        .map_err(|reason| format!("the producer: {reason}"))?;
    let source = Source {
        client,
        template,
        namespace: common.namespace.clone(),
        event: dialect.event.clone(),
        observers: workers.iter().map(|worker| worker.shared.clone()).collect(),
    };
    let mut rounds = Rounds {
        feed: Feed::new(source, run.clone()),
        returns: returns.clone(),
        place,
        first: 0,
        missed: args.missed,
        rate: args.rate,
        lasts: Vec::new(),
        live,
    };
    rounds.feed.settle().await?;
    let has_cursors = returns.with_cursor.load(Relaxed) == count;
    if way == Way::Resume && !has_cursors {
        let shown = entry.target.shown();
        return Err(format!(
            "{shown} sends no cursor in its updates, so nobody can resume after one: this scenario is for Stoa; `stoa bench storm` \
             measures how fast all come back to any server"
        ));
    }
    if !has_cursors {
        rounds.missed = 0;
    }
    let before = common.pid.and_then(process::usage);
    let done = rounds
        .all(
            Duration::from_secs(common.warmup),
            Duration::from_secs(common.seconds),
        )
        .await;
    let after = common.pid.and_then(process::usage);
    let Rounds {
        lasts,
        missed,
        feed,
        first,
        ..
    } = rounds;
    // Without cursors, nobody is owed what came while it was away.
    run.ends(if has_cursors { feed.next - first } else { 0 });
    crowd::end(tasks).await;
    if lasts.is_empty() {
        done.clone()?;
    }

    let name = if way == Way::Storm { "storm" } else { "resume" };
    let mut report = Report::new(name, entry.target.shown(), common.json);
    report.key("transport", common.transport.name());
    report.count("observers", "clients", count);
    report.connected(&connected);
    report.key("cursors", has_cursors);
    report.count("missed", "updates missed by each", missed);
    report.count("rounds", "rounds", lasts.len() as u64);
    let times = returns
        .times
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    report.count("returns", "returns", times.complete.count());
    report.latencies("connected_ms", "connected again", &times.connected);
    report.latencies(
        "complete_ms",
        if has_cursors {
            "has everything"
        } else {
            "is back"
        },
        &times.complete,
    );
    let longest = lasts.iter().max().copied().unwrap_or_default();
    let total: Duration = lasts.iter().sum();
    let mean = total.as_secs_f64() * 1e3 / (lasts.len() as f64).max(1.0);
    report.key(
        "last_ms",
        json!({ "mean": mean, "max": longest.as_secs_f64() * 1e3 }),
    );
    report.row(
        "the last one has",
        format!(
            "after {mean:.0} ms (mean of the rounds), {:.0} ms (max)",
            longest.as_secs_f64() * 1e3
        ),
    );
    report.count(
        "retries",
        "not let in at once",
        returns.retries.load(Relaxed),
    );
    let mut faults = run.faults();
    if !has_cursors {
        faults = super::run::Faults::default();
    }
    report.sequence(faults);
    let incomplete = returns.incomplete.load(Relaxed);
    report.count("incomplete", "replays cut short", incomplete);
    if incomplete > 0 {
        report.fault(format!(
            "for {incomplete} returns the journal no longer reached back"
        ));
    }
    report.count("disconnected", "disconnected", run.gone());
    if let Some(reason) = run.reason() {
        report.fault(format!(
            "{} connections ended unasked, or did not come back: {reason}",
            run.gone()
        ));
    } else if let Err(reason) = done {
        report.fault(reason);
    }
    report.server(before, after, 0);
    Ok(report)
}

/// The rounds of leaving and coming back, as the producer sees them.
struct Rounds {
    feed: Feed,
    returns: Arc<Returns>,
    place: watch::Sender<Place>,
    /// The index of the first update that is checked.
    first: u64,
    missed: u64,
    /// Updates per second while the clients come back.
    rate: f64,
    /// Of each measured round, the time until the last client had everything.
    lasts: Vec<Duration>,
    live: Live,
}

impl Rounds {
    async fn all(&mut self, warmup: Duration, seconds: Duration) -> Result<(), String> {
        self.first = self.feed.next;
        self.feed.run.check_from(self.first);
        let begun = Instant::now();
        let mut is_measured = warmup.is_zero();
        if !is_measured {
            self.round().await?;
            self.forget()?;
        }
        while begun.elapsed() < warmup + seconds || self.lasts.is_empty() {
            if !is_measured && begun.elapsed() >= warmup {
                is_measured = true;
                self.forget()?;
            }
            let last = self.round().await?;
            self.lasts.push(last);
        }
        let sent = self.feed.next - self.first;
        if self.has_cursors() {
            self.feed.drain(sent).await;
        }
        Ok(())
    }

    /// Forgets the rounds of the warm-up.
    fn forget(&mut self) -> Result<(), String> {
        self.lasts.clear();
        let times = ReturnTimes {
            connected: Latencies::new()?,
            complete: Latencies::new()?,
        };
        *self
            .returns
            .times
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = times;
        Ok(())
    }

    fn has_cursors(&self) -> bool {
        self.returns.with_cursor.load(Relaxed) == self.feed.run.observers
    }

    /// All leave, miss updates, and come back while more come. The time until the last one has everything.
    async fn round(&mut self) -> Result<Duration, String> {
        self.returns.away.store(0, Relaxed);
        self.returns.back.store(0, Relaxed);
        self.place.send_replace(Place::Away);
        self.until(|returns| returns.away.load(Relaxed), None)
            .await?;
        for _ in 0..self.missed {
            self.feed.queue();
        }
        self.feed.write().await?;
        let since = Instant::now();
        let wanted = self.feed.next - self.first;
        self.place.send_replace(Place::Back { since, wanted });
        let schedule = Schedule {
            first: self.feed.next,
            start: self.feed.run.now(),
            rate: self.rate,
        };
        self.until(|returns| returns.back.load(Relaxed), Some(schedule))
            .await?;
        let last = since.elapsed();
        let (count, shown) = (self.lasts.len() + 1, last.as_secs_f64() * 1e3);
        self.live
            .show_sometimes(|| format!("round {count}: all back after {shown:.0} ms"));
        Ok(last)
    }

    /// Waits until this holds for all clients, and sends updates in the meantime.
    async fn until(
        &mut self,
        reached: impl Fn(&Returns) -> u64,
        schedule: Option<Schedule>,
    ) -> Result<(), String> {
        let mut moved = (Instant::now(), 0);
        let mut shown = Instant::now();
        loop {
            let now = reached(&self.returns);
            if now + self.feed.run.gone() >= self.feed.run.observers {
                return if self.feed.run.gone() == 0 {
                    Ok(())
                } else {
                    Err("not all clients came back".into())
                };
            }
            if now != moved.1 {
                moved = (Instant::now(), now);
            }
            if moved.0.elapsed() > PATIENCE {
                let left = self.feed.run.observers - now;
                return Err(format!("{left} clients did not get everything in time"));
            }
            if shown.elapsed() >= INTERVAL {
                shown = Instant::now();
                let all = self.feed.run.observers;
                self.live
                    .show(&format!("{now} of {all} clients are through"));
            }
            let mut pause = INTERVAL;
            if let Some(schedule) = schedule {
                let due = schedule.next(self.feed.run.now());
                while self.feed.next < due {
                    self.feed.queue();
                }
                self.feed.write().await?;
                let next = schedule.due(self.feed.next);
                pause = Duration::from_nanos(next.saturating_sub(self.feed.run.now()));
            }
            self.feed.wait(pause.min(INTERVAL)).await?;
        }
    }
}
