//! The producer: probes until every observer gets updates, warms the server up, and then sends what is measured.

use std::time::{Duration, Instant};

use tokio::{sync::watch, time::sleep};

use super::{
    feed::{Feed, PATIENCE, PROBE_INTERVAL, SETTLING},
    run::Schedule,
    tally::Latencies,
};

/// The padding of the probe that shows what a byte of it adds.
const PROBE_PAD: usize = 256;
/// The last part of a pause, which the thread sleeps by itself: the runtime's timer counts in ms.
const PRECISE: Duration = Duration::from_millis(2);
/// The bytes of a write at most; an open loop that is behind makes up for it in several.
const WRITE_BYTES: usize = 256 * 1024;

/// The stages of a run, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
pub(super) enum Stage {
    Settling,
    WarmingUp,
    Measuring,
    Draining,
}

/// The pace at which updates are sent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Load {
    /// Updates per second.
    Open(f64),
    /// Updates that are on their way.
    Closed(u64),
}

/// The producer's plan.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) load: Load,
    pub(super) warmup: Duration,
    pub(super) seconds: Duration,
    pub(super) size: Option<u64>,
}

/// The work that the producer did.
#[derive(Debug)]
pub(super) struct Sent {
    /// Updates that are checked, those of the warm-up included.
    pub(super) checked: u64,
    /// Updates that are measured.
    pub(super) measured: u64,
    /// The time at which the first of them was due, in ns since the run began.
    pub(super) start: u64,
    /// The delays with which an open loop sent its updates.
    pub(super) late: Option<Latencies>,
}

pub(super) struct Producer {
    feed: Feed,
    plan: Plan,
    stage: watch::Sender<Stage>,
}

impl Producer {
    pub(super) fn new(feed: Feed, plan: Plan, stage: watch::Sender<Stage>) -> Self {
        Self { feed, plan, stage }
    }

    /// Does the whole run.
    ///
    /// # Errors
    /// In words: why it could not be done.
    pub(super) async fn run(mut self) -> Result<Sent, String> {
        self.feed.settle().await?;
        if let Some(size) = self.plan.size {
            self.fit(size).await?;
        }
        self.feed.run.check_from(self.feed.next);
        let first = self.feed.next;
        let (start, from, late) = match self.plan.load {
            Load::Open(rate) => {
                let (start, from, late) = self.open_loop(rate).await?;
                (start, from, Some(late))
            }
            Load::Closed(in_flight) => {
                let (start, from) = self.closed_loop(in_flight).await?;
                (start, from, None)
            }
        };
        self.stage.send_replace(Stage::Draining);
        let checked = self.feed.next - first;
        self.feed.drain(checked).await;
        Ok(Sent {
            checked,
            measured: self.feed.next - from,
            start,
            late,
        })
    }

    /// Finds the padding that makes an update so large.
    async fn fit(&mut self, size: u64) -> Result<(), String> {
        if !self.feed.pads() {
            return Err("--size: there is no {pad} in --packet".into());
        }
        let bare = self.probe_size().await?;
        self.feed.pad = PROBE_PAD;
        let padded = self.probe_size().await?;
        // Padding that a server does not send on fills nothing; one that sends the facts twice has the padding twice.
        // Rounded: a cursor may have got longer in between.
        let times = (padded.saturating_sub(bare) + PROBE_PAD / 2) / PROBE_PAD;
        if times == 0 {
            return Err("--size: the server does not send {pad} on".into());
        }
        let wanted = usize::try_from(size).unwrap_or(usize::MAX);
        let Some(more) = wanted.checked_sub(bare) else {
            return Err(format!(
                "--size {size}: an update without padding is {bare} bytes"
            ));
        };
        self.feed.pad = more / times;
        Ok(())
    }

