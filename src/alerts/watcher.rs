//! Watches figures and runs, and has alerts told.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::time::{MissedTickBehavior, interval, sleep};

use super::{
    active::ActiveAlerts,
    alert::{Alert, Notice},
    board::Raised,
    figures::{Finding, Readings, Thresholds},
    runs::RunChange,
    teller::Teller,
};
use crate::{
    event::Event,
    journal::{Journal, Seq},
};

/// The time between two looks at the figures.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// Records of one reading.
const READ_BATCH: usize = 256;
/// The time between two rounds of reading: a busy journal wakes the watcher twenty times a second, not for each event.
const READ_PAUSE: Duration = Duration::from_millis(50);
/// The time after which the journal is read again when it could not be.
const READ_RETRY_PAUSE: Duration = Duration::from_millis(500);

/// The options of the watcher.
#[derive(Debug, Clone)]
pub struct AlertOptions {
    /// The figures from which on they are told.
    pub thresholds: Thresholds,
    /// Alerts that are not wanted, by code or by what they are about.
    pub mute: Vec<String>,
}

/// Watches figures and runs.
#[derive(Debug)]
pub struct Watcher {
    options: AlertOptions,
    journal: Arc<dyn Journal>,
    /// The place of the start: what was published before is no news.
    from: Seq,
    active: ActiveAlerts,
    teller: Teller,
}

impl Watcher {
    /// A watcher of what comes after the present end of the journal.
    pub fn new(
        options: AlertOptions,
        journal: Arc<dyn Journal>,
        teller: Teller,
        active: ActiveAlerts,
    ) -> Arc<Self> {
        Arc::new(Self {
            active,
            from: journal.bounds().last,
            options,
            journal,
            teller,
        })
    }

    /// Holds the figures against their limits each second, and tells again what lasts. Never returns.
    pub async fn watch_figures(self: Arc<Self>, read: impl Fn() -> Readings + Send + 'static) {
        let mut look = interval(LOOK_INTERVAL);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            look.tick().await;
            let notices = self.look(&read(), Instant::now());
            self.tell(notices).await;
        }
    }

    /// Reads the journal as it grows, for runs that fail or wait. Never returns.
    pub async fn watch_runs(self: Arc<Self>) {
        let mut grown = self.journal.watch();
        let mut at = self.from;
        loop {
            let newest = *grown.borrow_and_update();
            // A journal may go back.
            at = at.min(newest);
            while at < newest {
                match self.journal.read(at, READ_BATCH).await {
                    Ok(batch) if batch.is_end(at) => break,
                    Ok(batch) => {
                        for record in &batch.records {
                            let notices = self.observe(&record.event, Instant::now());
                            self.tell(notices).await;
                        }
                        at = batch.to;
                    }
                    Err(error) => {
                        tracing::debug!(%error, "the journal can't be read for alerts; trying again");
                        sleep(READ_RETRY_PAUSE).await;
                    }
                }
                tokio::task::yield_now().await;
            }
            if grown.changed().await.is_err() {
                return std::future::pending().await;
            }
            sleep(READ_PAUSE).await;
        }
    }

    fn look(&self, readings: &Readings, now: Instant) -> Vec<Notice> {
        let mut board = self.active.board();
        let mut notices = board.due(now);
        for finding in readings.judge(&self.options.thresholds) {
            notices.extend(match finding {
                Finding::Bad(_, alert) if self.is_muted(&alert) => None,
                Finding::Bad(key, alert) => {
                    let raised = Raised {
                        key,
                        alert: *alert,
                        producer: None,
                        once: false,
                    };
                    board.raise(raised, now)
                }
                Finding::Good(key) => board.calm(&key, now),
            });
        }
        notices
    }

    fn observe(&self, event: &Event, now: Instant) -> Option<Notice> {
        let change = RunChange::of(event)?;
        let mut board = self.active.board();
        if let Some(before) = &change.before {
            board.adopt(before, &change.key);
        }
        match change.alert {
            Some(alert) if self.is_muted(&alert) => None,
            Some(alert) => {
                let once = alert.code == "run_failed";
                let raised = Raised {
                    key: change.key,
                    alert,
                    producer: Some(change.producer),
                    once,
                };
                board.raise(raised, now)
            }
            None => board.clear(&change.key, Some(change.audience)),
        }
    }

    fn is_muted(&self, alert: &Alert) -> bool {
        // A run's id is its producer's choice: only limits and parts are muted by name.
        let name = alert.audience.is_none().then_some(&*alert.subject.id);
        let mut mute = self.options.mute.iter();
        mute.any(|muted| muted == alert.code || Some(muted.as_str()) == name)
    }

    async fn tell(&self, notices: impl IntoIterator<Item = Notice>) {
        for notice in notices {
            // Every node reads of a run, and one posts it; figures are each node's own.
            let posts = notice.alert.audience.is_none() || self.journal.leads();
            self.teller.tell(notice, posts).await;
        }
    }
}
