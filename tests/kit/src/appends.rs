//! The rate at which a journal takes events.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use stoa::{event::Event, journal::Journal};

/// Tasks that append at the same time.
pub const APPENDERS: usize = 4;

/// Events appended a second in batches of this size, until all are or the time is over; the journal is closed then.
pub async fn appended(
    journal: Arc<dyn Journal>,
    events: impl ExactSizeIterator<Item = Event>,
    batch: usize,
    limit: Duration,
) -> f64 {
    let batches = events.len() / batch;
    let mut events = events;
    // Made beforehand: only the journal is measured.
    let mut pools: Vec<Vec<Vec<Event>>> = (0..APPENDERS).map(|_| Vec::new()).collect();
    for n in 0..batches {
        pools[n % APPENDERS].push(events.by_ref().take(batch).collect());
    }
    let count = Arc::new(AtomicUsize::new(0));
    let begun = Instant::now();
    let appenders: Vec<_> = pools
        .into_iter()
        .map(|pool| {
            let (journal, count) = (journal.clone(), count.clone());
            tokio::spawn(async move {
                for batch in pool {
                    let len = batch.len();
                    journal.append(batch).await.expect("it is kept");
                    let all = count.fetch_add(len, Ordering::Relaxed) + len;
                    // Records of the live stream are not kept ready for it.
                    journal.release(all as u64);
                    if begun.elapsed() > limit {
                        return;
                    }
                }
            })
        })
        .collect();
    for appender in appenders {
        appender.await.expect("no panic");
    }
    let rate = count.load(Ordering::Relaxed) as f64 / begun.elapsed().as_secs_f64();
    journal.close();
    rate
}