    /// The size of an update as an observer gets it now.
    async fn probe_size(&mut self) -> Result<usize, String> {
        let index = self.feed.next;
        self.feed.send_one().await?;
        let begun = Instant::now();
        loop {
            if let Some((_, size)) = self.feed.newest_probe().filter(|(at, _)| *at == index) {
                return Ok(size);
            }
            if begun.elapsed() > PATIENCE {
                return Err("--size: an update did not arrive".into());
            }
            self.feed.wait(PROBE_INTERVAL).await?;
        }
    }

    /// Sends updates when they are due. The time of the first that is measured, its index, and the producer's own lateness.
    async fn open_loop(&mut self, rate: f64) -> Result<(u64, u64, Latencies), String> {
        let (first, start) = (self.feed.next, self.feed.run.now());
        let schedule = Schedule { first, start, rate };
        self.feed.run.schedule.set(schedule).ok();
        let updates = |time: Duration| (time.as_secs_f64() * rate).round() as u64;
        let from = first + updates(self.plan.warmup);
        let end = from + updates(self.plan.seconds).max(1);
        self.feed.run.measure_from(from);
        self.stage.send_replace(Stage::WarmingUp);
        let mut late = Latencies::new()?;
        while self.feed.next < end {
            let due = schedule.next(self.feed.run.now()).min(end);
            let now = self.feed.run.now();
            while self.feed.next < due && self.feed.unwritten() < WRITE_BYTES {
                if self.feed.next >= from {
                    late.note(now.saturating_sub(schedule.due(self.feed.next)));
                }
                self.feed.queue();
            }
            if self.feed.next > from && *self.stage.borrow() == Stage::WarmingUp {
                self.stage.send_replace(Stage::Measuring);
            }
            self.feed.write().await?;
            if self.feed.next < end {
                self.pause(schedule.due(self.feed.next)).await?;
            }
        }
        Ok((schedule.due(from), from, late))
    }

    /// Sends an update whenever another one is with everybody. The clock starts when all that was sent before the measured
    /// ones has arrived: a slow server still has much of it in its queues at the end of the warm-up.
    async fn closed_loop(&mut self, in_flight: u64) -> Result<(u64, u64), String> {
        let first = self.feed.next;
        let begun = Instant::now();
        let (mut measured, mut clock, mut moved) = (None, None, (begun, 0));
        self.stage.send_replace(Stage::WarmingUp);
        loop {
            let completed = self.feed.run.completed();
            if measured.is_none() && begun.elapsed() >= self.plan.warmup {
                self.feed.run.measure_from(self.feed.next);
                measured = Some(self.feed.next);
            }
            if clock.is_none() && measured.is_some_and(|from| first + completed >= from) {
                clock = Some((Instant::now(), self.feed.run.now()));
                self.stage.send_replace(Stage::Measuring);
            }
            let is_over = clock.map_or_else(
                || begun.elapsed() > self.plan.warmup + SETTLING,
                |(since, _)| since.elapsed() >= self.plan.seconds,
            );
            if is_over {
                break;
            }
            while self.feed.next - first < completed + in_flight {
                self.feed.run.sends(self.feed.next);
                self.feed.queue();
            }
            self.feed.write().await?;
            if moved.1 != completed {
                moved = (Instant::now(), completed);
            }
            if moved.0.elapsed() > PATIENCE || self.feed.run.gone() > 0 {
                break;
            }
            if self.feed.run.completed() == completed {
                self.feed.wait(PROBE_INTERVAL).await?;
            }
        }
        let start = clock.map_or_else(|| self.feed.run.now(), |(_, start)| start);
        Ok((start, measured.unwrap_or(self.feed.next)))
    }

    /// Listens until an update is due, in ns since the run began.
    async fn pause(&mut self, due: u64) -> Result<(), String> {
        loop {
            let left = Duration::from_nanos(due.saturating_sub(self.feed.run.now()));
            let Some(long) = left.checked_sub(PRECISE) else {
                std::thread::sleep(left);
                return Ok(());
            };
            tokio::select! {
                () = sleep(long) => {}
                done = self.feed.turn() => done?,
            }
        }
    }
}
