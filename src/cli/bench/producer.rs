//! The producer: probes until every observer gets updates, warms the server up, and then sends what is measured.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use tokio::{sync::watch, time::sleep};

use super::{
    client::{Client, Receive, Shared},
    packet::{Template, event_name, namespace_prefix},
    run::{Run, Schedule},
    tally::{Latencies, Tally},
};
use crate::cli::plain::plain;

/// The time within which another observer gets a probe, or none does.
const SETTLING: Duration = Duration::from_secs(10);
/// Between two probes.
const PROBE_INTERVAL: Duration = Duration::from_millis(100);
/// The padding of the probe that shows what a byte of it adds.
const PROBE_PAD: usize = 256;
/// The last part of a pause, which the thread sleeps by itself: the runtime's timer counts in ms.
const PRECISE: Duration = Duration::from_millis(2);
/// The time within which something arrives, or never.
const PATIENCE: Duration = Duration::from_secs(10);
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

/// How much is sent when.
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
    pub(super) template: Template,
    pub(super) namespace: String,
    pub(super) load: Load,
    pub(super) warmup: Duration,
    pub(super) seconds: Duration,
    pub(super) size: Option<u64>,
    /// The name of the counted event, for messages.
    pub(super) event: String,
}

/// What the producer did.
#[derive(Debug)]
pub(super) struct Sent {
    /// Updates that are checked, those of the warm-up included.
    pub(super) checked: u64,
    /// Updates that are measured.
    pub(super) measured: u64,
    /// When the first of them was due, in ns since the run began.
    pub(super) start: u64,
    /// How late an open loop sent its updates.
    pub(super) late: Option<Latencies>,
}

pub(super) struct Producer {
    client: Client,
    run: Arc<Run>,
    plan: Plan,
    pad: usize,
    /// The index of the next update.
    next: u64,
    shared: Mutex<Shared<Answers>>,
    /// Those of the observers' threads.
    observers: Vec<Arc<Mutex<Shared<Tally>>>>,
    stage: watch::Sender<Stage>,
}

/// What the server says to the producer.
#[derive(Debug, Default)]
struct Answers {
    /// The last message that says that something is wrong.
    error: Option<String>,
}

struct Listen;

impl Receive<Answers> for Listen {
    fn packet(&mut self, answers: &mut Answers, packet: &[u8]) {
        let is_error = match packet.first() {
            Some(b'2') => event_name(packet) == Some(b"error"),
            Some(b'3') => memchr::memmem::find(packet, b"\"status\":\"error\"").is_some(),
            _ => false,
        };
        if is_error {
            answers.error = Some(plain(&String::from_utf8_lossy(&packet[1..]), 300));
        }
    }
}

impl Producer {
    pub(super) fn new(
        client: Client,
        run: Arc<Run>,
        plan: Plan,
        observers: Vec<Arc<Mutex<Shared<Tally>>>>,
        stage: watch::Sender<Stage>,
    ) -> Self {
        Self {
            client,
            run,
            plan,
            pad: 0,
            next: 0,
            shared: Shared::new(Answers::default()),
            observers,
            stage,
        }
    }

    /// Does the whole run.
    ///
    /// # Errors
    /// In words: why it could not be done.
    pub(super) async fn run(mut self) -> Result<Sent, String> {
        self.settle().await?;
        if let Some(size) = self.plan.size {
            self.fit(size).await?;
        }
        self.run.check_from(self.next);
        let first = self.next;
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
        let checked = self.next - first;
        self.drain(checked).await;
        Ok(Sent {
            checked,
            measured: self.next - from,
            start,
            late,
        })
    }

    /// Sends probes until every observer got one: then all of them are where updates go.
    async fn settle(&mut self) -> Result<(), String> {
        let mut moved = (Instant::now(), 0);
        while !self.run.all_ready() {
            self.send_one().await?;
            let pause = Instant::now();
            while pause.elapsed() < PROBE_INTERVAL && !self.run.all_ready() {
                self.wait(PROBE_INTERVAL).await?;
            }
            if self.run.ready() != moved.1 {
                moved = (Instant::now(), self.run.ready());
            }
            if self.run.gone() > 0 || moved.0.elapsed() > SETTLING {
                return Err(self.unsettled());
            }
        }
        Ok(())
    }

