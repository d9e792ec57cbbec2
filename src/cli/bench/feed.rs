//! The producer's connection: sends numbered updates, and listens to what the server says.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use tokio::time::sleep;

use super::{
    client::Client,
    packet::{Template, event_name, namespace_prefix},
    reading::{Receive, Shared},
    run::Run,
    tally::Tally,
};
use crate::cli::plain::plain;

/// The time within which another observer gets a probe, or none does.
pub(super) const SETTLING: Duration = Duration::from_secs(10);
/// Between two probes, and between two looks at what has arrived.
pub(super) const PROBE_INTERVAL: Duration = Duration::from_millis(100);
/// The time within which something arrives, or never.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// The parts of a feed.
pub(super) struct Source {
    pub(super) client: Client,
    pub(super) template: Template,
    pub(super) namespace: String,
    /// The name of the counted event, for messages.
    pub(super) event: String,
    /// The state of the observers' threads.
    pub(super) observers: Vec<Arc<Mutex<Shared<Tally>>>>,
}

pub(super) struct Feed {
    source: Source,
    pub(super) run: Arc<Run>,
    pub(super) pad: usize,
    /// The index of the next update.
    pub(super) next: u64,
    shared: Mutex<Shared<Answers>>,
}

/// A word of the server to the producer.
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

impl Feed {
    pub(super) fn new(source: Source, run: Arc<Run>) -> Self {
        Self {
            source,
            run,
            pad: 0,
            next: 0,
            shared: Shared::new(Answers::default()),
        }
    }

    /// Sends probes until every observer got one: then all of them are where updates go.
    pub(super) async fn settle(&mut self) -> Result<(), String> {
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

    /// The reason why some observers get nothing.
    fn unsettled(&self) -> String {
        let (ready, all) = (self.run.ready(), self.run.observers);
        let event = plain(&self.source.event, 100);
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
        let mut names = BTreeSet::new();
        for shared in &self.source.observers {
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

    /// The index and the size of the newest probe that an observer got.
    pub(super) fn newest_probe(&self) -> Option<(u64, usize)> {
        let shares = self.source.observers.iter();
        let probes = shares.filter_map(|shared| shared.lock().ok()?.tally.probe);
        probes.max()
    }

    pub(super) fn pads(&self) -> bool {
        self.source.template.pads
    }

    /// Waits until all of so many updates have arrived, or nothing comes any more.
    pub(super) async fn drain(&mut self, sent: u64) {
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
    pub(super) fn queue(&mut self) {
        let mut packet = vec![b'2'];
        packet.extend_from_slice(namespace_prefix(&self.source.namespace).as_bytes());
        self.source.template.write(&mut packet, self.next, self.pad);
        self.source.client.queue(&packet);
        self.next += 1;
    }

    pub(super) async fn send_one(&mut self) -> Result<(), String> {
        self.queue();
        self.write().await
    }

    pub(super) fn unwritten(&self) -> usize {
        self.source.client.unwritten()
    }

    /// Writes what is queued. It reads too: a server that waits until its own messages are read would never read these.
    pub(super) async fn write(&mut self) -> Result<(), String> {
        while self.source.client.has_unwritten() {
            self.turn().await?;
        }
        Ok(())
    }

    /// Listens until there is progress, or the time is over.
    pub(super) async fn wait(&mut self, time: Duration) -> Result<(), String> {
        let run = self.run.clone();
        tokio::select! {
            () = run.progress.notified() => Ok(()),
            () = sleep(time) => Ok(()),
            done = self.turn() => done,
        }
    }

    pub(super) async fn turn(&mut self) -> Result<(), String> {
        let turned = self.source.client.turn(&self.shared, &mut Listen).await;
        turned.map_err(|reason| format!("the producer's connection ended: {reason}"))
    }
}
