//! The counts over a restart: one text in the journal, written from time to time and at the end.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::time::MissedTickBehavior;

use crate::{
    journal::{Journal, JournalError, KeptText},
    observe::{Metrics, usage::Saved},
};

/// The time between two steps of the clock by which everything is counted.
const TICK: Duration = Duration::from_secs(1);

/// Takes over the counts of an earlier run, if the journal kept any.
///
/// # Errors
/// The journal can't be read.
pub async fn restore(journal: &dyn Journal, metrics: &Metrics) -> Result<(), JournalError> {
    let Some(text) = journal.load_text(KeptText::Analytics).await? else {
        return Ok(());
    };
    match Saved::read(&text) {
        Some(saved) => metrics.usage.restore(&saved),
        None => tracing::warn!(
            "the figures about the use of the server are of another version or damaged; they begin anew"
        ),
    }
    Ok(())
}

/// Counts by time, and saves the counts now and then, for ever.
pub async fn keep(
    journal: Arc<dyn Journal>,
    metrics: Arc<Metrics>,
    max_bytes: usize,
    save_interval: Duration,
) {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut saved_at = Instant::now();
    loop {
        ticks.tick().await;
        metrics.count_usage();
        if saved_at.elapsed() >= save_interval {
            save(&*journal, &metrics, max_bytes).await;
            saved_at = Instant::now();
        }
    }
}

/// Saves the counts, in a journal that keeps something. A failure is counted, and the next time is soon enough.
pub async fn save(journal: &dyn Journal, metrics: &Arc<Metrics>, max_bytes: usize) {
    if !journal.keeps_checkpoints() {
        return;
    }
    let writer = metrics.clone();
    // Writing the text is work, so it must not hold up the threads of the stream.
    let written = tokio::task::spawn_blocking(move || writer.usage_to_save(max_bytes)).await;
    let Ok(text) = written else {
        return metrics.analytics_saved(None);
    };
    let bytes = text.len();
    match journal.save_text(KeptText::Analytics, text).await {
        Ok(()) => metrics.analytics_saved(Some(bytes)),
        Err(error) => {
            metrics.analytics_saved(None);
            tracing::warn!(%error, "the figures about the use of the server can't be saved; trying again later");
        }
    }
}