    /// Why some observers get nothing.
    fn unsettled(&self) -> String {
        let (ready, all) = (self.run.ready(), self.run.observers);
        let event = plain(&self.plan.event, 100);
        let mut said = format!("{ready} of {all} observers got an update named {event}");
        if let Some(reason) = self.run.reason() {
            said.push_str(&format!(
                "; {} connections ended: {reason}",
                self.run.gone()
            ));
        }
        let shared = self.shared.lock();
        let error = shared.ok().and_then(|shared| shared.tally.error.clone());
        if let Some(error) = error {
            said.push_str(&format!("; the server answered the producer: {error}"));
        }
        let mut names = std::collections::BTreeSet::new();
        for shared in &self.observers {
            if let Ok(shared) = shared.lock() {
                names.extend(shared.tally.names().map(|name| plain(name, 60)));
            }
        }
        if !names.is_empty() {
            let names: Vec<_> = names.into_iter().collect();
            said.push_str(&format!(
                "; they got {} (--event names what is counted)",
                names.join(", ")
            ));
        }
        said
    }

    /// Finds the padding that makes an update so large.
    async fn fit(&mut self, size: u64) -> Result<(), String> {
        if !self.plan.template.pads {
            return Err("--size: there is no {pad} in --packet".into());
        }
        let bare = self.probe_size().await?;
        self.pad = PROBE_PAD;
        let padded = self.probe_size().await?;
        // What a server does not send it can't be filled with; one that sends the facts twice has the padding twice.
        let times = padded.saturating_sub(bare).div_ceil(PROBE_PAD).max(1);
        if padded <= bare {
            return Err("--size: the server does not send {pad} on".into());
        }
        let wanted = usize::try_from(size).unwrap_or(usize::MAX);
        let Some(more) = wanted.checked_sub(bare) else {
            return Err(format!(
                "--size {size}: an update without padding is {bare} bytes"
            ));
        };
        self.pad = more / times;
        Ok(())
    }

    /// The size of an update as an observer gets it now.
    async fn probe_size(&mut self) -> Result<usize, String> {
        let index = self.next;
        self.send_one().await?;
        let begun = Instant::now();
        loop {
            for shared in &self.observers {
                let probe = shared.lock().ok().and_then(|shared| shared.tally.probe);
                if let Some((_, size)) = probe.filter(|(newest, _)| *newest == index) {
                    return Ok(size);
                }
            }
            if begun.elapsed() > PATIENCE {
                return Err("--size: an update did not arrive".into());
            }
            self.wait(PROBE_INTERVAL).await?;
        }
    }

    /// Sends updates when they are due. The time of the first that is measured, its index, and the producer's own lateness.
    async fn open_loop(&mut self, rate: f64) -> Result<(u64, u64, Latencies), String> {
        let (first, start) = (self.next, self.run.now());
        let schedule = Schedule { first, start, rate };
        self.run.schedule.set(schedule).ok();
        let updates = |time: Duration| (time.as_secs_f64() * rate).round() as u64;
        let from = first + updates(self.plan.warmup);
        let end = from + updates(self.plan.seconds).max(1);
        self.run.measure_from(from);
        self.stage.send_replace(Stage::WarmingUp);
        let mut late = Latencies::new()?;
        while self.next < end {
            let due = schedule.next(self.run.now()).min(end);
            let now = self.run.now();
            while self.next < due && self.unwritten() < WRITE_BYTES {
                if self.next >= from {
                    late.note(now.saturating_sub(schedule.due(self.next)));
                }
                self.queue();
            }
            if self.next > from && *self.stage.borrow() == Stage::WarmingUp {
                self.stage.send_replace(Stage::Measuring);
            }
            self.write().await?;
            if self.next < end {
                self.pause(schedule.due(self.next)).await?;
            }
        }
        Ok((schedule.due(from), from, late))
    }

    /// Sends an update whenever another one is with everybody. The clock starts when all that was sent before the measured
    /// ones has arrived: a slow server still has much of it in its queues at the end of the warm-up.
    async fn closed_loop(&mut self, in_flight: u64) -> Result<(u64, u64), String> {
        let first = self.next;
        let begun = Instant::now();
        let (mut measured, mut clock, mut moved) = (None, None, (begun, 0));
        self.stage.send_replace(Stage::WarmingUp);
        loop {
            let completed = self.run.completed();
            if measured.is_none() && begun.elapsed() >= self.plan.warmup {
                self.run.measure_from(self.next);
                measured = Some(self.next);
            }
            if clock.is_none() && measured.is_some_and(|from| first + completed >= from) {
                clock = Some((Instant::now(), self.run.now()));
                self.stage.send_replace(Stage::Measuring);
            }
            let is_over = clock.map_or_else(
                || begun.elapsed() > self.plan.warmup + SETTLING,
                |(since, _)| since.elapsed() >= self.plan.seconds,
            );
            if is_over {
                break;
            }
            while self.next - first < completed + in_flight {
                self.run.sends(self.next);
                self.queue();
            }
            self.write().await?;
            if moved.1 != completed {
                moved = (Instant::now(), completed);
            }
            if moved.0.elapsed() > PATIENCE || self.run.gone() > 0 {
                break;
            }
            if self.run.completed() == completed {
                self.wait(PROBE_INTERVAL).await?;
            }
        }
        let start = clock.map_or_else(|| self.run.now(), |(_, start)| start);
        Ok((start, measured.unwrap_or(self.next)))
    }

    /// Waits until everything has arrived, or nothing comes any more.
    async fn drain(&mut self, sent: u64) {
        let mut moved = (Instant::now(), 0);
        // Observers that are gone get nothing more.
        let wanted = |run: &Run| sent * run.observers.saturating_sub(run.gone());
        while self.run.delivered() < wanted(&self.run) && moved.0.elapsed() < PATIENCE {
            let delivered = self.run.delivered();
            if delivered != moved.1 {
                moved = (Instant::now(), delivered);
            }
            if self.wait(Duration::from_millis(1)).await.is_err() {
                sleep(Duration::from_millis(10)).await;
            }
        }
    }

    /// Appends the next update to what is written.
    fn queue(&mut self) {
        let mut packet = vec![b'2'];
        packet.extend_from_slice(namespace_prefix(&self.plan.namespace).as_bytes());
        self.plan.template.write(&mut packet, self.next, self.pad);
        self.client.queue(&packet);
        self.next += 1;
    }

    async fn send_one(&mut self) -> Result<(), String> {
        self.queue();
        self.write().await
    }

    fn unwritten(&self) -> usize {
        self.client.unwritten()
    }

    /// Writes what is queued. It reads too: a server that waits until its own messages are read would never read these.
    async fn write(&mut self) -> Result<(), String> {
        while self.client.has_unwritten() {
            self.turn().await?;
        }
        Ok(())
    }

    /// Listens until there is progress, or the time is over.
    async fn wait(&mut self, time: Duration) -> Result<(), String> {
        let run = self.run.clone();
        tokio::select! {
            () = run.progress.notified() => Ok(()),
            () = sleep(time) => Ok(()),
            done = self.turn() => done,
        }
    }

    /// Listens until an update is due, in ns since the run began.
    async fn pause(&mut self, due: u64) -> Result<(), String> {
        loop {
            let left = Duration::from_nanos(due.saturating_sub(self.run.now()));
            let Some(long) = left.checked_sub(PRECISE) else {
                std::thread::sleep(left);
                return Ok(());
            };
            tokio::select! {
                () = sleep(long) => {}
                done = self.turn() => done?,
            }
        }
    }

    async fn turn(&mut self) -> Result<(), String> {
        let turned = self.client.turn(&self.shared, &mut Listen).await;
        turned.map_err(|reason| format!("the producer's connection ended: {reason}"))
    }
}
